/**
 * What a sync machine is told and what it answers: everything a mesh machine is, and the dictionary.
 */
import type { P2pError, RequestId } from '@p2p/base'
import type { MeshEffect, MeshInput, MeshMachineOptions } from '@p2p/mesh'
import type { ByteText } from './byte-text.ts'
import type { WriteLog } from './fold.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import type { WriteKind } from './write.ts'

export interface SyncMachineOptions extends MeshMachineOptions {
  /** Whether a write keeps its key for its author for an hour. Part of the subnet: default true. */
  readonly leasing?: boolean
  readonly replicaLimits?: Partial<ReplicaLimits>
  /**
   * Whether to correct old Python neighbours that hold something else than the network settled on. It
   * means to send them a delete under another node's name, so it is off unless asked for.
   */
  readonly healsOldPeers?: boolean
  /** What a store kept from an earlier life, which may have ended a moment ago; undefined for a node with no store. */
  readonly restored?: Iterable<readonly [ByteText, WriteLog]>
}

/** A value with who wrote it and when. */
export interface Entry {
  /** msgpack; undefined for a delete. */
  readonly value: Uint8Array | undefined
  /** Node id. */
  readonly owner: string
  /** UTC seconds */
  readonly timestamp: number
}

export type SyncInput =
  | MeshInput
  /** A write of this node. Whether a lease forbids it is asked before, with `refusal`. */
  | {
      readonly type: 'write'
      readonly key: ByteText
      readonly kind: WriteKind
      /** msgpack: a mapping for a delta; nothing for a delete. */
      readonly value: Uint8Array
    }
  /** Compares with every neighbour of ours now. */
  | { readonly type: 'compare' }
  /** Asks whether all reachable nodes of ours agree. Answered with `agreement`. */
  | {
      readonly type: 'ask-agreement'
      readonly request: RequestId
      /** When to take silence for a no, if that is sooner than five seconds. */
      readonly timeoutMs?: number
    }

export type SyncEffect =
  | MeshEffect
  | { readonly type: 'update'; readonly key: ByteText; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: ByteText; readonly entry: Entry }
  /** A write that was acknowledged somewhere lost against one whose author had not known it. */
  | {
      readonly type: 'conflict'
      readonly key: ByteText
      readonly lost: Entry
      readonly won: Entry
    }
  /** A write that `refusal` had let pass was refused: others were carried out between the two. */
  | { readonly type: 'write-failed'; readonly error: P2pError }
  /** What is known of a key changed: keep it, or drop it when nothing is known any more. */
  | { readonly type: 'persist'; readonly key: ByteText }
  | {
      readonly type: 'agreement'
      readonly request: RequestId
      readonly equal: boolean
      /** Nodes that were asked, this one included. */
      readonly nodes: number
    }
