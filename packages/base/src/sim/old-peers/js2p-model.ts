/**
 * A model of a js2p 0.7.870 mesh node, bugs included, for mixed networks in the simulator. It is a
 * test double: what a js2p node does on the wire, not how it is written.
 *
 * Kept quirks, each with its source:
 *   floods back to the previous hop; the 60-second storm (flood-memory.ts)     spec/mesh.md §4.1
 *   a second handshake, and only then peers, on links it accepted or dialled
 *   without an id                                                              spec/mesh.md §3.2
 *   ids that came as bin are keys by object identity: never found again, one
 *   more table entry, and one more copy of everything, per handshake           spec/wire.md §2.4
 *   takes a peer with the same host or the same port for connected             spec/mesh.md §3.2
 *   a peers list with a peer it would dial raises while a dial it learned of
 *   earlier has no handshake yet: the list's link falls                        spec/observed.md §2
 *   resend, an empty renegotiate and a shrinking list raise: the link falls    spec/mesh.md §6
 *   a closed link leaves only under its current id object                      spec/mesh.md §3.5
 *   no time-outs at all                                                        spec/mesh.md §3.3
 */
import {
  FrameSplitter,
  compressionMethods,
  createMessage,
  flags,
  frameHeaderBytes,
  idText,
  intersect,
  networkId,
  nodeId,
  toHex,
  wholeNumber,
} from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { formatAddress, parseAddress } from '../../protocol/address.ts'
import { P2pError } from '../../protocol/errors.ts'
import type { DialId, LinkEffect, LinkId, LinkInput } from '../../protocol/link.ts'
import type { Machine, Now } from '../../protocol/machine.ts'
import { FloodMemory } from './flood-memory.ts'
import { decodeOldBlock, encodeOldFrame } from './old-frames.ts'
import type {
  DropCause,
  OldPeerCommand,
  OldPeerEvent,
  OldPeerOptions,
} from './old-peer-contract.ts'

const { zlib, gzip } = compressionMethods
const ourMethods: readonly number[] = [zlib, gzip]
const maxOutgoing = 4
/** It has no time-out of its own; this is the operating system's. */
const dialTimeoutMs = 120_000

type Effect = LinkEffect | OldPeerEvent
type Input = LinkInput | OldPeerCommand
type Pair = readonly [host: string, port: number]

interface JsLink {
  readonly splitter: FrameSplitter
  link: LinkId | undefined
  readonly isOutgoing: boolean
  /** Waits for an id; false for one that was dialled with it. */
  isAwaiting: boolean
  /** The id as it came: a bin is an object, and no other object is the same. */
  id: Value
  address: Value
  methods: readonly number[]
  /** The link over which it heard of a peer that it dialled. */
  toldBy: JsLink | undefined
  isClosed: boolean
}

/** Makes the link fall, as any exception in a js2p handler does. */
class Drop extends Error {
  readonly reason: DropCause
  constructor(reason: DropCause) {
    super(reason)
    this.reason = reason
  }
}

export class Js2pModel implements Machine<Input, Effect> {
  readonly id: string
  readonly #protocolId: string
  readonly #address: Pair
  readonly #links = new Map<LinkId, JsLink>()
  readonly #dials = new Map<DialId, JsLink>()
  /** By identity for bins, as in the original. */
  readonly #table = new Map<Value, JsLink>()
  readonly #memory = new FloodMemory()
  #nextDial: DialId = 1
  #effects: Effect[] = []
  #now: Now = { monoMs: 0, utcSeconds: 0 }

