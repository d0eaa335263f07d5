import type { encodeBase58Integer } from '@p2p/serializer'
import type { routingTableOf } from '../src/protocol/finger-table.ts'
import type { Lookup } from '../src/protocol/lookup.ts'
import type { StoringNodes } from '../src/protocol/storing-nodes.ts'

export interface RoutingOptions {
  readonly nodeCount: number
  readonly searches: number
  /** 0 … 1 */
  readonly deadShare: number
  /** Members up to which a table holds all. */
  readonly fullTable: number
  readonly seed: number
}

export interface Routing extends RoutingOptions {
  readonly tableMean: number
  readonly hopsMean: number
  readonly hopsMost: number
  readonly waitsMean: number
  readonly wrong: number
}

export function measureRouting(
  code: {
    readonly StoringNodes: new () => StoringNodes
    readonly Lookup: typeof Lookup
    readonly namedInAnswer: number
    readonly routingTableOf: typeof routingTableOf
    readonly encodeBase58Integer: typeof encodeBase58Integer
  },
  options: RoutingOptions,
): Routing
