/**
 * A rendezvous server as a pure machine: it knows under which outside address each registered node is
 * seen, introduces two nodes to each other, and carries bytes between them when nothing else works.
 *
 * Nodes keep a connection to it open. A node whose dial failed asks for its target; both get told each
 * other's outside addresses and a common token, and punch. On a second port of the server a node can
 * see whether its NAT shows the same outside port to everybody. The server believes nothing about
 * where a node is but what it sees itself.
 *
 * Source: spec p2py, 9.
 */
import { Deadlines, isP2pError, P2pError } from '@p2p/base'
import type { LinkEffect, LinkId, LinkInput, Machine, Now, RandomBytes } from '@p2p/base'
import { decodePickle } from '../pickle/reader.ts'
import type { PyValue } from '../pickle/values.ts'
import { FrameSplitter } from './frame.ts'
import { FrameWatch } from './frame-watch.ts'
import { overDefaults } from './limits.ts'
import { messageTypes, testAnswer } from './membership-messages.ts'
import {
  encodeInfo,
  encodeMessage,
  encodeResponse,
  maxUuid,
  readInfo,
  readUnit,
  type NodeInfo,
  type OutgoingMessage,
  type RequestEnvelope,
  type Response,
} from './messages.ts'
import { addressToUrl, urlToAddress, type NodeAddress } from './node-address.ts'
import { frameOf } from './outbox.ts'
import { RateLimit } from './rate-limit.ts'
import { RelaySessions } from './relay-sessions.ts'
import {
  encodeIntroduction,
  encodeUnknownTarget,
  probePortKey,
  readInitRequest,
  readRelay,
  register,
  relay,
  relayEnd,
  rendezvousPickleLimits,
  rendezvousTypes,
  yourAddress,
  type Endpoints,
} from './rendezvous-messages.ts'

export interface RendezvousLimits {
  /** Connections in all. Above: a new one is closed. */
  readonly maxClients: number
  /** Introductions that are remembered for relaying. Above: the oldest of the node that asked for most of them ends. */
  readonly maxSessions: number
  /** Bytes of one frame; relayed bytes come in pieces of 16 KiB. */
  readonly maxFrameBytes: number
  /** A frame may take this long; afterwards it has to come at 1 KiB per second or faster. */
  readonly frameGraceMs: number
  /** Half-received frames of all connections together. Above: the one whose frame has been under way for longest is closed. */
  readonly maxReceivingBytes: number
  /** Introductions a node may ask for in one second, after a burst of ten times as many. */
  readonly maxRequestsPerSecond: number
  /** Relayed frames a node may send in one second, after a burst of ten times as many. Our nodes keep to 150. */
  readonly maxRelayedPerSecond: number
  readonly infoTimeoutMs: number
}

export const defaultRendezvousLimits: RendezvousLimits = {
  maxClients: 10_000,
  maxSessions: 4_096,
  maxFrameBytes: 65_536,
  frameGraceMs: 10_000,
  maxReceivingBytes: 64 * 1024 * 1024,
  maxRequestsPerSecond: 5,
  maxRelayedPerSecond: 200,
  infoTimeoutMs: 10_000,
}

export type RendezvousEvent =
  | { readonly type: 'registered'; readonly address: string; readonly seenAs: string }
  | { readonly type: 'introduced'; readonly source: string; readonly target: string }
  | { readonly type: 'rejected'; readonly remote: string; readonly error: P2pError }

interface Client {
  readonly link: LinkId
  readonly seenAs: NodeAddress
  readonly splitter: FrameSplitter
  readonly requests: RateLimit
  readonly relayed: RateLimit
  info: NodeInfo | undefined
  isIndependent: boolean
}

/** One that has introduced itself. */
interface KnownClient extends Client {
  info: NodeInfo
}

type Effect = LinkEffect | RendezvousEvent

export class RendezvousMachine implements Machine<LinkInput, Effect> {
  readonly #address: NodeAddress
  readonly #probePort: number
  readonly #limits: RendezvousLimits
  readonly #randomBytes: RandomBytes
  readonly #deadlines = new Deadlines()
  readonly #frames: FrameWatch
  readonly #clients = new Map<LinkId, Client>()
  /** Announced address to the clients of that name, newest last: many homes have a 192.168.1.10. */
  readonly #byAddress = new Map<string, Set<KnownClient>>()
  readonly #sessions = new RelaySessions()
  #effects: Effect[] = []
  #nowMs = 0

  constructor(options: {
    readonly address: NodeAddress
    readonly probePort: number
    readonly randomBytes: RandomBytes
    readonly limits?: Partial<RendezvousLimits>
  }) {
    this.#address = options.address
    this.#probePort = options.probePort
    this.#randomBytes = options.randomBytes
    this.#limits = overDefaults(options.limits ?? {}, defaultRendezvousLimits)
    this.#frames = new FrameWatch(this.#deadlines, this.#limits)
  }

