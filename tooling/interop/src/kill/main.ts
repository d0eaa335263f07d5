/**
 * `kill -9` under write load: a node with a store on disk is killed at a random moment, again and
 * again. Each time the store has to open, and to hold every write that had been acknowledged.
 *
 *   node dist/kill/main.js [--kind sync|chord] [--runs 200]
 *
 * `sync` is one node with a dictionary, `chord` a ring of three nodes in one process, all killed at once.
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
import { parseArgs } from 'node:util'

const writers = { sync: 'writer.js', chord: 'chord-writer.js' } as const
type Kind = keyof typeof writers
/** A process is killed at a random moment within this time after its first acknowledged write. */
const longestLifeMs = 250
const openWithinMs = 20_000

interface Life {
  readonly opened: boolean
  readonly acknowledged: number
  readonly lost: readonly string[]
}

/** Runs one process until it is killed; adds what it acknowledged to `expected`. */
async function live(
  kind: Kind,
  folder: string,
  round: number,
  expected: Map<string, string>,
): Promise<Life> {
  const writer = fileURLToPath(new URL(writers[kind], import.meta.url))
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

export async function killAgainAndAgain(
  kind: Kind,
  runs: number,
): Promise<{
  readonly kind: Kind
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
      const life = await live(kind, join(folder, 'store'), round, expected)
      if (life.opened) opened++
      acknowledged += life.acknowledged
      lost.push(...life.lost)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { kind, runs, opened, acknowledged, lost }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string', default: 'sync' },
      runs: { type: 'string', default: '200' },
    },
  })
  if (values.kind !== 'sync' && values.kind !== 'chord') throw new Error('--kind is sync or chord')
  const result = await killAgainAndAgain(values.kind, Number(values.runs))
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = result.lost.length === 0 && result.opened === result.runs ? 0 : 1
}
