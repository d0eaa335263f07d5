import type { FaultKind } from '@p2p/base/sim'

/** What one seed gave, of whatever type the network was. */
export interface RunResult {
  readonly seed: number
  readonly nodes: number
  readonly delivered: number
  readonly expected: number
  readonly duplicates: number
  readonly lost: number
  /** Payload frames that were sent during the measured broadcasts. */
  readonly copies: number
  readonly copyDeliveries: number
  readonly p99RatioToFlooding: number | undefined
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
  readonly hopsMean: number | undefined
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly oldDrops: Readonly<Record<string, number>>
  /** Counts that only this type of network has, by name. */
  readonly counts: ReadonlyMap<string, number>
  /** Likewise, but of several runs the largest is told instead of the sum. */
  readonly peaks?: ReadonlyMap<string, number>
  readonly checks: ReadonlyMap<string, number>
  readonly traceHash: string
  readonly simMs: number
  readonly events: number
  readonly broken: BrokenRun | undefined
}

/** What is left of a SimulationError when it comes from another thread. */
export interface BrokenRun {
  readonly invariant: string
  /** With seed, time and transcript. */
  readonly message: string
}
