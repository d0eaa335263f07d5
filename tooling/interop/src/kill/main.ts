/**
 * `kill -9` under write load: a node with a store on disk is killed at a random moment, again and
 * again. Each time the store has to open, and to hold every write that had been acknowledged.
 *
 *   node dist/kill/main.js [--runs 200]
 *
 * Ends with one line of JSON; status 1 when a write was lost or a store did not open.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const writer = fileURLToPath(new URL('writer.js', import.meta.url))
/** A process is killed at a random moment within this time after its first acknowledged write. */
const longestLifeMs = 250
const openWithinMs = 20_000

interface Life {
  readonly opened: boolean
  readonly acknowledged: number
  readonly lost: readonly string[]
}

/** Runs one process until it is killed; adds what it acknowledged to `expected`. */
async function live(folder: string, round: number, expected: Map<string, string>): Promise<Life> {
  const child = spawn(process.execPath, [writer, folder, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const watchdog = setTimeout(() => child.kill('SIGKILL'), openWithinMs)
  let life: Life = { opened: false, acknowledged: 0, lost: [] }
  const before = new Map(expected)
  for await (const line of createInterface({ input: child.stdout })) {
    const { found, acknowledged } = JSON.parse(line) as {
      readonly found?: Readonly<Record<string, string>>
      readonly acknowledged?: readonly [string, string]
    }
    if (found !== undefined) {
      // Values grow, so a later one that was written but not yet acknowledged is as good.
      const lost = [...before].filter(([key, value]) => !((found[key] ?? '') >= value))
      life = { ...life, opened: true, lost: lost.map(([key]) => key) }
    }
    if (acknowledged === undefined) continue
    if (life.acknowledged === 0) {
      clearTimeout(watchdog)
      void delay(Math.random() * longestLifeMs).then(() => child.kill('SIGKILL'))
    }
    life = { ...life, acknowledged: life.acknowledged + 1 }
    expected.set(...acknowledged)
  }
  clearTimeout(watchdog)
  await ended
  return life
}

export async function killAgainAndAgain(runs: number): Promise<{
  readonly runs: number
  readonly opened: number
  readonly acknowledged: number
  readonly lost: readonly string[]
}> {
  const folder = await mkdtemp(join(tmpdir(), 'p2p-kill-'))
  const expected = new Map<string, string>()
  let [opened, acknowledged] = [0, 0]
  const lost: string[] = []
  try {
    for (let round = 1; round <= runs; round++) {
      const life = await live(join(folder, 'store'), round, expected)
      if (life.opened) opened++
      acknowledged += life.acknowledged
      lost.push(...life.lost)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { runs, opened, acknowledged, lost }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const at = process.argv.indexOf('--runs')
  const result = await killAgainAndAgain(at < 0 ? 200 : Number(process.argv[at + 1]))
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = result.lost.length === 0 && result.opened === result.runs ? 0 : 1
}
