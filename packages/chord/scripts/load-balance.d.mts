import type { encodeBase58Integer } from '@p2p/serializer'
import type { balancedId } from '../src/protocol/balanced-id.ts'
import type { StoringNodes } from '../src/protocol/storing-nodes.ts'

export interface LoadOptions {
  readonly nodeCount: number
  /** Ids among which each node chooses. */
  readonly tries: number
  readonly replicas: number
  readonly seeds: number
}

export interface Load extends LoadOptions {
  readonly mostToMean: number
  readonly meanOfSeeds: number
}

export function measureLoad(
  code: {
    readonly StoringNodes: new () => StoringNodes
    readonly balancedId: typeof balancedId
    readonly encodeBase58Integer: typeof encodeBase58Integer
  },
  options: LoadOptions,
): Load