  get clientCount(): number {
    return this.#clients.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  nextDeadline(): number {
    return this.#deadlines.next()
  }

  handle(input: LinkInput, now: Now): readonly Effect[] {
    this.#nowMs = now.monoMs
    switch (input.type) {
      case 'link-open':
        this.#open(input.link, input.remote)
        break
      case 'link-bytes':
        this.#receive(input.link, input.bytes)
        break
      case 'link-closed':
        this.#forget(input.link)
        break
      case 'deadline':
        this.#passDeadlines(now)
        break
      case 'link-held':
      case 'dial-failed':
        break
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #open(link: LinkId, remote: string): void {
    const seenAs = urlToAddress(remote)
    if (seenAs === undefined || this.#clients.size >= this.#limits.maxClients) {
      const reason = new P2pError('P2P_TOO_MANY_LINKS', 'no room for another node')
      this.#effects.push({ type: 'close', link, reason })
      return
    }
    this.#clients.set(link, {
      link,
      seenAs,
      splitter: new FrameSplitter({ maxFrameBytes: this.#limits.maxFrameBytes }),
      requests: new RateLimit(this.#limits.maxRequestsPerSecond),
      relayed: new RateLimit(this.#limits.maxRelayedPerSecond),
      info: undefined,
      isIndependent: false,
    })
    this.#deadlines.set(`info ${link}`, this.#nowMs + this.#limits.infoTimeoutMs)
    // p2py listens to CONNECTION INIT only from a link with a UUID; this one is nobody's neighbour.
    const info = encodeInfo({ address: this.#address, uuid: maxUuid, isOurs: true })
    if (info instanceof Map) info.set(probePortKey, this.#probePort)
    this.#send(link, info)
    this.#send(link, true)
  }

  #receive(link: LinkId, bytes: Uint8Array): void {
    const client = this.#clients.get(link)
    if (client === undefined) return
    const limits = { ...rendezvousPickleLimits, maxPickleBytes: this.#limits.maxFrameBytes }
    let isNew = false
    try {
      for (const pickle of client.splitter.pickles(bytes)) {
        isNew = true
        this.#takeValue(client, decodePickle(pickle, limits))
        if (!this.#clients.has(link)) return
      }
    } catch (error) {
      if (!isP2pError(error)) throw error
      this.#end(client, error)
      return
    }
    const { bufferedBytes } = client.splitter
    const received = { byteCount: bytes.length, bufferedBytes, isNew }
    const victim = this.#frames.onBytes(link, received, this.#nowMs)
    const slowest = victim === undefined ? undefined : this.#clients.get(victim.link)
    if (victim !== undefined && slowest !== undefined) this.#end(slowest, victim.reason)
  }

  #takeValue(client: Client, value: PyValue): void {
    if (!isKnown(client)) {
      this.#introduce(client, readInfo(value))
      return
    }
    const unit = readUnit(value)
    if (unit.kind === 'request') this.#onRequest(client, unit.envelope)
    else if (unit.kind === 'message') this.#onMessage(client, unit.message)
  }

  #introduce(client: Client, info: NodeInfo | undefined): void {
    if (info === undefined) {
      this.#end(client, new P2pError('P2P_BAD_INFO', 'the first message is no p2py info'))
      return
    }
    this.#deadlines.delete(`info ${client.link}`)
    const known = Object.assign(client, { info })
    // To Python nodes this type is unknown, and would end their thread.
    if (info.isOurs) this.#sendMessage(client, yourAddress(client.seenAs))
    else this.#enter(known)
  }

  /** From now on others can ask for it. Ours enter when they know what their NAT does. */
  #enter(client: KnownClient): void {
    const address = addressToUrl(client.info.address)
    const namesakes = this.#byAddress.get(address) ?? new Set()
    namesakes.delete(client)
    this.#byAddress.set(address, namesakes.add(client))
    this.#effects.push({ type: 'registered', address, seenAs: addressToUrl(client.seenAs) })
  }

  #onMessage(client: KnownClient, message: Response): void {
    switch (message.type) {
      case rendezvousTypes.register:
        client.isIndependent = message.data === true
        this.#enter(client)
        this.#sendMessage(client, register(client.isIndependent)) // says that it may be asked for now
        break
      case rendezvousTypes.relay:
      case rendezvousTypes.relayEnd:
        this.#relay(client, message)
        break
      case messageTypes.killConnection:
        this.#end(client, new P2pError('P2P_PEER_GOODBYE', 'the node ended the connection'))
        break
      default:
        break // nothing that a server is for
    }
  }

  #onRequest(client: KnownClient, { contents, requestId }: RequestEnvelope): void {
    if (contents.type === messageTypes.test) {
      this.#send(client.link, encodeResponse(encodeMessage(testAnswer), requestId))
    } else if (contents.type === rendezvousTypes.initRequest) {
      const target = readInitRequest(contents.fields)
      if (target !== undefined && client.requests.take(this.#nowMs)) {
        this.#bringTogether(client, target, requestId)
      }
    }
  }

  #bringTogether(source: KnownClient, wanted: NodeAddress, requestId: string): void {
    const target = [...(this.#byAddress.get(addressToUrl(wanted)) ?? [])].at(-1)
    const sourceEnds = endpointsOf(source)
    if (target === undefined || target === source) {
      this.#send(
        source.link,
        encodeResponse(encodeMessage(encodeUnknownTarget(sourceEnds)), requestId),
      )
      return
    }
    const targetEnds = endpointsOf(target)
    const token = hexOf(this.#randomBytes(16))
    const answer = encodeIntroduction(rendezvousTypes.initResponse, {
      target: targetEnds,
      source: sourceEnds,
      token,
      isRequester: true,
      isIndependent: source.isIndependent,
      isPeerIndependent: target.isIndependent,
    })
    if (target.info.isOurs && source.info.isOurs) {
      this.#openSession(token, [source.link, target.link])
      const notice = encodeIntroduction(rendezvousTypes.init, {
        target: sourceEnds,
        source: targetEnds,
        token,
        isRequester: false,
        isIndependent: target.isIndependent,
        isPeerIndependent: source.isIndependent,
      })
      this.#sendMessage(target, notice)
    }
    this.#send(source.link, encodeResponse(encodeMessage(answer), requestId))
    this.#effects.push({
      type: 'introduced',
      source: addressToUrl(sourceEnds.privateAddress),
      target: addressToUrl(targetEnds.privateAddress),
    })
  }

  #openSession(token: string, pair: readonly [requester: LinkId, target: LinkId]): void {
    this.#sessions.open(token, pair)
    if (this.#sessions.size <= this.#limits.maxSessions) return
    const most = this.#sessions.mostAskedFor()
    if (most !== undefined) this.#endSession(most)
  }

  /** Tells those who are still there: a relayed link has no other way to learn that it is over. */
  #endSession(token: string): void {
    for (const link of this.#sessions.forget(token)) {
      const client = this.#clients.get(link)
      if (client !== undefined) this.#sendMessage(client, relayEnd(token))
    }
  }

  #relay(client: Client, message: Response): void {
    const relayed = readRelay(message)
    if (relayed === undefined) return
    const { token, bytes } = relayed
    const other = this.#sessions.other(token, client.link)
    if (other === undefined) return
    if (!client.relayed.take(this.#nowMs)) {
      this.#end(client, new P2pError('P2P_RELAY_TOO_FAST', 'more relayed data than allowed'))
      return
    }
    const isEnd = message.type === rendezvousTypes.relayEnd
    if (isEnd) this.#sessions.forget(token)
    // Written anew, not passed on: what else the message holds could be more than the other one reads.
    this.#send(other, encodeMessage(isEnd ? relayEnd(token) : relay(token, bytes)))
  }

  #end(client: Client, error: P2pError): void {
    this.#effects.push({ type: 'rejected', remote: addressToUrl(client.seenAs), error })
    this.#effects.push({ type: 'close', link: client.link, reason: error })
    this.#forget(client.link)
  }

