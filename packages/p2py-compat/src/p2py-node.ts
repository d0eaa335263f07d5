/**
 * A node in a p2py network: options in, promises and events out. The protocol is in
 * `protocol/machine.ts`; sockets, clocks and randomness are driven by the runtime of @p2p/base.
 */
import {
  cancelled,
  throwIfCancelled,
  Emitter,
  isP2pError,
  P2pError,
  resolveLimits,
  Runtime,
  timerDelay,
  withMethods,
} from '@p2p/base'
import type { ListenOptions, Logger } from '@p2p/base'
import { P2pyTransport } from './p2py-transport.ts'
import {
  defaultPort,
  readAddress,
  readTarget,
  type AddressLike,
  type TargetLike,
} from './addresses.ts'
import { defaultPickleLimits, type PickleLimits } from './pickle/limits.ts'
import { decodePickle } from './pickle/reader.ts'
import { encodePickle } from './pickle/writer.ts'
import type { P2pyCommand, P2pyEvent, Sender, Target } from './protocol/events.ts'
import { resolveP2pyLimits, type P2pyLimits } from './protocol/limits.ts'
import { P2pyMachine, type P2pyState } from './protocol/machine.ts'
import { protocolTypes } from './protocol/membership-messages.ts'
import {
  encodeMessage,
  encodeRequest,
  type OutgoingMessage,
  type Response,
} from './protocol/messages.ts'
import { addressToUrl, type NodeAddress } from './protocol/node-address.ts'
import { Received, type Connection, type WaitOptions } from './received.ts'
import { PyRequest, type PyValue } from './pickle/values.ts'

export interface P2pyNodeOptions {
  /** Port to listen on; 0 for any. Default 10000, as in p2py. */
  readonly port?: number
  /**
   * Host to listen on *and* to be known by: it is told to every node, so others must be able to dial
   * it. Default 127.0.0.1, which only nodes on this machine can.
   */
  readonly host?: string
  /** What to listen on when it differs from `host`, such as 0.0.0.0. */
  readonly listenHost?: string
  /** A rendezvous server for connections through NATs. */
  readonly rendezvous?: AddressLike
  readonly limits?: Partial<P2pyLimits>
  /** Closes the node when it is aborted. */
  readonly signal?: AbortSignal
  readonly logger?: Logger
}

export interface P2pyNodeEvents {
  joined: { readonly uuid: number; readonly networkSize: number }
  left: undefined
  /** Every message of an application, also the built-in TEXT. Requests go to their handler only. */
  message: Received
  'peer:join': { readonly uuid: number; readonly address: readonly [string, number] | undefined }
  'peer:leave': { readonly uuid: number }
  /** A peer's mistake, P2P_ISOLATED, or what a handler of yours threw. */
  error: unknown
}

/**
 * Called for each message or request of one type. What it returns (or resolves to) answers a request;
 * without a return value call `respond` or `bounce`.
 */
export type Handler = (
  received: Received,
) => OutgoingMessage | undefined | void | Promise<OutgoingMessage | undefined | void>

interface Waiting {
  resolve(response: Response | undefined): void
  reject(error: unknown): void
}

const optionNames: readonly string[] = [
  'port',
  'host',
  'listenHost',
  'rendezvous',
  'limits',
  'signal',
  'logger',
] satisfies (keyof P2pyNodeOptions)[]

/** Rough number of things that went wrong, by code; part of `report()`. */
const maxCountedCodes = 64

/**
 * @example
 * await using node = await P2pyNode.open({ port: 4445 })
 * await node.join([['127.0.0.1', 4444]])
 * await node.sendToUuid(0, { type: 'TEXT', data: 'Hi!' })
 */
export class P2pyNode {
  readonly #machine: P2pyMachine
  readonly #runtime: Runtime<P2pyCommand, P2pyEvent>
  readonly #transport: P2pyTransport
  readonly #address: NodeAddress
  readonly #emitter: Emitter<P2pyNodeEvents>
  readonly #handlers = new Map<string, Handler>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #rejections = new Map<string, number>()
  readonly #requestTimeoutMs: number
  /** What others can read: they have the defaults, or what this node has when it allows more. */
  readonly #pickleLimits: PickleLimits
  readonly #signal: AbortSignal | undefined
  #nextCommand = 1
  #closed: Promise<void> | undefined
  #isClosed = false