  constructor(options: OldPeerOptions) {
    const { host, port } = parseAddress(options.address) ?? { host: '', port: 0 }
    this.#address = [host, port]
    this.#protocolId = networkId({ subnet: options.subnet ?? 'mesh', encryption: 'Plaintext' })
    const salt = toHex(options.randomBytes(16))
    const addressStyle = 'js2p'
    this.id = nodeId({ host, port, networkId: this.#protocolId, salt, addressStyle })
  }

  /** Ids of the neighbours in the routing table; one with a bin id may stand there repeatedly. */
  get peerIds(): string[] {
    return [...this.#table.keys()].map((id) => idText(id) ?? '')
  }

  nextDeadline(): number {
    return Infinity
  }

  handle(input: Input, now: Now): readonly Effect[] {
    this.#now = now
    this.#effects = []
    switch (input.type) {
      case 'connect':
        this.#connectByHand(input.address)
        break
      case 'broadcast': {
        const message = this.#compose(flags.broadcast, input.payload)
        for (const link of this.#table.values()) this.#sendMessage(link, message)
        break
      }
      case 'link-open':
        this.#onOpen(input.link, input.dial)
        break
      case 'link-bytes':
        this.#onBytes(input.link, input.bytes)
        break
      case 'link-closed':
        this.#onLost(this.#links.get(input.link))
        break
      case 'dial-failed':
        this.#onLost(this.#dials.get(input.dial))
        this.#dials.delete(input.dial)
        break
      case 'link-held':
      case 'deadline':
        break
    }
    return this.#effects
  }

  /** What raises here raises in the application, not in a link. */
  #connectByHand(address: string): void {
    try {
      this.#connect(pairOf(address), null)
    } catch (error) {
      if (!(error instanceof Drop)) throw error
    }
  }

  /**
   * Refuses whom it has, by id, host or port; it looks through its table in order, and a peer there
   * that was dialled and has not shaken hands has no address to compare with: that raises.
   */
  #connect(pair: Pair | undefined, id: Value, toldBy?: JsLink): void {
    if (pair === undefined) throw new Drop('peers-list')
    const [host, port] = pair
    if (idText(id) === this.id || (host === this.#address[0] && port === this.#address[1])) return
    for (const [key, link] of this.#table) {
      if (key === id && id !== null) return
      if (!Array.isArray(link.address)) {
        throw new Drop(link.toldBy === toldBy ? 'peers-list' : 'peers-lists-of-two')
      }
      const [otherHost, otherPort] = link.address as readonly Value[]
      if (otherHost === host || wholeNumber(otherPort) === port) return
    }
    const dial = this.#nextDial
    this.#nextDial += 1
    const link = createLink({ isOutgoing: true, isAwaiting: id === null })
    link.toldBy = toldBy
    this.#dials.set(dial, link)
    if (id !== null) {
      link.id = id
      this.#table.set(id, link)
    }
    const address = formatAddress({ transport: 'tcp', host, port, path: '' })
    this.#effects.push({ type: 'dial', dial, address, timeoutMs: dialTimeoutMs })
  }

  #onOpen(number: LinkId, dial: DialId | undefined): void {
    const dialled = dial === undefined ? undefined : this.#dials.get(dial)
    if (dial !== undefined) this.#dials.delete(dial)
    const link = dialled ?? createLink({ isOutgoing: false, isAwaiting: true })
    link.link = number
    this.#links.set(number, link)
    this.#sendHandshake(link)
  }

  #onBytes(number: LinkId, bytes: Uint8Array): void {
    const link = this.#links.get(number)
    if (link === undefined || link.isClosed) return
    try {
      for (const frame of link.splitter.push(bytes)) {
        const block = frame.subarray(frameHeaderBytes)
        this.#onMessage(link, decodeOldBlock(block, { reader: 'js2p', theirs: link.methods }))
      }
    } catch (error) {
      this.#drop(link, error instanceof Drop ? error.reason : 'unreadable')
    }
  }

  #onMessage(link: JsLink, message: WireMessage): void {
    if (link.isClosed || message.payload.length === 0) return
    if (message.type === flags.renegotiate && this.#renegotiate(link, message.payload)) return
    if (message.type === flags.broadcast) {
      if (!this.#memory.take(message, this.#now.utcSeconds)) return
      const sender = idText(message.sender)
      for (const neighbour of this.#table.values()) {
        if (idText(neighbour.id) !== sender) this.#sendMessage(neighbour, message)
      }
    }
    this.#dispatch(link, message)
  }

  #dispatch(link: JsLink, message: WireMessage): void {
    const { payload } = message
    switch (wholeNumber(payload[0])) {
      case flags.handshake:
        if (payload.length === 5) this.#onHandshake(link, payload)
        return
      case flags.peers:
        this.#onPeers(payload[1], link)
        return
      case flags.request:
        this.#onRequest(link, payload)
        return
      case flags.broadcast:
      case flags.whisper:
        if (link.link !== undefined) {
          this.#effects.push({ type: 'message', message, link: link.link })
        }
        return
      default:
    }
  }

  #onHandshake(link: JsLink, payload: readonly Value[]): void {
    const [, id = null, protocolId, address = null, methods] = payload
    if (idText(protocolId) !== this.#protocolId) throw new Drop('wrong-network')
    if (!Array.isArray(methods)) throw new Drop('unreadable')
    link.id = id
    link.address = address
    link.methods = (methods as readonly Value[]).flatMap((method) => wholeNumber(method) ?? [])
    if (link.isAwaiting) {
      link.isAwaiting = false
      this.#sendHandshake(link)
      this.#sendPeers(link)
    }
    this.#table.set(id, link)
  }

  #sendHandshake(link: JsLink): void {
    const payload = [flags.handshake, this.id, this.#protocolId, this.#address, ourMethods]
    this.#whisper(link, payload, false)
  }

  #sendPeers(link: JsLink): void {
    const entries: Value[] = []
    for (const [id, { address }] of this.#table) {
      const isListed = Array.isArray(address) && address[0] !== null
      if (isListed) entries.push([address, id])
    }
    this.#whisper(link, [flags.peers, entries])
  }

  #onPeers(list: Value | undefined, toldBy: JsLink): void {
    if (!Array.isArray(list)) throw new Drop('unreadable')
    for (const entry of list as readonly Value[]) {
      const [address, id = null] = Array.isArray(entry) ? (entry as readonly Value[]) : []
      if (!Array.isArray(address)) throw new Drop('peers-list')
      const outgoing = [...this.#table.values()].filter(({ isOutgoing }) => isOutgoing)
      const [host, port] = address as readonly Value[]
      const number = wholeNumber(port)
      if (outgoing.length >= maxOutgoing) continue
      if (typeof host === 'string' && number !== undefined)
        this.#connect([host, number], id, toldBy)
    }
  }

  #onRequest(link: JsLink, payload: readonly Value[]): void {
    const [, search = null, wanted] = payload
    if (idText(search) === '*') {
      this.#sendPeers(link)
      return
    }
    const found = wanted === undefined ? undefined : this.#table.get(wanted)
    if (found === undefined) return
    const answer = [flags.response, search, [found.address, found.id]]
    this.#sendMessage(link, this.#compose(flags.broadcast, answer))
  }

