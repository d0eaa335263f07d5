/** All runs of one call in one JSON line, in the shape that design.md §7 fixes. */
import { createHash } from 'node:crypto'
import type { SimOptions } from './options.ts'
import type { RunResult } from './run-result.ts'

export interface Summary {
  readonly type: string
  readonly nodes: number | readonly [number, number]
  readonly seeds: number
  readonly delivered: number
  readonly duplicates: number
  readonly lost: number
  readonly copiesPerDelivery: number | null
  readonly p99RatioToFlooding: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly hopsMean: number | null
  /** Different dictionaries at the end, beyond one in each run; only of a sync network. */
  readonly diverged?: number
  readonly faults: Readonly<Record<string, number>>
  /** Links that old peers dropped because of one of our nodes, by cause. */
  readonly oldDrops: Readonly<Record<string, number>>
  /** Counts that only this type of network has, such as p2py's joins and searches. */
  readonly counts: Readonly<Record<string, number>>
  /** How often each invariant was checked. */
  readonly invariants: Readonly<Record<string, number>>
  readonly broken: readonly { readonly seed: number; readonly invariant: string }[]
  /** Of the one run, or SHA-256 over the hashes of all runs in their order. */
  readonly traceHash: string
  readonly events: number
  readonly simSeconds: number
  readonly wallSeconds: number
  /** User time of all threads: what a run costs when other programs want the processor too. */
  readonly cpuSeconds: number
}

export function summarise(
  results: readonly RunResult[],
  options: SimOptions,
  extra: {
    readonly wallSeconds: number
    readonly cpuSeconds: number
    readonly repeatedHashes: number
    readonly broken: readonly { readonly seed: number; readonly invariant: string }[]
  },
): Summary {
  const { minNodes, maxNodes } = options
  const invariants = addUp(results.map(({ checks }) => checks))
  const counts = {
    ...addUp(results.map((result) => result.counts)),
    ...largest(results.flatMap(({ peaks }) => peaks ?? [])),
  }
  const broken = results.flatMap(({ seed, broken: error }) =>
    error === undefined ? [] : [{ seed, invariant: error.invariant }],
  )
  return {
    type: options.type,
    nodes: minNodes === maxNodes ? minNodes : [minNodes, maxNodes],
    seeds: results.length,
    delivered: sum(results.map(({ delivered }) => delivered)),
    duplicates: sum(results.map(({ duplicates }) => duplicates)),
    lost: sum(results.map(({ lost }) => lost)),
    copiesPerDelivery: rounded(
      sum(results.map(({ copies }) => copies)) /
        sum(results.map(({ copyDeliveries }) => copyDeliveries)),
    ),
    p99RatioToFlooding: meanOf(results.map(({ p99RatioToFlooding }) => p99RatioToFlooding)),
    p50Ms: meanOf(results.map(({ p50Ms }) => p50Ms)),
    p99Ms: meanOf(results.map(({ p99Ms }) => p99Ms)),
    hopsMean: meanOf(results.map(({ hopsMean }) => hopsMean)),
    faults: addUp(results.map(({ faults }) => faults)),
    oldDrops: addUp(results.map(({ oldDrops }) => new Map(Object.entries(oldDrops)))),
    ...(counts['diverged'] !== undefined && { diverged: counts['diverged'] }),
    counts,
    invariants: { ...invariants, 'same-seed-same-trace': extra.repeatedHashes },
    broken: [...broken, ...extra.broken],
    traceHash: hashOf(results),
    events: sum(results.map(({ events }) => events)),
    simSeconds: rounded(sum(results.map(({ simMs }) => simMs)) / 1_000) ?? 0,
    wallSeconds: rounded(extra.wallSeconds) ?? 0,
    cpuSeconds: rounded(extra.cpuSeconds) ?? 0,
  }
}

/** The same for people: one line per figure. */
export function describe(summary: Summary): string {
  const lines = Object.entries(summary).map(([name, value]: [string, unknown]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name.padEnd(20)} ${text}`
  })
  return `${lines.join('\n')}\n`
}

function hashOf(results: readonly RunResult[]): string {
  const [only] = results
  if (results.length === 1 && only !== undefined) return only.traceHash
  const hash = createHash('sha256')
  for (const { traceHash } of results) hash.update(traceHash)
  return hash.digest('hex')
}

function addUp(maps: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const totals = new Map<string, number>()
  for (const map of maps) {
    for (const [name, count] of map) totals.set(name, (totals.get(name) ?? 0) + count)
  }
  return Object.fromEntries(totals)
}

function largest(maps: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const peaks = new Map<string, number>()
  for (const map of maps) {
    for (const [name, peak] of map) peaks.set(name, Math.max(peaks.get(name) ?? peak, peak))
  }
  return Object.fromEntries(peaks)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function meanOf(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? null : rounded(sum(known) / known.length)
}

function rounded(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : null
}
