/** A node of the running demo, whatever it speaks and in whatever language: what the page can ask of it. */
import type { NetworkName, NodeFacts, WorldEvent } from '../view/world-event.ts'

export interface LiveNode {
  readonly facts: NodeFacts
  /** First address that others can dial; the WebSocket one of a bridge. */
  readonly address: string
  readonly webSocketAddress?: string | undefined
  /** Ids of the neighbours, now. */
  readonly neighbours: () => readonly string[]
  connect(address: string): Promise<void>
  /** Something to everybody, so that there is something to see. */
  talk(text: string): Promise<void>
  /** Ends it without a goodbye. */
  kill(): Promise<void>
  close(): Promise<void>
  readonly faults: NodeFaults | undefined
}

/** What can be done to a node of ours. */
export interface NodeFaults {
  pause(): void
  resume(): void
  cut(peer: string): void
  isolate(): void
  heal(): void
}

/** What a node tells of itself while it runs. */
export interface LiveNodeEvents {
  /** Neighbours came or went. */
  readonly onNeighbours: () => void
  readonly onEvent: (event: WorldEvent) => void
  /** Whether frames of this sender are told by whoever receives them. */
  readonly isSeenHere: (sender: string) => boolean
}

export interface LiveNodeOptions extends LiveNodeEvents {
  readonly network: NetworkName
  readonly name: string
  readonly isBridge: boolean
  readonly contacts: readonly string[]
}
