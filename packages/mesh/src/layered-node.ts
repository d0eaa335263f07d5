/**
 * What the nodes of all networks on the mesh share: everything that a mesh does, passed on to the
 * `MeshNode` inside. A dictionary or hash table adds its own methods and events. Docstrings are those of
 * `MeshNode`, which editors show here too.
 */
import type { Emitter, ListenOptions, PeerInfo, WaitOptions } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import type { MeshEvents, MeshNode, MeshReport, MessageHandler } from './mesh-node.ts'
import type { ReceivedMessage } from './received-message.ts'
import type { Responder } from './remote-requests.ts'
import type { Topic, TopicSchema } from './topic.ts'

/** A node of any network on the mesh, as far as it is a mesh: a `MeshNode`, `SyncNode` or `ChordNode`. */
export type Mesh = Pick<MeshNode, keyof MeshNode>

/** The events that a network has besides those of the mesh. */
export type OwnEvents<Events> = Pick<Events, Exclude<keyof Events, keyof MeshEvents>>

export abstract class LayeredNode<Events extends MeshEvents> implements Mesh {
  readonly #mesh: Mesh
  readonly #ownEvents: Emitter<OwnEvents<Events>>
  readonly #ownNames: readonly string[]

  /** @param ownNames names of all events that `ownEvents` emits */
  protected constructor(
    mesh: Mesh,
    ownEvents: Emitter<OwnEvents<Events>>,
    ownNames: readonly (keyof OwnEvents<Events> & string)[],
  ) {
    this.#mesh = mesh
    this.#ownEvents = ownEvents
    this.#ownNames = ownNames
  }

  get id(): string {
    return this.#mesh.id
  }

  get addresses(): readonly string[] {
    return this.#mesh.addresses
  }

  get peers(): ReadonlyMap<string, PeerInfo> {
    return this.#mesh.peers
  }

  connect(address: string, wait?: WaitOptions): Promise<PeerInfo> {
    return this.#mesh.connect(address, wait)
  }

  disconnect(id: string): boolean {
    return this.#mesh.disconnect(id)
  }

  broadcast(...packets: readonly Value[]): string {
    return this.#mesh.broadcast(...packets)
  }

  whisper(peerId: string, ...packets: readonly Value[]): string {
    return this.#mesh.whisper(peerId, ...packets)
  }

  send(peerId: string, ...packets: readonly Value[]): Promise<void> {
    return this.#mesh.send(peerId, ...packets)
  }

  deliver(peerId: string, packets: readonly Value[], wait?: WaitOptions): Promise<void> {
    return this.#mesh.deliver(peerId, packets, wait)
  }

  requestPeers(): void {
    this.#mesh.requestPeers()
  }

  on<Name extends keyof Events & string>(
    event: Name,
    handler: (value: Events[Name]) => unknown,
    options?: ListenOptions,
  ): () => void {
    // Each event has one emitter; that the handler fits it, its type cannot tell.
    const isOwn = this.#ownNames.includes(event)
    if (isOwn) return this.#ownEvents.on(event as never, handler as never, options)
    return this.#mesh.on(event as never, handler as never, options)
  }

  handle(handler: MessageHandler): () => void {
    return this.#mesh.handle(handler)
  }

  receive(): ReceivedMessage | undefined
  receive(count: number): ReceivedMessage[]
  receive(count?: number): ReceivedMessage | ReceivedMessage[] | undefined {
    return count === undefined ? this.#mesh.receive() : this.#mesh.receive(count)
  }

  messages(options?: { readonly signal?: AbortSignal }): AsyncGenerator<ReceivedMessage> {
    return this.#mesh.messages(options)
  }

  topic<Output, Input = Output>(
    name: string,
    schema: TopicSchema<Output, Input>,
  ): Topic<Output, Input> {
    return this.#mesh.topic(name, schema)
  }

  request(
    peerId: string,
    packets: readonly Value[],
    wait?: WaitOptions,
  ): Promise<readonly Value[]> {
    return this.#mesh.request(peerId, packets, wait)
  }

  respond(responder: Responder): () => void {
    return this.#mesh.respond(responder)
  }

  report(): MeshReport {
    return this.#mesh.report()
  }

  metrics(): Readonly<Record<string, number>> {
    return this.#mesh.metrics()
  }

  async close(): Promise<void> {
    await this.#mesh.close()
    this.#ownEvents.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
