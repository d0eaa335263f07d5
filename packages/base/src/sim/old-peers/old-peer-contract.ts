/** What both models of old peers are told and what they tell; see py2p-model.ts and js2p-model.ts. */
import type { Value, WireMessage } from '@p2p/serializer'
import type { LinkId } from '../../protocol/link.ts'
import type { RandomBytes } from '../../protocol/machine.ts'

export interface OldPeerOptions {
  /** Where it listens, as `tcp://host:port`: it goes out in handshakes. */
  readonly address: string
  readonly randomBytes: RandomBytes
  /** Default `mesh`. */
  readonly subnet?: string
}

export type OldPeerCommand =
  | { readonly type: 'connect'; readonly address: string }
  /** To everyone; sub-flag first. */
  | { readonly type: 'broadcast'; readonly payload: readonly Value[] }

export type OldPeerEvent =
  /** A user message, with sub-flag 0 or 2, and the link that brought it. */
  | { readonly type: 'message'; readonly message: WireMessage; readonly link: LinkId }
  /** It closed a link, for a reason of its own making; `peerId` is empty before the handshake. */
  | {
      readonly type: 'dropped'
      readonly link: LinkId
      readonly peerId: string
      readonly cause: DropCause
    }

/** Why an old peer closes a link. */
export type DropCause =
  | 'wrong-network'
  /** A frame that it cannot read: checksum, msgpack, or a field of the wrong kind. */
  | 'unreadable'
  | 'four-byte-trap'
  | 'half-frame'
  | 'double-link'
  | 'peers-list'
  /** js2p heard of two peers at once from two neighbours: neither of them did anything wrong. */
  | 'peers-lists-of-two'
  | 'renegotiate'
