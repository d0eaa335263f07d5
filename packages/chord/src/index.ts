export { LevelStore } from '@p2p/base'
export type { LevelDatabase } from '@p2p/base'
export { bootstrap, seedSubnet } from './bootstrap.ts'
export type { BootstrapOptions, BootstrapResult } from './bootstrap.ts'
export { ChordNode } from './chord-node.ts'
export type { ChordEvents, ChordNodeOptions, ChordReport } from './chord-node.ts'
export type { Key } from './shared-table.ts'
export type { Place } from './protocol/place.ts'
export { ChordMachine } from './protocol/chord.ts'
export type { ChordEffect, ChordInput, ChordMachineOptions } from './protocol/chord-contract.ts'
export { hashTableNamed, hashTables, slotNamed, slotsOf } from './protocol/hash-tables.ts'
export type { HashTable, Slot } from './protocol/hash-tables.ts'
export type { KeyList } from './protocol/key-list.ts'
export {
  deltaPayload,
  metaPayload,
  noticePayload,
  readMessage,
  removalPayload,
  retrievePayload,
  retrievedPayload,
  storePayload,
} from './protocol/messages.ts'
export type { ChordMessage } from './protocol/messages.ts'
export { Read } from './protocol/read.ts'
export type { Question } from './protocol/questions.ts'
export type { Answer, ReadOptions, ReadResult } from './protocol/read.ts'
export { clockwiseDistance, covers, nodePosition, ringSize, toPosition } from './protocol/ring.ts'
export type { Arc, Position } from './protocol/ring.ts'
export { SlotStore, defaultSlotStoreLimits } from './protocol/slot-store.ts'
export type { ArcSummary, PutResult, SlotStoreLimits, StoredSlot } from './protocol/slot-store.ts'
export { bestShift, chanceToMove } from './protocol/balancing.ts'
export { mostToMean, placesOf } from './protocol/even-places.ts'
export type { Places } from './protocol/even-places.ts'
export { maxFullTable, neighboursEachSide, routingTableOf } from './protocol/finger-table.ts'
export { Lookup, namedInAnswer } from './protocol/lookup.ts'
export { StoringNodes } from './protocol/storing-nodes.ts'
export type { StoringNode } from './protocol/storing-nodes.ts'
export { VersionClock, compareVersions } from './protocol/version.ts'
export type { Version } from './protocol/version.ts'
export { countVotes, isSameValue, majority, majorityOf } from './protocol/vote.ts'
export type { Candidate } from './protocol/vote.ts'
export { PendingWrite } from './protocol/write.ts'
export type { TableHolders, WriteState } from './protocol/write.ts'
