/**
 * A node of a mesh: what programs use.
 *
 *   application ─ methods ─▶ MeshNode ─ commands ─▶ MeshMachine (protocol/mesh.ts)
 *   application ◀─ events, promises, queue ─ MeshNode ◀─ effects ─┘
 *
 * Long because it is the one public surface, half of it docstrings: each method only hands over to the
 * part that does the work (queue, topics, requests, machine), and the private ones share its shell.
 *
 * Messages are composed here, so that a value the wire cannot carry is told to the caller at once; the
 * machine decides where they go.
 */
import {
  NodeShell,
  P2pError,
  cancelled,
  resolveNodeOptions,
  throwIfCancelled,
  timerDelay,
  type ListenOptions,
  type NodeEvents,
  type NodeLimits,
  type NodeOptions,
  type NodeReport,
  type PeerInfo,
  type WaitOptions,
} from '@p2p/base'
import {
  EncodeError,
  checksumBytes,
  createMessage,
  encodeBase58Integer,
  flags,
  toHex,
  wholeNumber,
  type Value,
  type WireMessage,
} from '@p2p/serializer'
import { handlerFailed } from './early-errors.ts'
import { frameToKeep, messageIn } from './protocol/kept-frame.ts'
import type { LayerControl, MeshEmitted, MeshLayer, MeshLikeMachine, Typed } from './mesh-layer.ts'
import { MessageQueue, resolveQueueLimits } from './message-queue.ts'
import { MeshMachine } from './protocol/mesh.ts'
import type { MeshInput } from './protocol/mesh-contract.ts'
import { isMeshLimit, defaultMeshLimits, type MeshLimits } from './protocol/mesh-limits.ts'
import { OutgoingStamps } from './protocol/outgoing-stamps.ts'
import { ReceivedMessage } from './received-message.ts'
import {
  RemoteRequests,
  answerSubFlag,
  answerTo,
  listOf,
  questionSubFlag,
  refusalFor,
  type Responder,
} from './remote-requests.ts'
import { Topic, maxTopicNameLength, topicSubFlag, type TopicSchema } from './topic.ts'

export interface MeshNodeOptions extends Omit<NodeOptions, 'limits'> {
  readonly limits?: NodeOptions['limits'] & Partial<MeshLimits>
  /** How many messages wait for `receive()`, and their bytes; the oldest is dropped beyond. */
  readonly queue?: { readonly maxMessages?: number; readonly maxBytes?: number }
}

export interface MeshEvents extends NodeEvents {
  readonly message: ReceivedMessage
  /** A value on a topic that does not fit its schema. */
  readonly 'message:rejected': {
    readonly topic: string
    readonly sender: string
    readonly issues: readonly string[]
  }
}

export interface MeshReport extends NodeReport {
  /** As in network ids: that of a dictionary ends in 1, or in 0 without leases. */
  readonly subnet: string
  /** Counters and table sizes of the mesh. */
  readonly mesh: Readonly<Record<string, number>>
  readonly queuedMessages: number
  readonly droppedMessages: number
}

/** Takes a message of a kind of its own; true when nobody else needs to see it. */
export type MessageHandler = (message: ReceivedMessage) => boolean | void

type Command = Exclude<MeshInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>

/** The mesh itself, with nothing on top. */
const plainMesh: MeshLayer<never, never> = {
  subnet: 'mesh',
  createMachine: (options) => new MeshMachine(options),
  isOwnEffect: (_effect): _effect is never => false,
  onEffect: () => undefined,
}
const requestIdBytes = 12

/**
 * @example
 * const mesh = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
 * mesh.on('message', (message) => message.reply('got', message.packets))
 * mesh.broadcast('this is', 'a test')
 * await mesh.close()
 */
export class MeshNode<LayerCommand extends Typed = never, LayerEffect extends Typed = never> {
  readonly #shell: NodeShell<Command | LayerCommand, MeshEmitted | LayerEffect, MeshEvents>
  readonly #machine: MeshLikeMachine<LayerCommand, LayerEffect>
  readonly #stamps = new OutgoingStamps()
  readonly #queue: MessageQueue
  readonly #handlers = new Set<MessageHandler>()
  readonly #topics = new Map<string, Set<Topic<unknown>>>()
  readonly #requests = new RemoteRequests()
  readonly #limits: NodeLimits
  /** One for all messages: each of them can answer. */
  readonly #reply = (to: string, packets: readonly Value[]): Promise<void> =>
    this.deliver(to, packets)
  #responder: Responder | undefined

