/**
 * What a package that builds a network on the mesh (a dictionary, a hash table) gives to and gets from
 * a `MeshNode`: its machine stands where the mesh machine would.
 */
import type { Machine, Now, P2pError, RequestId, WaitOptions } from '@p2p/base'
import type { MeshEffect, MeshInput, MeshMachineOptions } from './protocol/mesh-contract.ts'

/** Effects of the mesh that are not about links. */
export type MeshEmitted = Exclude<MeshEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>

/** What every layer's commands and effects have. */
export interface Typed {
  readonly type: string
}

/**
 * A network on top of the mesh. Its machine stands where the mesh machine would; the node stays the
 * surface of everything a mesh does, and hands the rest up.
 */
export interface MeshLayer<LayerCommand extends Typed, LayerEffect extends Typed> {
  /** Subnet when the options name none. */
  readonly subnet: string
  /** Names of the options that the layer takes out before: known, where one is misspelt. */
  readonly ownNames?: readonly string[]
  /** The node id, base58 text, of a node that keeps it over its restarts; default a new one. */
  readonly id?: string | undefined
  /** Makes the machine from what a mesh machine would get. */
  readonly createMachine: (
    options: MeshMachineOptions,
  ) => MeshLikeMachine<LayerCommand, LayerEffect>
  /** Tells the layer's effects from those of the mesh. */
  readonly isOwnEffect: (effect: MeshEmitted | LayerEffect) => effect is LayerEffect
  readonly onEffect: (effect: LayerEffect) => void
  /** What the layer does before the node is open, once it listens and has joined others. */
  readonly enter?: (control: LayerControl<LayerCommand>) => Promise<void>
}

/** A machine that does all that a mesh machine does, and more. */
export interface MeshLikeMachine<
  LayerCommand extends Typed,
  LayerEffect extends Typed,
> extends Machine<MeshInput | LayerCommand, MeshEffect | LayerEffect> {
  readonly wireId: string | Uint8Array
  readonly subnet: string
  counters(): Readonly<Record<string, number>>
}

/** How a layer reaches its machine through the node. */
export interface LayerControl<LayerCommand extends Typed> {
  readonly isClosed: boolean
  now(): Now
  command(command: LayerCommand): void
  /** Settled by `settle` or `fail` under the same request id; see NodeShell. */
  request<Result>(
    build: (request: RequestId, timeoutMs: number) => LayerCommand,
    wait?: WaitOptions,
  ): Promise<Result>
  settle(request: RequestId, result: unknown): void
  fail(request: RequestId, error: Error): void
  reportError(error: P2pError): void
  /** What the signal in the node's options calls: set by a layer whose `close` does more. */
  closeBySignal: () => Promise<void>
}
