// Drives one node in a tab of a headless Chromium by JSON lines: commands on stdin, answers and events
// on stdout. Serves the page itself, on loopback; the browser is kept from looking any other host up.
//
//   node browser-driver.mjs CHROMIUM [LIFE_SECONDS]
//
// Ends when stdin does, and in any case after its life limit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const [chromium = 'chromium', lifeSeconds = '120'] = process.argv.slice(2)

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('./browser-page.mjs', import.meta.url))],
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
})
const script = outputFiles[0]?.text ?? ''

/** Commands that came before the page asked for them. */
const waiting = []
let commands
const send = (line) => commands?.write(`data: ${line}\n\n`) ?? waiting.push(line)

const server = createServer(async (request, response) => {
  switch (request.url) {
    case '/':
      response.setHeader('content-type', 'text/html')
      response.end(
        '<!doctype html><title>p2p</title><script type="module" src="/page.js"></script>',
      )
      return
    case '/page.js':
      response.setHeader('content-type', 'text/javascript')
      response.end(script)
      return
    case '/commands':
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      commands = response
      for (const line of waiting.splice(0)) send(line)
      return
    case '/lines': {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      process.stdout.write(`${body}\n`)
      response.end()
      return
    }
    default:
      response.writeHead(404).end()
  }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const profile = mkdtempSync(join(tmpdir(), 'p2p-browser-'))
const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
const browser = spawn(
  chromium,
  [
    '--headless=new',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    `--user-data-dir=${profile}`,
    ...asRoot,
    `http://127.0.0.1:${server.address().port}/`,
  ],
  { stdio: ['ignore', 'ignore', 'pipe'] },
)
browser.stderr.pipe(process.stderr)
const browserEnded = new Promise((resolve) => browser.once('close', resolve))

let isEnding = false
async function end(status) {
  if (isEnding) return
  isEnding = true
  browser.kill('SIGTERM')
  await browserEnded
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  process.exit(status)
}
setTimeout(() => void end(3), Number(lifeSeconds) * 1_000).unref()
void browserEnded.then(() => end(4))

const input = createInterface({ input: process.stdin })
input.on('line', send)
input.on('close', () => void end(0))