  #renegotiate(link: JsLink, payload: readonly Value[]): boolean {
    const subFlag = wholeNumber(payload[0])
    if (subFlag === flags.resend) throw new Drop('renegotiate')
    if (subFlag !== flags.compression) return false
    const list = payload[1]
    if (!Array.isArray(list)) throw new Drop('renegotiate')
    const methods = (list as readonly Value[]).flatMap((method) => wholeNumber(method) ?? [])
    if (intersect(link.methods, methods).length < link.methods.length) throw new Drop('renegotiate')
    link.methods = methods
    return true
  }

  #onLost(link: JsLink | undefined): void {
    if (link === undefined || link.isClosed) return
    link.isClosed = true
    if (link.link !== undefined) this.#links.delete(link.link)
    // Entries under earlier id objects of this link stay behind.
    this.#table.delete(link.id)
  }

  #drop(link: JsLink, cause: DropCause): void {
    if (link.isClosed || link.link === undefined) return
    const reason = new P2pError('P2P_OLD_PEER_CLOSED', cause)
    this.#effects.push({ type: 'close', link: link.link, reason })
    this.#effects.push({ type: 'dropped', link: link.link, peerId: idText(link.id) ?? '', cause })
    this.#onLost(link)
  }

  #whisper(link: JsLink, payload: readonly Value[], isCompressed = true): void {
    const message = this.#compose(flags.whisper, payload)
    this.#memory.add(message)
    this.#sendMessage(link, message, isCompressed)
  }

  #compose(type: number, payload: readonly Value[]): WireMessage {
    const time = Math.floor(this.#now.utcSeconds)
    const message = createMessage({ type, sender: this.id, time, payload })
    if (type === flags.broadcast) this.#memory.add(message)
    return message
  }

  #sendMessage(link: JsLink, message: WireMessage, isCompressed = true): void {
    if (link.isClosed || link.link === undefined) return
    const theirs = isCompressed ? link.methods : []
    const bytes = encodeOldFrame(message, { ours: ourMethods, theirs })
    const priority = message.type === flags.broadcast ? 'relay' : 'control'
    this.#effects.push({ type: 'send', link: link.link, bytes, priority })
  }
}

function createLink(kind: { readonly isOutgoing: boolean; readonly isAwaiting: boolean }): JsLink {
  return {
    ...kind,
    splitter: new FrameSplitter(),
    link: undefined,
    id: null,
    address: null,
    methods: [],
    toldBy: undefined,
    isClosed: false,
  }
}

function pairOf(address: string): Pair | undefined {
  const parsed = parseAddress(address)
  return parsed === undefined ? undefined : [parsed.host, parsed.port]
}
