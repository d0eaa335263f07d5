export { MeshNode } from './mesh-node.ts'
export type { MeshEvents, MeshNodeOptions, MeshReport, MessageHandler } from './mesh-node.ts'
export { EarlyErrors } from './early-errors.ts'
export { LayeredNode } from './layered-node.ts'
export type { Mesh, OwnEvents } from './layered-node.ts'
export type { LayerControl, MeshLayer, MeshLikeMachine } from './mesh-layer.ts'
export { ReceivedMessage } from './received-message.ts'
export type { RemoteRequest, Responder } from './remote-requests.ts'
export { Topic } from './topic.ts'
export type { SchemaIssue, SchemaResult, TopicContext, TopicHandler, TopicSchema } from './topic.ts'
export { MeshMachine } from './protocol/mesh.ts'
export { defaultMeshPolicy } from './protocol/mesh-contract.ts'
export type {
  MeshEffect,
  MeshInput,
  MeshMachineOptions,
  MeshPolicy,
} from './protocol/mesh-contract.ts'
export { defaultMeshLimits, isMeshLimit, resolveMeshLimits } from './protocol/mesh-limits.ts'
export type { MeshLimits } from './protocol/mesh-limits.ts'
export { decodeTail, encodeTail, tailItems } from './protocol/message-tail.ts'
export { messageKey } from './protocol/message-key.ts'
export type { MessageKey } from './protocol/message-key.ts'
