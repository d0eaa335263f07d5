/**
 * What the peer layer (`peers.ts`) tells the network above it, and what it can be asked.
 *
 * The peer layer owns every link of a node that speaks protocol 0.7: it dials, shakes hands, checks
 * network ids, resolves double links, keeps the limits, and hands up *peers* that are ready and
 * whole, verified *messages*. A network (mesh; sync and chord through mesh) holds one peer layer,
 * forwards link inputs to it and maps its effects; it never sees frames or half-open links.
 */
import type { WireMessage } from '@p2p/serializer'
import type { P2pError } from './errors.ts'
import type { NodeLimits } from './limits.ts'
import type { LinkEffect, LinkId, LinkInput, SendPriority, TransportName } from './link.ts'
import type { RandomBytes } from './machine.ts'

/** Numbers a command so that its answer can be found; chosen by the caller. */
export type RequestId = number

/** Which program the other end seems to be (spec/capabilities.md, 3.6). */
export type PeerKind = 'ours' | 'py2p' | 'js2p' | 'unknown'

/**
 * A neighbour whose handshake (and, for our own kind, hello) was accepted. One per id; the object
 * stays the same from `peer-open` to `peer-closed`, also when a second link takes the place of the
 * first one.
 */
export interface Peer {
  /** Node id as base58 text, whatever type it had on the wire. */
  readonly id: string
  readonly link: LinkId
  readonly transport: TransportName
  readonly kind: PeerKind
  /** True when we dialled. */
  readonly outgoing: boolean
  /** Address the peer says others can dial, as a URL; undefined for one that does not listen. */
  readonly address: string | undefined
  /** All addresses it named, on any transport; only our own kind names more than one. */
  readonly addresses: readonly string[]
  /** True when both ends named this extension in their hello (spec/capabilities.md, 3.2). */
  supports(feature: string): boolean
}

export interface PeersOptions {
  /** Own node id, base58. */
  readonly id: string
  /** How the own id goes out; text works with every old peer (spec/wire.md, 2.4). */
  readonly idEncoding?: 'text' | 'bytes'
  readonly subnet: string
  readonly limits: NodeLimits
  readonly randomBytes: RandomBytes
  /** Compression methods we offer; default zlib and gzip. */
  readonly methods?: readonly number[]
  /** Extensions of the layers above that the hello names. */
  readonly features?: readonly string[]
  /** False for a plain 0.7 node without marker and hello; default true. */
  readonly extensions?: boolean
}

export type PeersInput =
  | LinkInput
  /** The address URLs at which others can dial this node, once they are known; replaces earlier ones. */
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  /** Dial, shake hands, answer with `connected` or `connect-failed`. */
  | {
      readonly type: 'connect'
      readonly request: RequestId
      readonly address: string
      /** When given, a peer that names another id is refused. */
      readonly expectedId: string | undefined
      readonly timeoutMs: number
    }
  | { readonly type: 'cancel-connect'; readonly request: RequestId }
  | { readonly type: 'disconnect'; readonly peer: string; readonly reason: P2pError }
  /**
   * Hand a message to one neighbour; it is framed and compressed for that link. `control` is for
   * answers that the peer asked for: before its hello they are sent only within its reply budget.
   * Nothing happens when the peer is not open (any more).
   */
  | {
      readonly type: 'send-message'
      readonly peer: string
      readonly message: WireMessage
      readonly priority: SendPriority
    }

export type PeersEffect =
  | LinkEffect
  | { readonly type: 'peer-open'; readonly peer: Peer }
  | { readonly type: 'peer-closed'; readonly peer: Peer; readonly reason: P2pError }
  /**
   * An open peer sent its handshake again: address and methods may differ (old peers expect a peers
   * list). Or its hello came late: it supports more than when it opened.
   */
  | { readonly type: 'peer-updated'; readonly peer: Peer }
  /** A whole message with a right checksum, from a peer that is open. Handshakes never come up. */
  | { readonly type: 'peer-message'; readonly peer: Peer; readonly message: WireMessage }
  | { readonly type: 'connected'; readonly request: RequestId; readonly peer: Peer }
  | { readonly type: 'connect-failed'; readonly request: RequestId; readonly error: P2pError }

/** What the peer layer holds now, and what it has refused so far. */
export interface PeersCounters {
  readonly links: number
  readonly pendingLinks: number
  readonly dials: number
  readonly receivingBytes: number
  readonly refusedLinks: number
  /** Messages that were well formed but not allowed, or not understood, at that place. */
  readonly ignoredMessages: number
  /** Answers that were not sent because the peer had used up its reply budget. */
  readonly withheldAnswers: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** How often a link was closed for each reason, by error code. */
  readonly closedByCode: Readonly<Record<string, number>>
}
