/**
 * What a mesh machine is told and what it answers.
 *
 * A dictionary or a hash table over the mesh holds a `MeshMachine`, forwards link inputs and its own
 * commands to it, and maps its effects: it takes the `unclaimed` messages whose sub-flags are its own,
 * and passes the rest up. What it wants different from a plain mesh it says in a `MeshPolicy`.
 */
import type {
  LinkEffect,
  LinkInput,
  P2pError,
  Peer,
  PeersOptions,
  RequestId,
  SendPriority,
} from '@p2p/base'
import type { Value, WireMessage } from '@p2p/serializer'
import type { MeshLimits } from './mesh-limits.ts'

/** How a network built on the mesh wants the mesh to behave. */
export interface MeshPolicy {
  /** Whether a peers list follows every handshake. False for a hash table, which sends it after its own greeting. */
  readonly listsPeersAfterHandshake: boolean
  /** Whether the mesh keeps up its number of links by itself. False when the layer above decides whom to dial. */
  readonly dialsKnownPeers: boolean
  /**
   * Whether this neighbour may get a copy of this broadcast; asked for each copy, also for late ones.
   * For layers whose messages break some old program. Everything passes when it is left out.
   */
  readonly mayPass?: (message: WireMessage, peer: Peer) => boolean
}

export const defaultMeshPolicy: MeshPolicy = {
  listsPeersAfterHandshake: true,
  dialsKnownPeers: true,
}

export type MeshInput =
  | LinkInput
  /** The address URLs at which others can dial this node; replaces earlier ones. */
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  /** Answered with `connected` or `connect-failed`. */
  | {
      readonly type: 'connect'
      readonly request: RequestId
      readonly address: string
      /** When given, a peer that names another id is refused. */
      readonly expectedId?: string
      readonly timeoutMs: number
    }
  /** Gives up a `connect` or `deliver`, which is then not answered. */
  | { readonly type: 'cancel'; readonly request: RequestId }
  | { readonly type: 'disconnect'; readonly peer: string; readonly reason: P2pError }
  /** Ends a link that is not needed now; unlike after `disconnect`, the peer may be dialled again at any time. */
  | { readonly type: 'let-go'; readonly peer: string; readonly reason: P2pError }
  /** A message to everyone. Answered with `sent` or `send-failed`. */
  | {
      readonly type: 'broadcast'
      readonly request: RequestId
      /** Sub-flag first. */
      readonly payload: readonly Value[]
      /** Items for the tail (message-tail.ts). */
      readonly tail?: ReadonlyMap<number, Uint8Array>
    }
  /** A broadcast that the layer above has composed itself, with a stamp of its own. It comes once, however often it is spread. */
  | {
      readonly type: 'spread'
      readonly message: WireMessage
      /** The neighbour that what it says came from; undefined when it is this node's own. */
      readonly from?: Peer
      /** Neighbours that know by another message what it says, by id: they are neither sent nor offered it. */
      readonly heldBy?: Iterable<string>
      /** It may come before or after any other: of the old neighbours, those that hear it from others get no copy. */
      readonly standsAlone?: boolean
    }
  /** A whisper that the layer above has composed itself, for one neighbour; nothing happens when it is gone. */
  | {
      readonly type: 'pass'
      readonly peer: string
      readonly message: WireMessage
      readonly priority: SendPriority
    }
  /** A whisper to anybody, found and dialled when it is no neighbour. Answered with `sent` or `send-failed`. */
  | {
      readonly type: 'deliver'
      readonly request: RequestId
      readonly peer: string
      readonly message: WireMessage
      readonly timeoutMs: number
    }
  /** Asks every neighbour for its peers list. */
  | { readonly type: 'request-peers' }
  /** Sends one neighbour the peers list that suits its kind. */
  | {
      readonly type: 'list-peers'
      readonly peer: string
      /** Neighbours that are left out of it, by id. */
      readonly without?: ReadonlySet<string>
    }

export type MeshEffect =
  | LinkEffect
  | { readonly type: 'peer-join'; readonly peer: Peer }
  | { readonly type: 'peer-leave'; readonly peer: Peer; readonly reason: P2pError }
  /** A neighbour sent its handshake again; its address may differ. */
  | { readonly type: 'peer-updated'; readonly peer: Peer }
  /** A user message: sub-flag 0 or 2. */
  | {
      readonly type: 'message'
      readonly message: WireMessage
      /** The neighbour that brought it; not the sender of a broadcast. */
      readonly from: Peer
      /** True for a whisper, false for a broadcast. */
      readonly isPrivate: boolean
    }
  /** A message that the mesh itself does not know. Broadcasts among them were relayed, and come once. */
  | { readonly type: 'unclaimed'; readonly message: WireMessage; readonly from: Peer }
  | { readonly type: 'connected'; readonly request: RequestId; readonly peer: Peer }
  | { readonly type: 'connect-failed'; readonly request: RequestId; readonly error: P2pError }
  | { readonly type: 'sent'; readonly request: RequestId; readonly message: WireMessage }
  | { readonly type: 'send-failed'; readonly request: RequestId; readonly error: P2pError }

/** What a mesh is made of. */
export interface MeshMachineOptions extends PeersOptions {
  readonly policy?: MeshPolicy
  readonly meshLimits?: Partial<MeshLimits>
  /** Addresses dialled again and again while there are too few links; the first time is the application's. */
  readonly bootstrap?: readonly string[]
  /** URL schemes of addresses that can be dialled here, for layers that choose among them; default all. */
  readonly schemes?: readonly string[]
  /** `flood` is the plain relay of protocol 0.7; `tree` (default) needs extensions to be on. */
  readonly dissemination?: 'tree' | 'flood'
}
