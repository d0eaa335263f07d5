/**
 * Hash tables of 5, 20 and 50 nodes: how long one put and one get take, how many go through per second with
 * 32 under way, and how long it takes one more node to be part of it. js2p is measured with two nodes, beside
 * ours with two: of more, it fails. All nodes of a contender live in this process and share its
 * processor, so the figures compare contenders, and no more.
 */
import type { Report, Suite } from '../figure.ts'
import type { OpenTable, TableContender } from './contender.ts'
import { hyperdht } from './hyperdht.ts'
import { js2p } from './js2p.ts'
import { kadDht } from './kad-dht.ts'
import { ours } from './ours.ts'

const nodeCounts = [2, 5, 20, 50]
const underWay = 32
/** Newcomers one after the other, of whose times the median is told: a single one is chance. */
const joinCount = 5
/** Between two newcomers. */
const restMs = 2_500
/** Operations one after the other, whose median is the latency. */
const latencyShare = 0.2
/**
 * Not measured: the compiler is not done yet, and links are made. Each contender has as long, and writes the
 * same few keys again and again, so that the faster one does not hand more of them to a newcomer.
 */
const warmUpMs = 3_000
const warmUpShare = 0.2
/** The best one counts: whatever else the machine does only makes a round worse. */
const rounds = 3

export const chordSuite: Suite = {
  name: 'chord',
  async run(report, note) {
    const contenders = [ours, await hyperdht(), await kadDht(), await js2p()]
    for (const nodeCount of nodeCounts) {
      for (const contender of contenders) {
        const isBesideJs2p = nodeCount === 2
        if (nodeCount > contender.maxNodes || (isBesideJs2p && !besideJs2p.has(contender.name)))
          continue
        note(`chord ${nodeCount} nodes, ${contender.name}`)
        await measureOne(contender, nodeCount, report)
      }
    }
  },
}

const besideJs2p: ReadonlySet<string> = new Set(['p2p', 'js2p'])

async function measureOne(
  contender: TableContender,
  nodeCount: number,
  report: Report,
): Promise<void> {
  const { name: subject, operations } = contender
  const about = { suite: 'chord', case: `${nodeCount} nodes`, subject }
  const table = await contender.open(nodeCount)
  try {
    const warmUntil = performance.now() + warmUpMs
    while (performance.now() < warmUntil) {
      const warm = await putAll(table, nodeCount, Math.ceil(operations * warmUpShare), 'warm')
      await getAll(table, nodeCount, warm.handles)
    }
    const few = Math.ceil(operations * latencyShare)
    const results: Round[] = []
    while (results.length < rounds) {
      const name = `round ${results.length}`
      const onePut = await putAll(table, nodeCount, few, `${name} one`, 1)
      const oneGet = await getAll(table, nodeCount, onePut.handles, 1)
      const puts = await putAll(table, nodeCount, operations, `${name} many`)
      const gets = await getAll(table, nodeCount, puts.handles)
      results.push({ onePut, oneGet, puts, gets })
    }
    const ms = (times: readonly number[]): number => Math.round(median(times) * 1_000) / 1_000
    const least = (pick: (round: Round) => Measured): number =>
      Math.min(...results.map((round) => ms(pick(round).times)))
    const most = (pick: (round: Round) => Measured): number =>
      Math.max(...results.map((round) => Math.round(pick(round).perSecond)))
    report({ ...about, metric: 'put latency', value: least(({ onePut }) => onePut), unit: 'ms' })
    report({ ...about, metric: 'get latency', value: least(({ oneGet }) => oneGet), unit: 'ms' })
    report({ ...about, metric: 'puts', value: most(({ puts }) => puts), unit: 'ops/s' })
    report({ ...about, metric: 'gets', value: most(({ gets }) => gets), unit: 'ops/s' })
    if (table.join === undefined) return
    const joins: number[] = []
    while (joins.length < joinCount) {
      // What the one before is handed is not this one's cost.
      await new Promise((resolve) => setTimeout(resolve, restMs))
      const started = performance.now()
      await table.join()
      joins.push(performance.now() - started)
    }
    report({ ...about, metric: 'join', value: ms(joins), unit: 'ms' })
  } finally {
    await table.close()
  }
}

interface Round {
  readonly onePut: Measured
  readonly oneGet: Measured
  readonly puts: Measured
  readonly gets: Measured
}

interface Measured {
  readonly handles: readonly unknown[]
  readonly times: readonly number[]
  readonly perSecond: number
}

const valueOf = (index: number): string => `value-${index}`

function putAll(
  table: OpenTable,
  nodeCount: number,
  count: number,
  name: string,
  atOnce = underWay,
): Promise<Measured> {
  return runAll(count, atOnce, (index) =>
    table.put(index % nodeCount, `${name} ${index}`, valueOf(index)),
  )
}

/** Each key at another node than the one that wrote it. */
async function getAll(
  table: OpenTable,
  nodeCount: number,
  handles: readonly unknown[],
  atOnce = underWay,
): Promise<Measured> {
  return runAll(handles.length, atOnce, async (index) => {
    const value = await table.get((index + 1) % nodeCount, handles[index])
    if (value !== valueOf(index)) throw new Error(`read ${value} instead of ${valueOf(index)}`)
    return value
  })
}

/** Runs so many operations, a number of them at a time. */
async function runAll(
  count: number,
  atOnce: number,
  run: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const handles: unknown[] = []
  const times: number[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const started = performance.now()
      handles[index] = await run(index)
      times.push(performance.now() - started)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker))
  return { handles, times, perSecond: count / ((performance.now() - started) / 1_000) }
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}
