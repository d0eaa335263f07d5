export { SeededRandom } from './random.ts'
export { Simulator } from './simulator.ts'
export type { SimulatorOptions } from './simulator.ts'
export type { SimNode, SimNodeOptions, NodeBoot, HostedNode, CrashOptions } from './sim-node.ts'
export type { LinkEnd } from './link-end.ts'
export type { Cut, Network } from './network.ts'
export { defaultConditions } from './conditions.ts'
export type { NetworkConditions } from './conditions.ts'
export type { Broken, Invariant } from './invariant.ts'
export { SimulationError } from './failure.ts'
export { percentile } from './counters.ts'
export type { SimCounters } from './counters.ts'
export { scriptedPeer } from './scripted-peer.ts'
export type { PeerScript, ScriptedPeerHands, ScriptedPeerStart } from './scripted-peer.ts'
export { Py2pModel } from './old-peers/py2p-model.ts'
export { Js2pModel } from './old-peers/js2p-model.ts'
export type {
  DropCause,
  OldPeerCommand,
  OldPeerEvent,
  OldPeerOptions,
} from './old-peers/old-peer-contract.ts'
export { BroadcastLedger } from './broadcast-ledger.ts'
export type { LedgerTotals } from './broadcast-ledger.ts'
export { allFaultKinds, faultKinds, startFaults } from './random-faults.ts'
export type { FaultKind, FaultPlan } from './random-faults.ts'
