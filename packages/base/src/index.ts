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
export { defaultLimits, resolveLimits } from './protocol/limits.ts'
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
  PeersEffect,
  PeersInput,
  PeersOptions,
  RequestId,
} from './protocol/peers-contract.ts'
export type { Link, LinkEvents, Listener, Transport } from './transport.ts'
