/**
 * The larger half of a hash table dies in a burst of its own writes, and the rest has to read every acknowledged key at
 * once. Links of one machine are quicker than simulated ones, so this shows what a write leaves undone for some
 * milliseconds after its acknowledgement.
 *
 *   node dist/kill/burst.js [--nodes 5] [--writes 1000] [--rounds 20]
 *
 * With five nodes each has every key, but a write waits for three of them only, and three die. These are one process
 * (burst-writer.ts), the others are in this one; none has a store on disk. Ends with one line of JSON; status 1 when a survivor could not read a key.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ChordNode } from '@p2p/chord'
import * as z from 'zod/mini'
import { expectThat } from '../checks.ts'
import { knowsRing, openNodes } from './ring.ts'

const keys = z.array(z.string())
const longestBurstMs = 60_000

interface BurstOptions {
  readonly nodes: number
  readonly writes: number
}

interface Burst {
  readonly acknowledged: number
  readonly unreadable: readonly string[]
}

async function runBurst({ nodes, writes }: BurstOptions): Promise<Burst> {
  const dying = Math.ceil(nodes / 2)
  const survivors = await openNodes(nodes - dying, [])
  try {
    const [first] = survivors
    const formed = Promise.all(survivors.map((node) => knowsRing(node, nodes)))
    const seed = first?.addresses[0] ?? ''
    const acknowledged = await runWriter(dying, nodes, writes, seed)
    await formed
    return {
      acknowledged: acknowledged.length,
      unreadable: await unreadableOf(acknowledged, survivors),
    }
  } finally {
    await Promise.all(survivors.map((node) => node.close()))
  }
}

/** Runs the process that writes until it has killed itself; resolves with what it was told is safe. */
function runWriter(...args: readonly (number | string)[]): Promise<readonly string[]> {
  const writer = fileURLToPath(new URL('burst-writer.js', import.meta.url))
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [writer, ...args.map(String)],
      { timeout: longestBurstMs, maxBuffer: Infinity },
      (error, stdout, stderr) => {
        const said = stdout === '' ? undefined : keys.safeParse(JSON.parse(stdout))
        if (said?.success === true) resolve(said.data)
        else reject(new Error(`the writer ended before its burst did: ${stderr}`, { cause: error }))
      },
    )
  })
}

/** Those keys that the survivors, in turn, do not read. */
async function unreadableOf(
  acknowledged: readonly string[],
  survivors: readonly ChordNode[],
): Promise<readonly string[]> {
  const values = await Promise.all(
    acknowledged.map((key, index) => survivors[index % survivors.length]?.get(key)),
  )
  return acknowledged.filter((key, index) => values[index] !== `value of ${key}`)
}

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '5' },
    writes: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '20' },
  },
})
const options: BurstOptions = { nodes: Number(values.nodes), writes: Number(values.writes) }
const rounds = Number(values.rounds)
expectThat(options.nodes >= 2, '--nodes is a number of 2 or more')
expectThat(options.writes >= 1, '--writes is a number of 1 or more')
expectThat(rounds >= 1, '--rounds is a number of 1 or more')
let acknowledged = 0
const unreadable: string[] = []
for (let round = 1; round <= rounds; round += 1) {
  const burst = await runBurst(options)
  acknowledged += burst.acknowledged
  unreadable.push(...burst.unreadable.map((key) => `${key} of round ${round}`))
}
const ok = unreadable.length === 0
process.stdout.write(
  `${JSON.stringify({ check: 'burst', ok, ...options, rounds, acknowledged, unreadable })}\n`,
)
if (!ok) process.exitCode = 1
