/**
 * Dictionaries on 3 and 10 nodes with 1,000 and 10,000 keys, one writer: how many keys per second are on
 * every node, how long a late joiner takes, and what a key costs in memory. All nodes of a contender
 * live in this process and share its processor, so the figures compare contenders, and no more.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SyncNode } from '@p2p/sync'
import type { Report, Suite } from '../figure.ts'
import { bareMap } from './bare-map.ts'
import type { DictionaryContender } from './contender.ts'
import { js2p } from './js2p.ts'
import { ours } from './ours.ts'
import { loadYjs, yjs } from './yjs.ts'
import type { Yjs } from './yjs.ts'

const nodeCounts = [3, 10]
const keyCounts = [1_000, 10_000]
/** Keys that each contender spreads in each case, in rounds; few keys at a time need more of them. */
const keysOfAllRounds = 40_000
const leastRounds = 4
/** Keys of the round before the measured ones: a compiler that is not done yet would be measured with it. */
const warmUp = { nodeCount: 3, keyCount: 10_000 }
const memoryKeys = 10_000

const keysOf = (count: number, round: number): string[] =>
  Array.from({ length: count }, (_, index) => `key ${round} ${index}`)
const valueOf = (key: string): string => `value of ${key}`

export const syncSuite: Suite = {
  name: 'sync',
  async run(report, note) {
    const library = await loadYjs()
    const contenders = [ours, bareMap, yjs(library, 1), yjs(library, 100), await js2p()]
    // First, while nothing else has left anything on the heap.
    note(`sync memory of ${memoryKeys} keys`)
    await compareMemory(library, report)
    note('sync warm-up')
    for (const contender of contenders) {
      const most = Math.floor(contender.maxDeliveries / warmUp.nodeCount)
      const count = Math.min(warmUp.keyCount, most)
      await runOnce(contender, warmUp.nodeCount, keysOf(count, -1))
    }
    for (const nodeCount of nodeCounts) {
      for (const keyCount of keyCounts) {
        note(`sync ${nodeCount} nodes, ${keyCount} keys`)
        await compare(contenders, nodeCount, keyCount, report)
      }
    }
  },
}

interface Best {
  perSecond: number
  joinMs: number
}

/** Contenders take turns, so that whatever else the machine does hits each alike; the best round counts. */
async function compare(
  contenders: readonly DictionaryContender[],
  nodeCount: number,
  keyCount: number,
  report: Report,
): Promise<void> {
  const best = new Map<string, Best>()
  const rounds = Math.max(leastRounds, keysOfAllRounds / keyCount)
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      if (nodeCount * keyCount > contender.maxDeliveries) continue
      const result = await runOnce(contender, nodeCount, keysOf(keyCount, round))
      const known = best.get(contender.name)
      best.set(contender.name, {
        perSecond: Math.max(result.perSecond, known?.perSecond ?? 0),
        joinMs: Math.min(result.joinMs, known?.joinMs ?? Infinity),
      })
    }
  }
  const about = { suite: 'sync', case: `${nodeCount} nodes, ${keyCount} keys` }
  for (const [subject, { perSecond, joinMs }] of best) {
    const spread = { metric: 'spread', value: Math.round(perSecond), unit: 'keys/s everywhere' }
    report({ ...about, subject, ...spread })
    if (joinMs === Infinity) continue
    report({ ...about, subject, metric: 'late joiner', value: Math.round(joinMs), unit: 'ms' })
  }
}

async function runOnce(
  contender: DictionaryContender,
  nodeCount: number,
  keys: readonly string[],
): Promise<Best> {
  const dictionaries = await contender.open(nodeCount)
  try {
    const started = performance.now()
    await dictionaries.spread(keys, valueOf)
    const perSecond = keys.length / ((performance.now() - started) / 1_000)
    if (dictionaries.join === undefined) return { perSecond, joinMs: Infinity }
    const joining = performance.now()
    await dictionaries.join()
    return { perSecond, joinMs: performance.now() - joining }
  } finally {
    await dictionaries.close()
  }
}

async function compareMemory({ Doc }: Yjs, report: Report): Promise<void> {
  const node = await SyncNode.open()
  const keys = keysOf(memoryKeys, 0)
  const subjects = {
    p2p: () => {
      for (const key of keys) node.set(key, valueOf(key))
      return node
    },
    yjs: () => {
      const doc = new Doc()
      for (const key of keys) doc.getMap('map').set(key, valueOf(key))
      return doc
    },
    limit: () => new Map(keys.map((key) => [key, valueOf(key)])),
  }
  // What was measured stays until the end: it must not be freed while the next one is measured.
  const kept: object[] = []
  for (const [subject, fill] of Object.entries(subjects)) {
    const before = heapBytes()
    kept.push(fill())
    const value = Math.round((heapBytes() - before) / memoryKeys)
    report({
      suite: 'sync',
      case: `${memoryKeys} keys`,
      subject,
      metric: 'memory',
      value,
      unit: 'bytes per key',
    })
  }
  if (kept.length < Object.keys(subjects).length) throw new Error('something was not kept')
  await node.close()
}

/** Bytes in use after a collection, array buffers included. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What finalisers let go of is freed by the second one.
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
