// What a newcomer sees: clones this repository into a temporary folder, runs `npm run demo` there, and
// waits until the page is served. Installs from the registry, or from what npm and pnpm have cached.
// Prints the seconds; status 1 when there is no page after three minutes, or something is left running.
//
//   node tooling/scripts/check-first-run.mjs
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { slowdown } from './machine-speed.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const budgetSeconds = 180 * slowdown()
const say = (text) => process.stdout.write(`${text}\n`)

const folder = mkdtempSync(join(tmpdir(), 'p2p-first-run-'))
const clone = join(folder, 'clone')
try {
  execFileSync('git', ['clone', '--quiet', root, clone])
  const started = performance.now()
  const demo = spawn('npm', ['run', '--silent', 'demo', '--', '--json'], {
    cwd: clone,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = new Promise((resolve) => demo.once('exit', resolve))
  const giveUp = setTimeout(() => demo.kill(), 2_000 * budgetSeconds)
  const page = await firstAddress(demo.stdout)
  const seconds = (performance.now() - started) / 1_000
  const html = page === undefined ? '' : await (await fetch(page)).text()
  demo.stdin.write('q')
  const status = await ended
  clearTimeout(giveUp)
  const isServed = html.includes('<script')
  const isGone =
    page !== undefined &&
    (await fetch(page).then(
      () => false,
      () => true,
    ))
  const ok = isServed && isGone && status === 0 && seconds <= budgetSeconds
  const verdict = `budget ${Math.round(budgetSeconds)} s, status ${status}`
  say(`first run: ${isServed ? 'a page' : 'NO PAGE'} after ${seconds.toFixed(0)} s, ${verdict}`)
  say(isGone ? 'nothing left' : 'THE PAGE IS STILL SERVED')
  process.exitCode = ok ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The first address that the demo prints; undefined when it ends without one. */
function firstAddress(stdout) {
  let text = ''
  return new Promise((resolve) => {
    stdout.once('end', () => resolve(undefined))
    stdout.on('data', (chunk) => {
      text += chunk
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0]
      if (address !== undefined) resolve(address)
    })
  })
}
