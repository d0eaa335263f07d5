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
import type { LinkEffect, LinkId, LinkInput, SendPriority, TransportName } from './link.ts'

/** Numbers a command so that its answer can be found; chosen by the caller. */
export type RequestId = number

/** Which program the other end seems to be (spec/capabilities.md, 3.6). */
export type PeerKind = 'ours' | 'py2p' | 'js2p' | 'unknown'

/** A neighbour whose handshake was accepted. One per id; it keeps its identity while the link lives. */
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
  /** True when both ends named this extension in their hello (spec/capabilities.md, 3.2). */
  supports(feature: string): boolean
}

export type PeersInput =
  | LinkInput
  /** Dial, shake hands, answer with `connected` or `connect-failed`. Without a request id nobody waits for it. */
  | {
      readonly type: 'connect'
      readonly request: RequestId | undefined
      readonly address: string
      /** When given, a peer that names another id is refused. */
      readonly expectedId: string | undefined
      readonly timeoutMs: number
    }
  | { readonly type: 'cancel-connect'; readonly request: RequestId }
  | { readonly type: 'disconnect'; readonly peer: string; readonly reason: P2pError }
  /** Hand a message to one neighbour; it is framed and compressed for that link. */
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
  /** A whole message with a right checksum, from a peer that is open. Handshakes never come up. */
  | { readonly type: 'peer-message'; readonly peer: Peer; readonly message: WireMessage }
  | { readonly type: 'connected'; readonly request: RequestId; readonly peer: Peer }
  | { readonly type: 'connect-failed'; readonly request: RequestId; readonly error: P2pError }
