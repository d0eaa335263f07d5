/**
 * What a chord machine is told and what it answers: everything a mesh machine is, and the hash table.
 */
import type { P2pError, RequestId } from '@p2p/base'
import type { MeshEffect, MeshInput, MeshMachineOptions } from '@p2p/mesh'
import type { Value } from '@p2p/serializer'
import type { ReadResult } from './read.ts'
import type { SlotStoreLimits } from './slot-store.ts'

export interface ChordMachineOptions extends MeshMachineOptions {
  readonly slotLimits?: Partial<SlotStoreLimits>
  /** Keys of the network that are remembered; further ones are not listed. Default 1,000,000. */
  readonly maxKeys?: number
}

export type ChordInput =
  | MeshInput
  /** Begins to store for others. */
  | { readonly type: 'join' }
  /** Hands over what is stored, and stores no more. */
  | { readonly type: 'leave' }
  /** Answered with `written` or `write-failed`. */
  | {
      readonly type: 'write'
      readonly request: RequestId
      readonly key: Uint8Array
      /** null deletes. */
      readonly value: Value
      readonly timeoutMs: number
    }
  /** Writes fields over those of the stored mapping. Nothing answers. */
  | {
      readonly type: 'write-delta'
      readonly key: Uint8Array
      readonly fields: ReadonlyMap<Value, Value>
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
  | { readonly type: 'key-added' | 'key-removed'; readonly key: Uint8Array }
  /** Three tables or more hold the value at their owners. */
  | { readonly type: 'written'; readonly request: RequestId }
  | { readonly type: 'write-failed'; readonly request: RequestId; readonly error: P2pError }
  | { readonly type: 'read-ended'; readonly request: RequestId; readonly result: ReadResult }
  /** A neighbour began to store, or does so no more. */
  | { readonly type: 'ring'; readonly peer: string; readonly isStoring: boolean }
