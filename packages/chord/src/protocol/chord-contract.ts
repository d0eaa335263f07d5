/**
 * What a chord machine is told and what it answers: everything a mesh machine is, and the hash table.
 */
import type { P2pError, RequestId } from '@p2p/base'
import type { MeshEffect, MeshInput, MeshMachineOptions } from '@p2p/mesh'
import type { Slot } from './hash-tables.ts'
import type { ReadResult } from './read.ts'
import type { SlotStoreLimits, StoredSlot } from './slot-store.ts'

export interface ChordMachineOptions extends MeshMachineOptions {
  readonly slotLimits?: Partial<SlotStoreLimits>
  /** Keys of the network that are remembered; further ones are not listed. Default 1,000,000. */
  readonly maxKeys?: number
  /** Nodes that keep each slot, the owner among them: 1 to 8, default 5. */
  readonly replicas?: number
  /** Longest time between two comparisons with the other holders, milliseconds; default 60,000. */
  readonly repairMs?: number
  /** What an earlier process kept. */
  readonly restored?: Iterable<StoredSlot>
  /** Whether `slots-changed` is told. */
  readonly persists?: boolean
}

export type ChordInput =
  | MeshInput
  /**
   * Begins to store for others. A request is answered with `joined` once the neighbours have told who
   * stores; the time for that has no end where none is given.
   */
  | { readonly type: 'join'; readonly request?: RequestId; readonly timeoutMs?: number }
  /** Hands over what is stored, and stores no more. Answered with `left`. */
  | { readonly type: 'leave'; readonly request: RequestId; readonly timeoutMs: number }
  /** Answered with `written` or `write-failed`. */
  | {
      readonly type: 'write'
      readonly request: RequestId
      readonly key: Uint8Array
      /** msgpack; null deletes. */
      readonly value: Uint8Array | null
      readonly timeoutMs: number
    }
  /** Answered with `read-ended`. */
  | {
      readonly type: 'read'
      readonly request: RequestId
      readonly key: Uint8Array
      readonly timeoutMs: number
    }

export type ChordEffect =
  | MeshEffect
  /** A node says that a key is there; it may say so again. */
  | { readonly type: 'key-added'; readonly key: Uint8Array; readonly isNew: boolean }
  | { readonly type: 'key-removed'; readonly key: Uint8Array }
  /** Three tables or more hold the value at their owners. */
  | { readonly type: 'written'; readonly request: RequestId }
  | { readonly type: 'write-failed'; readonly request: RequestId; readonly error: P2pError }
  | { readonly type: 'read-ended'; readonly request: RequestId; readonly result: ReadResult }
  /** The neighbours have told who stores, or, with an error, none has in time. */
  | { readonly type: 'joined'; readonly request: RequestId; readonly error: P2pError | undefined }
  /** This node stores no more, or, with an error, it has joined again instead. */
  | { readonly type: 'left'; readonly request: RequestId; readonly error: P2pError | undefined }
  /** These slots hold something else than before, or nothing; the store tells what. */
  | { readonly type: 'slots-changed'; readonly slots: readonly Slot[] }
  /** A node began to store, or does so no more. */
  | { readonly type: 'ring'; readonly peer: string; readonly isStoring: boolean }