  /** Use `P2pyNode.open`. */
  private constructor(options: P2pyNodeOptions, transport: P2pyTransport, address: NodeAddress) {
    this.#emitter = new Emitter((error, event) => {
      if (event !== 'error') this.#emitter.emit('error', error)
    })
    this.#transport = transport
    this.#address = address
    const { requestTimeoutMs, maxValues } = resolveP2pyLimits(options.limits)
    this.#requestTimeoutMs = requestTimeoutMs
    this.#pickleLimits = {
      ...defaultPickleLimits,
      maxPickleBytes: Infinity, // judged by who is to read it
      maxValues: Math.max(maxValues, defaultPickleLimits.maxValues),
    }
    this.#signal = options.signal
    this.#machine = new P2pyMachine({
      address,
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
      limits: options.limits ?? {},
    })
    this.#runtime = new Runtime<P2pyCommand, P2pyEvent>({
      machine: this.#machine,
      transports: [transport],
      limits: resolveLimits(),
      logger: options.logger,
      onEffect: (event) => {
        this.#onEvent(event)
      },
      onFailure: (error) => {
        this.#emitter.emit('error', error)
      },
    })
  }

  /**
   * Listens and is ready to join a network, or to be joined: a node that others join through, and that
   * is in no network yet, becomes the first of one, with UUID 0.
   *
   * Rejects with P2pError (P2P_ADDRESS_IN_USE …) when it cannot listen, with P2P_RENDEZVOUS_UNREACHABLE,
   * and with P2P_CANCELLED when the signal is aborted meanwhile.
   */
  static async open(options: P2pyNodeOptions = {}): Promise<P2pyNode> {
    checkNames(options)
    withMethods('signal', options.signal, ['addEventListener'])
    withMethods('logger', options.logger, ['debug', 'warn'])
    const { host = '127.0.0.1', port = defaultPort, listenHost = host, signal } = options
    throwIfCancelled(signal)
    // All that can be wrong with the options, before there is something to close.
    resolveP2pyLimits(options.limits)
    readAddress([host, port === 0 ? defaultPort : port])
    const server = options.rendezvous === undefined ? undefined : readAddress(options.rendezvous)
    const transport = new P2pyTransport()
    const boundPort = await transport.bind({ host: listenHost, port })
    const own = readAddress([host, boundPort])
    const node = new P2pyNode(options, transport, own)
    try {
      await node.#runtime.listen(addressToUrl({ host: listenHost, port: boundPort }))
      if (server !== undefined) await transport.useRendezvous({ server, own, signal })
      throwIfCancelled(signal)
    } catch (error) {
      await node.close()
      throwIfCancelled(signal)
      throw error
    }
    signal?.addEventListener('abort', node.#onAbort)
    return node
  }

  /** Where other nodes reach this one. */
  get address(): readonly [host: string, port: number] {
    return [this.#address.host, this.#address.port]
  }

  /** Null while in no network. */
  get uuid(): number | null {
    return this.#machine.state.uuid
  }

  get joined(): boolean {
    return this.uuid !== null
  }

  /** Members of the network as far as this node knows, itself included. */
  get networkSize(): number {
    return this.#machine.state.networkSize
  }

  /** UUIDs of the neighbours that this node keeps connections to. */
  get peerBook(): readonly number[] {
    return this.#machine.state.peerBook.map(({ uuid }) => uuid)
  }

  /**
   * Leaves whatever network this node is in and joins that of the first address that answers. Resolves
   * with the UUID; rejects with P2P_JOIN_FAILED when no address lets it in.
   */
  async join(addresses: readonly AddressLike[], options: WaitOptions = {}): Promise<number> {
    const wanted = addresses.map(readAddress)
    if (wanted.length === 0) throw new RangeError('no address to join through')
    await this.#order((command) => ({ type: 'join', command, addresses: wanted }), options)
    const { uuid } = this
    if (uuid === null) throw new P2pError('P2P_LEFT', 'this node left the network again')
    return uuid
  }

  /** The name in p2py's examples. */
  joinNetwork(addresses: readonly AddressLike[], options?: WaitOptions): Promise<number> {
    return this.join(addresses, options)
  }

  /** The name in p2py's reference. */
  connectToNetwork(addresses: readonly AddressLike[], options?: WaitOptions): Promise<number> {
    return this.join(addresses, options)
  }

  /** Says good-bye to everybody and closes all connections; the node goes on listening. */
  async leave(): Promise<void> {
    await this.#order((command) => ({ type: 'leave', command }), {})
  }

  /** The name in p2py, where it means leaving the network. */
  closeAllConnections(): Promise<void> {
    return this.leave()
  }

  /**
   * Handles all messages and requests of one type; the last handler of a type counts.
   *
   * @throws RangeError for a type that the protocol itself uses.
   */
  handle(type: string, handler: Handler): void {
    if (protocolTypes.has(type)) throw new RangeError(`"${type}" is handled by the protocol itself`)
    this.#handlers.set(type, handler)
  }

  /** The name and the three arguments of p2py's reference. */
  addHandler(
    type: string,
    handler: (node: P2pyNode, connection: Connection, request: Received) => ReturnType<Handler>,
  ): void {
    this.handle(type, (received) => handler(this, received.from, received))
  }

  /** Sends to the member with this UUID; searches for it when it is no neighbour. */
  async sendToUuid(
    uuid: number,
    message: OutgoingMessage,
    options: WaitOptions = {},
  ): Promise<void> {
    await this.#send(readTarget({ uuid }), message, options)
  }

  async sendToAddress(
    address: AddressLike,
    message: OutgoingMessage,
    options: WaitOptions = {},
  ): Promise<void> {
    await this.#send({ address: readAddress(address) }, message, options)
  }

  async sendToConnection(
    connection: Connection,
    message: OutgoingMessage,
    options: WaitOptions = {},
  ): Promise<void> {
    await this.#send({ link: connection.id }, message, options)
  }

  /** Sends to every neighbour except the excluded UUIDs. */
  async sendToPeerBook(
    message: OutgoingMessage,
    options: { readonly exclude?: readonly number[] } = {},
  ): Promise<void> {
    const fields = this.#checkedFields(message)
    const { exclude = [] } = options
    await this.#order((command) => ({ type: 'send-to-book', command, fields, exclude }), {})
  }

  /**
   * Asks one node and resolves with its answer. Rejects with P2P_REQUEST_TIMEOUT when none comes
   * within `timeoutMs` (by default `limits.requestTimeoutMs`, 10 s), or with the reason why the node cannot be reached.
   */
  async request(
    target: TargetLike,
    message: OutgoingMessage,
    options: WaitOptions = {},
  ): Promise<Response> {
    const fields = this.#checkedFields(message)
    const wanted = readTarget(target)
    const { signal } = options
    const timeoutMs = timerDelay(options.timeoutMs ?? this.#requestTimeoutMs)
    const response = await this.#order(
      (command) => ({ type: 'request', command, target: wanted, fields, timeoutMs }),
      signal === undefined ? {} : { signal },
    )
    if (response === undefined) throw new P2pError('P2P_NO_ANSWER', 'the request had no answer')
    return response
  }

  on<Name extends keyof P2pyNodeEvents & string>(
    event: Name,
    handler: (value: P2pyNodeEvents[Name]) => unknown,
    options: ListenOptions = {},
  ): () => void {
    return this.#emitter.on(event, handler, options)
  }

  /** What this node holds, as plain JSON. */
  report(): P2pyState & {
    readonly address: string
    readonly rejected: Readonly<Record<string, number>>
    readonly rendezvous: string
    /** Links made with the help of the rendezvous server. */
    readonly rendezvousLinks: { readonly punched: number; readonly relayed: number }
    readonly queues: readonly { readonly remote: string; readonly queuedBytes: number }[]
  } {
    return {
      ...this.#machine.state,
      address: addressToUrl(this.#address),
      rejected: Object.fromEntries(this.#rejections),
      rendezvous: this.#transport.rendezvousState,
      rendezvousLinks: this.#transport.rendezvousLinks,
      queues: this.#runtime.linkReports.map(({ remote, queuedBytes }) => ({ remote, queuedBytes })),
    }
  }

  /** Leaves, stops listening, and resolves when nothing is left open. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  readonly #onAbort = (): void => void this.close()

  async #close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    await this.leave()
    this.#isClosed = true
    await this.#transport.close()
    await this.#runtime.close()
    for (const waiting of [...this.#waiting.values()]) waiting.reject(closedError())
    this.#emitter.clear()
  }

  async #send(target: Target, message: OutgoingMessage, options: WaitOptions): Promise<void> {
    const fields = this.#checkedFields(message)
    await this.#order((command) => ({ type: 'send-message', command, target, fields }), options)
  }

  /** Gives a command and waits for its answer. */
  #order(
    make: (command: number) => P2pyCommand,
    options: WaitOptions,
  ): Promise<Response | undefined> {
    const { signal, timeoutMs } = options
    const delayMs = timeoutMs === undefined ? undefined : timerDelay(timeoutMs)
    if (signal?.aborted === true) return Promise.reject(cancelled(signal))
    if (this.#isClosed) return Promise.reject(closedError())
    const command = this.#nextCommand++
    return new Promise<Response | undefined>((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#waiting.delete(command)
      }
      const giveUp = (error: P2pError): void => {
        finish()
        this.#runtime.command({ type: 'cancel', command })
        reject(error)
      }
      const onAbort = (): void => {
        giveUp(cancelled(signal))
      }
      const onTimeout = (): void => {
        giveUp(new P2pError('P2P_TIMEOUT', `not done within ${timeoutMs} ms`))
      }
      const timer = delayMs === undefined ? undefined : setTimeout(onTimeout, delayMs)
      signal?.addEventListener('abort', onAbort)
      this.#waiting.set(command, {
        resolve: (response) => {
          finish()
          resolve(response)
        },
        reject: (error) => {
          finish()
          reject(error)
        },
      })
      this.#runtime.command(make(command))
    })
  }

  #onEvent(event: P2pyEvent): void {
    switch (event.type) {
      case 'done':
        this.#waiting.get(event.command)?.resolve(event.response)
        break
      case 'failed':
        this.#waiting.get(event.command)?.reject(event.error)
        break
      case 'joined':
        this.#emitter.emit('joined', { uuid: event.uuid, networkSize: event.networkSize })
        break
      case 'left':
        this.#emitter.emit('left', undefined)
        break
      case 'peer-joined':
        this.#emitter.emit('peer:join', { uuid: event.uuid, address: pairOf(event.address) })
        break
      case 'peer-left':
        this.#emitter.emit('peer:leave', { uuid: event.uuid })
        break
      case 'message':
        this.#onMessage(new Received(event.message, connectionOf(event.from), undefined))
        break
      case 'request-received':
        this.#onRequest(event)
        break
      case 'isolated':
      case 'rejected':
        this.#count(event.error.code)
        this.#emitter.emit('error', event.error)
        break
    }
  }

  #onMessage(received: Received): void {
    this.#emitter.emit('message', received)
    const handler = this.#handlers.get(received.type)
    if (handler !== undefined) void this.#run(handler, received)
  }

  #onRequest(event: Extract<P2pyEvent, { type: 'request-received' }>): void {
    const { request } = event
    const handler = this.#handlers.get(event.message.type)
    if (handler === undefined) {
      this.#count('P2P_NO_HANDLER')
      this.#runtime.command({ type: 'drop-request', request })
      return
    }
    const received = new Received(event.message, connectionOf(event.from), {
      requestId: event.requestId,
      callbackAddress: [event.callbackAddress.host, event.callbackAddress.port],
      respond: async (response, options = {}) => {
        const fields = this.#checkedFields(response)
        await this.#order((command) => ({ type: 'respond', command, request, fields }), options)
      },
      bounce: async (wanted, options = {}) => {
        const target = readTarget(wanted)
        await this.#order((command) => ({ type: 'bounce', command, request, target }), options)
      },
    })
    void this.#run(handler, received)
  }

  /** What a handler throws is an event, never the end of the process. */
  async #run(handler: Handler, received: Received): Promise<void> {
    try {
      const response = await handler(received)
      if (response !== undefined && received.isRequest) await received.respond(response)
    } catch (error) {
      this.#count(isP2pError(error) ? error.code : 'P2P_HANDLER_FAILED')
      this.#emitter.emit('error', error)
    }
  }

  /**
   * A copy, since the message may have to wait for a connection. Written here first, so that a value that
   * is no Python value is the caller's TypeError; and read, so that what a node like this one would close
   * the connection for is the caller's P2P_PICKLE_LIMIT.
   */
  #checkedFields(message: OutgoingMessage): ReadonlyMap<PyValue, PyValue> {
    if (typeof message.type !== 'string') throw new TypeError('a message needs a type that is text')
    const callbackAddress = { host: 'localhost', port: 1 }
    const contents = encodeMessage(message)
    const request = encodeRequest({ callbackAddress, requestId: 'AAAAAA', contents })
    const copy = decodePickle(encodePickle(request), this.#pickleLimits)
    const fields = copy instanceof PyRequest ? copy.state.get('contents') : undefined
    return fields instanceof Map ? fields : contents
  }

  #count(code: string): void {
    const known = this.#rejections.get(code)
    if (known === undefined && this.#rejections.size >= maxCountedCodes) return
    this.#rejections.set(code, (known ?? 0) + 1)
  }
}

/** An option that a p2py node does not have would do nothing, and nobody would know. */
function checkNames(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError('options must be an object')
  for (const name of Object.keys(options))
    if (!optionNames.includes(name))
      throw new TypeError(`unknown option "${name}"; known: ${optionNames.join(', ')}`)
}

function connectionOf(sender: Sender): Connection {
  const { host, port } = sender.address
  return { id: sender.link, address: [host, port], uuid: sender.uuid }
}

function pairOf(address: NodeAddress | undefined): readonly [string, number] | undefined {
  return address === undefined ? undefined : [address.host, address.port]
}

function closedError(): P2pError {
  return new P2pError('P2P_CLOSED', 'the node was closed')
}