  #forget(link: LinkId): void {
    const client = this.#clients.get(link)
    if (client === undefined) return
    this.#clients.delete(link)
    this.#deadlines.delete(`info ${link}`)
    this.#frames.forget(link)
    if (isKnown(client)) {
      const url = addressToUrl(client.info.address)
      const namesakes = this.#byAddress.get(url)
      namesakes?.delete(client)
      if (namesakes?.size === 0) this.#byAddress.delete(url)
    }
    for (const token of this.#sessions.tokensOf(link)) this.#endSession(token)
  }

  #passDeadlines(now: Now): void {
    for (;;) {
      const name = this.#deadlines.takeDue(now.monoMs)
      if (name === undefined) return
      const [kind, link] = name.split(' ')
      const client = this.#clients.get(Number(link))
      if (client === undefined) continue
      const reason =
        kind === 'info'
          ? new P2pError('P2P_INFO_TIMEOUT', 'the node never introduced itself')
          : this.#frames.onDue(client.link, now.monoMs)
      if (reason !== undefined) this.#end(client, reason)
    }
  }

  #sendMessage(client: Client, message: OutgoingMessage): void {
    this.#send(client.link, encodeMessage(message))
  }

  #send(link: LinkId, value: PyValue): void {
    this.#effects.push({ type: 'send', link, bytes: frameOf(value), priority: 'own' })
  }
}

function isKnown(client: Client): client is KnownClient {
  return client.info !== undefined
}

function endpointsOf(client: KnownClient): Endpoints {
  return { publicAddress: client.seenAs, privateAddress: client.info.address }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
