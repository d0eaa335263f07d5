/**
 * What a page is told about a network: the same events from the network of real nodes (over the
 * control channel) and from the one simulated in the tab. Plain JSON data.
 */

export const networkNames = ['mesh', 'sync', 'chord', 'p2py'] as const
export type NetworkName = (typeof networkNames)[number]

/** What a node is written in; `browser` is our TypeScript in a tab. */
export type Language = 'TypeScript' | 'JavaScript' | 'Python' | 'browser'

export interface NodeFacts {
  readonly id: string
  /** Short and unique, for people. */
  readonly name: string
  readonly network: NetworkName
  readonly language: Language
  readonly state: 'running' | 'paused'
  /** Whether others join through it over WebSocket. */
  readonly isBridge: boolean
  /** Whether it can be paused, cut and killed from the page. */
  readonly isOurs: boolean
  /** 96 hexadecimal digits; for nodes that store for a hash table. */
  readonly ringPosition?: string
}

export type WorldEvent =
  /** A node is new, or something about it changed. */
  | { readonly type: 'node'; readonly node: NodeFacts }
  | { readonly type: 'node-gone'; readonly id: string }
  | {
      readonly type: 'link'
      readonly a: string
      readonly b: string
      readonly state: 'open' | 'cut' | 'closed'
    }
  /** A frame passed from one node to another. */
  | {
      readonly type: 'frame'
      readonly from: string
      readonly to: string
      /** Unix milliseconds, or simulated ones. */
      readonly atMs: number
      /** Such as `broadcast` or `peers`. */
      readonly label: string
      /** Of broadcasts only: the message id, hexadecimal. */
      readonly broadcast?: string
      readonly byteCount: number
      /** Hexadecimal; left out where there are too many, or the frame is long. */
      readonly hex?: string
    }
  /** The application on a node got a line of the chat. */
  | {
      readonly type: 'heard'
      readonly node: string
      readonly sender: string
      readonly text: string
    }
  /** The dictionary on a node holds this value; null when the key is free there. */
  | {
      readonly type: 'held'
      readonly node: string
      readonly key: string
      readonly value: string | null
    }
  | { readonly type: 'note'; readonly text: string }

/** What a page can ask the control channel for. */
export type ControlCommand =
  | { readonly op: 'add'; readonly network: NetworkName; readonly count: number }
  | { readonly op: 'kill' | 'pause' | 'resume'; readonly id: string }
  /** Without `b`, `a` is cut off from everybody. */
  | { readonly op: 'cut'; readonly a: string; readonly b?: string | undefined }
  | { readonly op: 'heal' }

/** The first thing on the control channel. */
export interface Welcome {
  readonly type: 'welcome'
  /** Where a tab joins each network: ws:// addresses. */
  readonly doors: Readonly<Partial<Record<NetworkName, string>>>
  readonly subnets: Readonly<Partial<Record<NetworkName, string>>>
  readonly events: readonly WorldEvent[]
}

/** First packet of every chat line, as `p2p chat` has it, and the room of the demo. */
export const chatMark = 'chat'
export const demoRoom = 'demo'
