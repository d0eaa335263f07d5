/** The demo without --once: nodes go on talking until somebody presses q or Ctrl-C. */
import { once } from 'node:events'
import { setInterval } from 'node:timers/promises'
import type { DemoNetwork } from './network.ts'

/** One message this often: slow enough to read. */
const talkIntervalMs = 2_000

export async function keepTalking(
  network: DemoNetwork,
  say: (line: string) => void,
): Promise<void> {
  const end = new AbortController()
  say('the network is up; press q or Ctrl-C to end it')
  const onInterrupt = (): void => end.abort()
  process.once('SIGINT', onInterrupt)
  process.once('SIGTERM', onInterrupt)
  const keys = watchKeys(end)
  try {
    let turn = 0
    for await (const _ of setInterval(talkIntervalMs, undefined, { signal: end.signal })) {
      const speaker = network.all[turn % network.all.length]
      turn += 1
      await speaker?.broadcast(`message ${turn} by ${speaker.name}`)
    }
  } catch (error) {
    if (!end.signal.aborted) throw error
  } finally {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
    end.abort()
    await keys
  }
}

/** Aborts on q, on Ctrl-C (which a raw terminal sends as a key), and when the input ends. */
async function watchKeys(end: AbortController): Promise<void> {
  const { stdin } = process
  const raw = stdin.isTTY
  if (raw) stdin.setRawMode(true)
  try {
    while (!end.signal.aborted) {
      const [keys] = (await once(stdin, 'data', { signal: end.signal })) as [Buffer]
      if (/[q\u0003\u0004]/.test(keys.toString())) end.abort()
    }
  } catch (error) {
    if (!end.signal.aborted) throw error
  } finally {
    if (raw) stdin.setRawMode(false)
    stdin.pause()
  }
}
