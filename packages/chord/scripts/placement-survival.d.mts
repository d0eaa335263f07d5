import type { encodeBase58Integer } from '@p2p/serializer'
import type { StoringNodes } from '../src/protocol/storing-nodes.ts'

export interface SurvivalOptions {
  readonly nodeCount: number
  readonly keyCount: number
  /** Holders per table, the owner among them. */
  readonly replicas: number
  /** 0 … 1 */
  readonly deadShare: number
  readonly seed: number
}

export interface Survival extends SurvivalOptions {
  readonly lost: number
  readonly withoutMajority: number
  readonly mostLoadedToMean: number
}

export function measureSurvival(
  code: {
    readonly StoringNodes: new () => StoringNodes
    readonly encodeBase58Integer: typeof encodeBase58Integer
  },
  options: SurvivalOptions,
): Survival
