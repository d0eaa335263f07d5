/**
 * A node's side of the rendezvous: a connection to the server from a port of its own, kept open; what
 * the NAT in front of us does; and links to nodes that cannot be dialled, punched or relayed.
 *
 * The port is chosen by us and never listened on: connecting from a port after listening on it fails.
 * A second, short connection from the same port to the server's probe port shows whether the NAT
 * keeps one outside port for all destinations.
 */
import { connect, type Socket } from 'node:net'
import { P2pError, type Link, type LinkEvents } from '@p2p/base'
import { SocketLink } from '@p2p/base/tcp'
import type { PyValue } from '../pickle/values.ts'
import {
  encodeInfo,
  encodeMessage,
  encodeRequest,
  readUnit,
  type OutgoingMessage,
  type Response,
} from '../protocol/messages.ts'
import { addressToUrl, type NodeAddress } from '../protocol/node-address.ts'
import { PunchMachine } from '../protocol/punch-machine.ts'
import {
  initRequest,
  probePortKey,
  readIntroduction,
  readRelay,
  readYourAddress,
  register,
  relay,
  relayEnd,
  rendezvousTypes,
  type Introduction,
} from '../protocol/rendezvous-messages.ts'
import { createRequestId } from '../protocol/request-id.ts'
import { FrameSocket } from './frame-socket.ts'
import { punch } from './punch-sockets.ts'
import { RelayLink } from './relay-link.ts'
import { RelayPace } from './relay-pace.ts'

export interface RendezvousClientOptions {
  readonly server: NodeAddress
  /** What this node calls itself; others ask for it by this. */
  readonly own: NodeAddress
  /** Gets the links that other nodes asked for. */
  readonly onLink: (link: Link) => void
  /** Ends the registration while `open` waits for it. */
  readonly signal?: AbortSignal | undefined
}

const connectTimeoutMs = 10_000
const answerTimeoutMs = 5_000
const probeTimeoutMs = 2_000
const firstReconnectMs = 1_000
const maxReconnectMs = 60_000
const portTries = 8
const firstPort = 20_000
const portCount = 40_000
/** Introductions under way at once; what an attacker at the server could make us do. Above: they are refused. */
const maxPunches = 16
/** The same for one host, so that it takes fewer than all of them from others. */
const maxPunchesPerHost = 8

