export { P2pError, isP2pError } from './protocol/errors.ts'
export type { P2pErrorCode } from './protocol/errors.ts'
export type { Machine, Now, RandomBytes } from './protocol/machine.ts'
export { Deadlines } from './protocol/deadlines.ts'
export {
  addressToPair,
  formatAddress,
  hostGroup,
  isLoopbackHost,
  isWildcardHost,
  pairToAddress,
  parseAddress,
  transportToEncryption,
} from './protocol/address.ts'
export type { Address, AddressPair } from './protocol/address.ts'
export { defaultLimits, limitsOver, resolveLimits } from './protocol/limits.ts'
export type { NodeLimits } from './protocol/limits.ts'
export { SendQueue } from './protocol/send-queue.ts'
export type { SendOutcome, SendQueueCounters } from './protocol/send-queue.ts'
export { Peers } from './protocol/peers.ts'
export type {
  DialId,
  LinkEffect,
  LinkId,
  LinkInput,
  SendPriority,
  TransportName,
} from './protocol/link.ts'
export type {
  Peer,
  PeerKind,
  PeersCounters,
  PeersEffect,
  PeersInput,
  PeersOptions,
  RequestId,
} from './protocol/peers-contract.ts'
export type { Link, LinkEvents, Listener, Transport } from './transport.ts'
export { Emitter } from './emitter.ts'
export type { ListenOptions } from './emitter.ts'
export { Runtime } from './runtime.ts'
export type { LinkReport, Logger, RuntimeOptions } from './runtime.ts'
export { LevelStore } from './level-store.ts'
export type { LevelDatabase } from './level-store.ts'
export { MemoryStore } from './store.ts'
export type { Store, StoreChange } from './store.ts'
export { WriteBehind } from './write-behind.ts'
export { resolveNodeOptions, withMethods } from './node-options.ts'
export type { NodeOptions, ResolvedNodeOptions } from './node-options.ts'
export { cancelled, throwIfCancelled } from './cancellation.ts'
export { NodeShell, peerInfo, timerDelay } from './node-shell.ts'
export type {
  MachineBoot,
  NodeEvents,
  NodeReport,
  NodeShellOptions,
  PeerInfo,
  ShellCommand,
  WaitOptions,
} from './node-shell.ts'
export { examine } from './doctor.ts'
export type { DoctorReport, DoctorStep, DoctorStepName } from './doctor.ts'
