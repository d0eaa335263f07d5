export { SyncNode } from './sync-node.ts'
export type { SyncEvents, SyncNodeOptions, SyncReport } from './sync-node.ts'
export type { Key, Meta, WrittenValue } from './dictionary.ts'
export { LevelStore } from '@p2p/base'
export type { LevelDatabase } from '@p2p/base'
export { SyncMachine } from './protocol/sync.ts'
export type { Entry, SyncEffect, SyncInput, SyncMachineOptions } from './protocol/sync-contract.ts'
export { LeaseError, currentLease, leaseSeconds, originalAccepts } from './protocol/lease.ts'
export type { Lease, Stamp } from './protocol/lease.ts'
export { Replica } from './protocol/replica.ts'
export type { Change, MergeResult, Origin, Refusal } from './protocol/replica.ts'
export { defaultReplicaLimits } from './protocol/replica-limits.ts'
export type { ReplicaLimits } from './protocol/replica-limits.ts'
export type { KeyState, Rule } from './protocol/replay.ts'
export type { WriteLog } from './protocol/fold.ts'
export type { Seen, Write, WriteKind } from './protocol/write.ts'
export {
  createCopyMessage,
  createResentMessage,
  createWriteMessage,
  readWrite,
} from './protocol/messages.ts'
export type { OwnerForm, ReadWrite } from './protocol/messages.ts'
export { decodeRecords, encodeRecords } from './protocol/records.ts'
export type { WriteRecord } from './protocol/records.ts'
export {
  byteTextToBytes,
  byteTextToText,
  textToByteText,
  toByteText,
} from './protocol/byte-text.ts'
export type { ByteText } from './protocol/byte-text.ts'