export class RendezvousClient {
  readonly #options: RendezvousClientOptions
  readonly #abort = new AbortController()
  /** What waits for an answer of the server: by request id, and the registration by its type. */
  readonly #answers = new Map<string, (message: Response | undefined) => void>()
  readonly #relays = new Map<string, RelayLink>()
  readonly #relayPace = new RelayPace({
    send: (message) => this.#say(message),
    onSent: (token) => this.#relays.get(token)?.onDrain(),
  })
  #connection: FrameSocket | undefined
  #localPort = 0
  #state: 'registering' | 'registered' | 'lost' | 'closed' = 'registering'
  #reconnectMs = firstReconnectMs
  #reconnectTimer: ReturnType<typeof setTimeout> | undefined
  /** Hosts that we are punching through to, once for each attempt. */
  readonly #punches: string[] = []
  #punched = 0
  #relayed = 0

  private constructor(options: RendezvousClientOptions) {
    this.#options = options
  }

  /** Resolves when registered. Rejects with P2P_RENDEZVOUS_UNREACHABLE. */
  static async open(options: RendezvousClientOptions): Promise<RendezvousClient> {
    const client = new RendezvousClient(options)
    const onAbort = (): void => void client.close()
    options.signal?.addEventListener('abort', onAbort)
    try {
      await client.#register()
    } catch (cause) {
      await client.close()
      const server = addressToUrl(options.server)
      throw new P2pError('P2P_RENDEZVOUS_UNREACHABLE', `no rendezvous server at ${server}`, {
        cause,
      })
    } finally {
      options.signal?.removeEventListener('abort', onAbort)
    }
    return client
  }

  get state(): string {
    return this.#state
  }

  /** Links to nodes that could not be dialled: straight through the NATs, and by way of the server. */
  get linkCounts(): { readonly punched: number; readonly relayed: number } {
    return { punched: this.#punched, relayed: this.#relayed }
  }

  /**
   * A link to the node that calls itself so. Rejects with P2P_RENDEZVOUS_UNKNOWN when it is not
   * registered, P2P_RENDEZVOUS_LOST when the server does not answer.
   */
  async reach(target: NodeAddress, cause: unknown): Promise<Link> {
    const answer = await this.#ask(initRequest(target))
    if (answer === undefined) {
      throw new P2pError('P2P_RENDEZVOUS_LOST', 'the rendezvous server does not answer', { cause })
    }
    const introduction = readIntroduction(answer)
    if (introduction === undefined) {
      const name = addressToUrl(target)
      throw new P2pError('P2P_RENDEZVOUS_UNKNOWN', `no node ${name} at the rendezvous server`, {
        cause,
      })
    }
    return this.#meet(introduction)
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    clearTimeout(this.#reconnectTimer)
    for (const link of [...this.#relays.values()]) link.close()
    this.#relayPace.clear()
    this.#connection?.end()
    this.#connection = undefined
    this.#abort.abort() // every socket
    this.#failAnswers()
    await Promise.resolve()
  }

  async #register(): Promise<void> {
    const socket = await this.#connectFromOwnPort()
    const { seenAs, probePort } = await this.#introduce(socket)
    const isIndependent = await this.#probe(seenAs, probePort)
    this.#say(register(isIndependent))
    const confirmation = await this.#answerTo(rendezvousTypes.register)
    // It may be over already when this goes on.
    if (confirmation === undefined || this.#connection === undefined) {
      throw new Error('the server does not confirm')
    }
    this.#state = 'registered'
    this.#reconnectMs = firstReconnectMs
  }

  /** From a port that is free; a few are tried. */
  async #connectFromOwnPort(): Promise<Socket> {
    let lastError: unknown
    for (let tries = 0; tries < portTries; tries += 1) {
      const [high = 0, low = 0] = crypto.getRandomValues(new Uint8Array(2))
      this.#localPort = firstPort + ((high * 256 + low) % portCount)
      try {
        return await this.#connect(this.#options.server, connectTimeoutMs)
      } catch (error) {
        lastError = error
        // By its code alone: errors of the system are not always of this realm's class.
        const hasCode = typeof error === 'object' && error !== null && 'code' in error
        const code = hasCode ? error.code : undefined
        if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL') break
      }
    }
    throw lastError
  }

  #connect(address: NodeAddress, timeoutMs: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: address.host,
        port: address.port,
        localPort: this.#localPort,
        localAddress: '0.0.0.0',
      })
      this.#destroyOnAbort(socket)
      const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutMs)
      socket.once('connect', () => {
        clearTimeout(timer)
        resolve(socket)
      })
      socket.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
    })
  }

  /** Not by the option of `connect`: that one keeps every socket for as long as there is the signal. */
  #destroyOnAbort(socket: Socket): void {
    const { signal } = this.#abort
    const onAbort = (): void => void socket.destroy(new Error('the client was closed'))
    signal.addEventListener('abort', onAbort)
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort)
    })
    if (signal.aborted) onAbort()
  }

  /** Exchanges infos; resolves with what the server says about us and itself. */
  #introduce(socket: Socket): Promise<{ seenAs: NodeAddress; probePort: number }> {
    return new Promise((resolve, reject) => {
      let probePort = 0
      let isIntroduced = false
      const timer = setTimeout(() => socket.destroy(), answerTimeoutMs)
      const connection = new FrameSocket(socket, {
        onValue: (value) => {
          if (!isIntroduced) {
            isIntroduced = true
            probePort = portOf(value)
            return
          }
          const unit = readUnit(value)
          if (unit.kind !== 'message') return
          const seenAs =
            unit.message.type === rendezvousTypes.yourAddress
              ? readYourAddress(unit.message)
              : undefined
          if (seenAs === undefined) {
            this.#onMessage(unit.requestId, unit.message)
            return
          }
          clearTimeout(timer)
          resolve({ seenAs, probePort })
        },
        onDrain: () => {
          for (const [token, link] of this.#relays) {
            if (!this.#relayPace.isWaiting(token)) link.onDrain()
          }
        },
        onClose: () => {
          clearTimeout(timer)
          reject(new Error('the server closed the connection'))
          this.#onLost(connection)
        },
      })
      this.#connection = connection
      this.#sayInfo(connection)
    })
  }

  /** True when the NAT shows the same outside port on the second connection. */
  async #probe(seenAs: NodeAddress, probePort: number): Promise<boolean> {
    const { host } = this.#options.server
    if (probePort === 0) return true
    let socket: Socket
    try {
      socket = await this.#connect({ host, port: probePort }, probeTimeoutMs)
    } catch {
      return true // nobody there to tell; most NATs are of this kind
    }
    const second = await new Promise<NodeAddress | undefined>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), probeTimeoutMs)
      const connection = new FrameSocket(socket, {
        onValue: (value) => {
          const unit = readUnit(value)
          if (unit.kind !== 'message' || unit.message.type !== rendezvousTypes.yourAddress) return
          resolve(readYourAddress(unit.message))
          connection.end()
        },
        onClose: () => {
          clearTimeout(timer)
          resolve(undefined)
        },
      })
      this.#sayInfo(connection)
    })
    return second === undefined || second.port === seenAs.port
  }

  #sayInfo(connection: FrameSocket): void {
    connection.send(encodeInfo({ address: this.#options.own, uuid: null, isOurs: true }))
    connection.send(true)
  }

  #say(message: OutgoingMessage): boolean {
    return this.#connection?.send(encodeMessage(message)) ?? true
  }

  #onMessage(requestId: string | undefined, message: Response): void {
    const answer = requestId === undefined ? undefined : this.#answers.get(requestId)
    if (answer !== undefined) {
      answer(message)
      return
    }
    switch (message.type) {
      case rendezvousTypes.register:
        this.#answers.get(rendezvousTypes.register)?.(message)
        break
      case rendezvousTypes.init: {
        const introduction = readIntroduction(message)
        if (introduction === undefined) break
        if (this.#hasRoomFor(introduction)) void this.#accept(introduction)
        else this.#relayPace.send(introduction.token, relayEnd(introduction.token))
        break
      }
      case rendezvousTypes.relay: {
        const relayed = readRelay(message)
        if (relayed !== undefined) this.#relays.get(relayed.token)?.onBytes(relayed.bytes)
        break
      }
      case rendezvousTypes.relayEnd: {
        const token = readRelay(message)?.token ?? ''
        const link = this.#relays.get(token)
        this.#relays.delete(token)
        this.#relayPace.forget(token)
        link?.onEnded()
        break
      }
      default:
        break
    }
  }

  /** Sends a request to the server; undefined when no answer comes. */
  #ask(message: OutgoingMessage): Promise<Response | undefined> {
    const requestId = createRequestId((count) => crypto.getRandomValues(new Uint8Array(count)))
    const contents = encodeMessage(message)
    const callbackAddress = this.#options.own
    this.#connection?.send(encodeRequest({ callbackAddress, requestId, contents }))
    return this.#answerTo(requestId)
  }

  /** Undefined when none comes in time, at once when there is no connection it could come over. */
  #answerTo(key: string): Promise<Response | undefined> {
    if (this.#connection === undefined) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const settle = (answer: Response | undefined): void => {
        clearTimeout(timer)
        this.#answers.delete(key)
        resolve(answer)
      }
      const timer = setTimeout(() => {
        settle(undefined)
      }, answerTimeoutMs)
      this.#answers.set(key, settle)
    })
  }

  #failAnswers(): void {
    for (const answer of [...this.#answers.values()]) answer(undefined)
  }

  #hasRoomFor({ target }: Introduction): boolean {
    const { host } = target.publicAddress
    const ofHost = this.#punches.filter((other) => other === host)
    return this.#punches.length < maxPunches && ofHost.length < maxPunchesPerHost
  }

  async #accept(introduction: Introduction): Promise<void> {
    const link = await this.#meet(introduction)
    if (this.#state === 'closed') link.destroy()
    else this.#options.onLink(link)
  }

  /** Punches, or relays where punching does not help. */
  async #meet(introduction: Introduction): Promise<Link> {
    const { target, token, isRequester, isIndependent, isPeerIndependent } = introduction
    const peer = target.publicAddress
    // Before anything else: the other side may relay at once.
    const relayLink = this.#openRelay(addressToUrl(peer), token)
    const plan = { peer, isRequester, isIndependent, isPeerIndependent }
    const randomBytes = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count))
    this.#punches.push(peer.host)
    const socket = await punch({
      machine: new PunchMachine(plan, randomBytes),
      localPort: this.#localPort,
      token,
      signal: this.#abort.signal,
    })
    this.#punches.splice(this.#punches.indexOf(peer.host), 1)
    if (socket === undefined) {
      this.#relayed += 1
      return relayLink
    }
    this.#punched += 1
    relayLink.close()
    return new PunchedLink({ transport: 'tcp', remote: addressToUrl(peer), socket })
  }

  #openRelay(remote: string, token: string): RelayLink {
    const link = new RelayLink({
      remote,
      send: (bytes) => this.#relayPace.send(token, relay(token, bytes)),
      end: () => {
        this.#relays.delete(token)
        this.#relayPace.send(token, relayEnd(token))
      },
      queuedBytes: () => this.#connection?.queuedBytes ?? 0,
    })
    this.#relays.set(token, link)
    return link
  }

  #onLost(connection: FrameSocket): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#failAnswers()
    for (const link of [...this.#relays.values()]) link.onEnded()
    this.#relays.clear()
    this.#relayPace.clear()
    if (this.#state === 'registered') this.#reconnectLater()
  }

  #reconnectLater(): void {
    this.#state = 'lost'
    this.#reconnectTimer = setTimeout(() => {
      void this.#reconnect()
    }, this.#reconnectMs)
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, maxReconnectMs)
  }

  /** One attempt; whatever ends it, there is one more later, unless the client was closed meanwhile. */
  async #reconnect(): Promise<void> {
    this.#state = 'registering'
    try {
      await this.#register()
    } catch {
      this.#connection?.destroy()
      this.#connection = undefined
      if (!this.#abort.signal.aborted) this.#reconnectLater()
    }
  }
}

/** The socket was paused when it won, so that nothing is lost before the link has an owner. */
class PunchedLink extends SocketLink {
  override attach(events: LinkEvents): void {
    super.attach(events)
    this.resume()
  }
}

function portOf(info: PyValue): number {
  const port = info instanceof Map ? (info.get(probePortKey) as unknown) : undefined
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0
}
