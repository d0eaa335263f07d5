/** `npm run demo` without --once: the network and its page, until somebody presses q or Ctrl-C. */
import { once } from 'node:events'
import { fstatSync } from 'node:fs'
import { setInterval } from 'node:timers/promises'
import { LiveNetwork } from './live-network.ts'
import { PageServer } from './page-server.ts'

/** One message this often: slow enough to follow with the eye. */
const talkIntervalMs = 2_000

export interface LiveOptions {
  readonly python: boolean
  /** Port of the page; 0 for any. */
  readonly port: number
  readonly json: boolean
}

const counts = { mesh: 5, sync: 4, chord: 7, p2py: 3 }

/** Resolves when everything has ended. */
export async function runLive(options: LiveOptions, say: (line: string) => void): Promise<void> {
  const end = new AbortController()
  const stopWatching = watchForEnd(end)
  const network = new LiveNetwork({ python: options.python, counts, say })
  let server: PageServer | undefined
  try {
    await network.start()
    server = await PageServer.open(network, options.port)
    for (const { facts } of network.nodes)
      say(`${facts.name.padEnd(10)} ${facts.language.padEnd(11)} id ${facts.id.slice(0, 16)}…`)
    if (options.json) process.stdout.write(`${JSON.stringify({ page: server.address })}\n`)
    say(`\n  the page: ${server.address}\n\n  press q or Ctrl-C to end everything`)
    await keepTalking(network, end.signal, say)
  } finally {
    say('ending …')
    stopWatching()
    await server?.close()
    await network.close()
  }
}

async function keepTalking(
  network: LiveNetwork,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  let turn = 0
  try {
    for await (const _ of setInterval(talkIntervalMs, undefined, { signal })) {
      turn += 1
      await network.talk(turn).catch((error: unknown) => say(`! ${String(error)}`))
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Aborts on q and on Ctrl-C. Returns the function that stops watching. */
function watchForEnd(end: AbortController): () => void {
  const abort = (): void => end.abort()
  process.once('SIGINT', abort)
  process.once('SIGTERM', abort)
  const { stdin } = process
  const isTerminal = stdin.isTTY
  if (isTerminal) stdin.setRawMode(true)
  const watching = watchKeys(end)
  return () => {
    process.off('SIGINT', abort)
    process.off('SIGTERM', abort)
    end.abort()
    if (isTerminal) stdin.setRawMode(false)
    void watching.then(() => stdin.destroy())
  }
}

/** The end of stdin ends nothing: without a terminal, as under a service, there may be none from the beginning. */
async function watchKeys(end: AbortController): Promise<void> {
  const { stdin } = process
  if (isFromSomebody()) stdin.once('end', () => end.abort())
  try {
    while (!end.signal.aborted) {
      const [keys] = (await once(stdin, 'data', { signal: end.signal })) as [Buffer]
      // A raw terminal sends Ctrl-C and Ctrl-D as keys.
      if (/[q\u0003\u0004]/.test(keys.toString())) end.abort()
    }
  } catch (error) {
    if (!end.signal.aborted) throw error
  }
}

/** Whether the input is a pipe that another program holds. The end of /dev/null means nothing. */
function isFromSomebody(): boolean {
  const input = fstatSync(process.stdin.fd)
  return input.isFIFO() || input.isSocket()
}