  /**
   * Opens a node: it listens, and joins the bootstrap addresses given as `connect`.
   *
   * @throws TypeError or RangeError for options that are wrong; rejects with a P2pError such as
   *   `P2P_ADDRESS_IN_USE` when it cannot listen. Bootstrap addresses that do not answer are no
   *   reason to reject: they are dialled again, and told as `error` events.
   */
  static async open(options: MeshNodeOptions = {}): Promise<MeshNode> {
    const { node } = await MeshNode.openLayer(options, plainMesh)
    return node
  }

  /** For packages that build a network on the mesh: a node around another machine. */
  static async openLayer<LayerCommand extends Typed, LayerEffect extends Typed>(
    options: MeshNodeOptions,
    layer: MeshLayer<LayerCommand, LayerEffect>,
  ): Promise<{
    readonly node: MeshNode<LayerCommand, LayerEffect>
    readonly control: LayerControl<LayerCommand>
  }> {
    const node = new MeshNode(options, layer)
    const { enter } = layer
    await node.#shell.start(enter && (() => enter(node.#shell)))
    return { node, control: node.#shell }
  }

  private constructor(options: MeshNodeOptions, layer: MeshLayer<LayerCommand, LayerEffect>) {
    const ownLimits = Object.keys(defaultMeshLimits)
    const { queue, ...nodeOptions } = options
    const ownNames = ['queue', ...(layer.ownNames ?? [])]
    const resolved = resolveNodeOptions(nodeOptions, { subnet: layer.subnet, ownNames, ownLimits })
    const meshLimits = Object.fromEntries(
      Object.entries(options.limits ?? {}).filter(([name]) => isMeshLimit(name)),
    )
    const { subnet, idEncoding, extensions, compression, connect, limits } = resolved
    this.#queue = new MessageQueue(resolveQueueLimits(queue))
    this.#limits = limits
    let machine: MeshLikeMachine<LayerCommand, LayerEffect> | undefined
    this.#shell = new NodeShell({
      options: resolved,
      id: layer.id,
      createMachine: (boot) => {
        machine = layer.createMachine({
          ...boot,
          subnet,
          idEncoding,
          extensions,
          meshLimits,
          bootstrap: connect,
          ...(compression !== undefined && { methods: compression }),
        })
        return machine
      },
      onEffect: (effect) => {
        if (layer.isOwnEffect(effect)) layer.onEffect(effect)
        else this.#onEffect(effect)
      },
      onClose: (reason) => {
        this.#requests.closeAll(reason)
        this.#queue.wakeReader()
      },
    })
    if (machine === undefined) throw new Error('no machine was made')
    this.#machine = machine
  }

  /** Own node id, base58 text. */
  get id(): string {
    return this.#shell.id
  }

  /** Where others can dial this node. */
  get addresses(): readonly string[] {
    return this.#shell.addresses
  }

  /** The neighbours. */
  get peers(): ReadonlyMap<string, PeerInfo> {
    return this.#shell.peers
  }

  /**
   * The peer at this address, connected now or already.
   *
   * Rejects with a P2pError whose code tells the step that failed: `P2P_CONNECTION_REFUSED`,
   * `P2P_DIAL_TIMEOUT`, `P2P_HANDSHAKE_TIMEOUT`, `P2P_WRONG_NETWORK`, `P2P_NOT_P2P`, …
   */
  connect(address: string, wait?: WaitOptions): Promise<PeerInfo> {
    return this.#shell.connect(address, wait)
  }

  /** Ends the link to a neighbour. False when there is none. */
  disconnect(id: string): boolean {
    return this.#shell.disconnect(id)
  }

  /**
   * Sends a message to every node of the network, each of which gets it once. Returns the message id.
   *
   * @throws EncodeError for values that the wire cannot carry, and for more than `maxFrameBytes` of them
   */
  broadcast(...packets: readonly Value[]): string {
    return this.#spread([flags.broadcast, ...packets])
  }

  /**
   * Sends a message to one neighbour and returns its id.
   *
   * @throws EncodeError for values that the wire cannot carry, P2pError `P2P_NOT_CONNECTED` when
   *   the peer is no neighbour
   */
  whisper(peerId: string, ...packets: readonly Value[]): string {
    return this.#pass(peerId, [flags.whisper, ...packets])
  }

  /**
   * Sends a message to any node of the network: at once to a neighbour, otherwise the node is searched
   * for and dialled. Resolves once the message was handed to the link.
   *
   * Rejects with `P2P_PEER_NOT_FOUND` after 10 s; with other limits use `deliver`.
   */
  send(peerId: string, ...packets: readonly Value[]): Promise<void> {
    return this.deliver(peerId, packets)
  }

  /** `send` with a signal and a time-out. */
  async deliver(peerId: string, packets: readonly Value[], wait?: WaitOptions): Promise<void> {
    await this.#deliver(peerId, [flags.whisper, ...listOf(packets)], wait)
  }

  /** Asks all neighbours for the peers they know. */
  requestPeers(): void {
    this.#command({ type: 'request-peers' })
  }

  /** Calls the handler at each such event; returns the function that ends it. */
  on<Name extends keyof MeshEvents & string>(
    event: Name,
    handler: (value: MeshEvents[Name]) => unknown,
    options?: ListenOptions,
  ): () => void {
    return this.#shell.events.on(event, handler, options)
  }

  /**
   * Lets the handler look at every message before anybody else does, those with sub-flags of the
   * application's own among them. One that returns true keeps the message. What it throws is told as
   * an `error` event, and the message goes on. Returns the function that ends it.
   */
  handle(handler: MessageHandler): () => void {
    if (typeof handler !== 'function') throw new TypeError('the handler must be a function')
    this.#handlers.add(handler)
    return () => {
      this.#handlers.delete(handler)
    }
  }

  /** The oldest message that was not read yet; with a count, up to so many. */
  receive(): ReceivedMessage | undefined
  receive(count: number): ReceivedMessage[]
  receive(count?: number): ReceivedMessage | ReceivedMessage[] | undefined {
    if (count === undefined) return this.#take()
    const messages: ReceivedMessage[] = []
    while (messages.length < count) {
      const message = this.#take()
      if (message === undefined) break
      messages.push(message)
    }
    return messages
  }

  /**
   * The messages as they come, those that wait first. Ends when the node is closed or the signal
   * aborted. One reader at a time: two share the messages between them.
   */
  async *messages(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ReceivedMessage> {
    const { signal } = options
    while (signal?.aborted !== true && !this.#shell.isClosed) {
      const message = this.#take()
      if (message === undefined) await this.#queue.next(signal)
      else yield message
    }
  }

  /**
   * A typed channel to all nodes that have the same topic open.
   *
   * @param schema any Standard Schema, such as one of zod: values that do not fit it never reach a handler
   */
  topic<Output, Input = Output>(
    name: string,
    schema: TopicSchema<Output, Input>,
  ): Topic<Output, Input> {
    if (typeof name !== 'string' || name.length === 0 || name.length > maxTopicNameLength) {
      throw new RangeError(`a topic name has 1 to ${maxTopicNameLength} characters`)
    }
    const topics = this.#topics.get(name) ?? new Set()
    const topic = new Topic<Output, Input>({
      name,
      schema,
      onSubscribed: (isSubscribed) => {
        if (isSubscribed) this.#topics.set(name, topics.add(topic as Topic<unknown>))
        else topics.delete(topic as Topic<unknown>)
      },
      publish: (payload) => {
        this.#spread(payload)
      },
      onHandlerError: (cause) => {
        this.#reportHandler(`topic ${name}`, cause)
      },
    })
    return topic
  }

  /**
   * Asks one node and resolves with the packets of its answer.
   *
   * Rejects with `P2P_PEER_NOT_FOUND`, `P2P_REQUEST_TIMEOUT`, or `P2P_REQUEST_REFUSED` when the other
   * side's responder failed. Default time-out 10 s, the search included.
   */
  async request(
    peerId: string,
    packets: readonly Value[],
    wait: WaitOptions = {},
  ): Promise<readonly Value[]> {
    const { signal, timeoutMs = 10_000 } = wait
    const delayMs = timerDelay(timeoutMs)
    const requestId = encodeBase58Integer(crypto.getRandomValues(new Uint8Array(requestIdBytes)))
    const answer = this.#requests.open(requestId, peerId)
    // Whoever closes the request below has told the caller already.
    answer.catch(() => undefined)
    const timer = setTimeout(() => {
      const error = new P2pError('P2P_REQUEST_TIMEOUT', `no answer within ${timeoutMs} ms`)
      this.#requests.close(requestId, error)
    }, delayMs)
    const onAbort = (): void => {
      this.#requests.close(requestId, cancelled(signal))
    }
    signal?.addEventListener('abort', onAbort)
    try {
      throwIfCancelled(signal)
      await this.#deliver(peerId, [questionSubFlag, requestId, ...listOf(packets)], wait)
      return await answer
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#requests.close(requestId, new P2pError('P2P_CANCELLED', 'the request is over'))
    }
  }

  /**
   * Answers what other nodes ask with `request`; one responder at a time. Returns the function that ends it.
   * An answer goes over the link that the asking node made; when that is gone, it is not sent.
   */
  respond(responder: Responder): () => void {
    if (typeof responder !== 'function') throw new TypeError('the responder must be a function')
    this.#responder = responder
    return () => {
      if (this.#responder === responder) this.#responder = undefined
    }
  }

  /** The state of the node as plain JSON data, for bug reports and monitoring. */
  report(): MeshReport {
    return {
      ...this.#shell.report(),
      subnet: this.#machine.subnet,
      mesh: this.#machine.counters(),
      queuedMessages: this.#queue.size,
      droppedMessages: this.#queue.dropped,
    }
  }

  /** Counters and gauges as one flat table of numbers. */
  metrics(): Readonly<Record<string, number>> {
    const { peers, links, handles, waitingRequests } = this.#shell.report()
    return {
      ...this.#machine.counters(),
      peers: peers.length,
      links: links.length,
      handles,
      waitingRequests,
      openRequests: this.#requests.count,
      queuedBytes: links.reduce((sum, link) => sum + link.queuedBytes, 0),
      queuedMessages: this.#queue.size,
      droppedMessages: this.#queue.dropped,
    }
  }

  /** Ends everything and leaves nothing open; what waits is rejected with `P2P_CLOSED`. May be called again. */
  close(): Promise<void> {
    return this.#shell.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #onEffect(effect: MeshEmitted): void {
    switch (effect.type) {
      case 'peer-join':
        this.#shell.peerJoined(effect.peer)
        break
      case 'peer-updated':
        this.#shell.peerUpdated(effect.peer)
        break
      case 'peer-leave':
        this.#shell.peerLeft(effect.peer, effect.reason)
        break
      case 'message':
      case 'unclaimed':
        this.#onMessage(effect)
        break
      case 'connected':
        this.#shell.settle(effect.request, effect.peer)
        break
      case 'sent':
        this.#shell.settle(effect.request, undefined)
        break
      case 'connect-failed':
      case 'send-failed':
        this.#shell.fail(effect.request, effect.error)
        break
    }
  }

  #onMessage(effect: Extract<MeshEmitted, { type: 'message' | 'unclaimed' }>): void {
    const { message: wire, from } = effect
    const message = new ReceivedMessage(wire, from.id, this.#reply)
    const { isPrivate } = message
    if (this.#handlers.size > 0 && this.#isKept(message)) return
    if (effect.type === 'message') {
      this.#queue.push({ frame: frameToKeep(wire), via: from.id })
      this.#shell.events.emit('message', message)
      return
    }
    const subFlag = wholeNumber(wire.payload[0])
    if (subFlag === topicSubFlag && !isPrivate) this.#onTopic(message)
    else if (subFlag === questionSubFlag && isPrivate) void this.#onQuestion(wire, from.id)
    else if (subFlag === answerSubFlag && isPrivate)
      this.#requests.takeAnswer(wire.payload, from.id)
  }

  #take(): ReceivedMessage | undefined {
    const queued = this.#queue.take()
    if (queued === undefined) return undefined
    return new ReceivedMessage(messageIn(queued.frame), queued.via, this.#reply)
  }

  #isKept(message: ReceivedMessage): boolean {
    for (const handler of [...this.#handlers]) {
      try {
        if (handler(message) === true) return true
      } catch (cause) {
        this.#reportHandler('handle', cause)
      }
    }
    return false
  }

  #onTopic(message: ReceivedMessage): void {
    const [name, value] = message.packets
    const topics = typeof name === 'string' ? this.#topics.get(name) : undefined
    if (topics === undefined || typeof name !== 'string') return
    const { sender, timeSeconds } = message
    for (const topic of topics) {
      topic.deliver(value, { sender, timeSeconds }).then(
        (issues) => {
          if (issues.length === 0) return
          const texts = issues.map((issue) => issue.message)
          this.#shell.events.emit('message:rejected', { topic: name, sender, issues: texts })
        },
        (cause: unknown) => {
          this.#reportHandler(`schema of topic ${name}`, cause)
        },
      )
    }
  }

  async #onQuestion(wire: WireMessage, from: string): Promise<void> {
    const payload = await answerTo(wire.payload, from, this.#responder)
    if (payload === undefined || this.#shell.isClosed) return
    // Over the link alone: who asks and hangs up does not have the whole network searched for it. And who
    // is there would wait for its whole time if it was not told.
    for (const answer of [payload, refusalFor(payload)]) {
      try {
        this.#pass(from, answer)
        return
      } catch (cause) {
        const text = 'an answer was not sent'
        this.#shell.reportError(new P2pError('P2P_ANSWER_FAILED', text, { cause }))
      }
      if (!this.peers.has(from)) return
    }
  }

  #spread(payload: readonly Value[]): string {
    this.#assertOpen()
    const message = this.#stamps.create({ sender: this.#wireId, payload }, nowSeconds())
    this.#assertFits(message)
    this.#command({ type: 'spread', message, standsAlone: true })
    return toHex(message.id)
  }

  #pass(peer: string, payload: readonly Value[]): string {
    if (!this.peers.has(peer)) {
      throw new P2pError('P2P_NOT_CONNECTED', `peer ${peer} is no neighbour`)
    }
    const message = this.#compose(payload)
    this.#command({ type: 'pass', peer, message, priority: 'own' })
    return toHex(message.id)
  }

  async #deliver(peer: string, payload: readonly Value[], wait?: WaitOptions): Promise<void> {
    const message = this.#compose(payload)
    await this.#shell.request(
      (request, timeoutMs) => ({ type: 'deliver', request, peer, message, timeoutMs }),
      wait,
    )
  }

  #compose(payload: readonly Value[]): WireMessage {
    this.#assertOpen()
    const time = Math.floor(nowSeconds())
    const message = createMessage({ type: flags.whisper, sender: this.#wireId, time, payload })
    this.#assertFits(message)
    return message
  }

  /** What we would not take ourselves would cost us the links to our own kind. */
  #assertFits(message: WireMessage): void {
    const got = message.body.length + checksumBytes
    const limit = this.#limits.maxFrameBytes
    if (got <= limit) return
    const text = `frame of ${got} bytes exceeds maxFrameBytes ${limit}`
    throw new EncodeError('P2P_ENCODE_TOO_LARGE', text, { got, limit })
  }

  get #wireId(): string | Uint8Array {
    return this.#machine.wireId
  }

  #command(command: Command): void {
    this.#shell.command(command)
  }

  #assertOpen(): void {
    if (this.#shell.isClosed) throw new P2pError('P2P_CLOSED', 'the node was closed')
  }

  #reportHandler(what: string, cause: unknown): void {
    this.#shell.reportError(handlerFailed(what, cause))
  }
}

function nowSeconds(): number {
  return Date.now() / 1_000
}
