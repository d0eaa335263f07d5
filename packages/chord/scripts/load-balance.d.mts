import type { encodeBase58Integer } from '@p2p/serializer'
import type { bestShift, chanceToMove } from '../src/protocol/balancing.ts'
import type { mostToMean, placesOf } from '../src/protocol/even-places.ts'
import type { StoringNodes } from '../src/protocol/storing-nodes.ts'

export interface LoadOptions {
  readonly nodeCount: number
  /** Places among which each node chooses. */
  readonly tries: number
  readonly replicas: number
  readonly seeds: number
  readonly way: 'one by one' | 'at once'
}

export interface Load extends LoadOptions {
  readonly mostToMean: number
  readonly moves?: number
  readonly rounds?: number
}

export function measureLoad(
  code: {
    readonly StoringNodes: new () => StoringNodes
    readonly placesOf: typeof placesOf
    readonly bestShift: typeof bestShift
    readonly chanceToMove: typeof chanceToMove
    readonly mostToMean: typeof mostToMean
    readonly encodeBase58Integer: typeof encodeBase58Integer
  },
  options: LoadOptions,
): Load
