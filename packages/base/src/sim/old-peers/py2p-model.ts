/**
 * A model of a py2p 0.7.870 mesh node, bugs included, for mixed networks in the simulator. It is a
 * test double: what a py2p node does on the wire, not how it is written.
 *
 * Kept quirks, each with its source:
 *   floods to every neighbour but the originator, so back to the previous hop  spec/mesh.md §4.1
 *   the 60-second storm (flood-memory.ts)                                      spec/mesh.md §4.1
 *   asks for peers with a str `*` after every lost link, and answers one with
 *   renegotiate [] and resend, which ends compressed links between two py2p     spec/mesh.md §5.2
 *   resend without the main flag                                               spec/mesh.md §6
 *   four left-over bytes are taken for a frame; reads of 1,024 bytes           spec/wire.md §8
 *   of two links with one id it may close one and keep the closed one          spec/mesh.md §3.4
 *   a dialled peer that hangs up before its handshake stays in the table, and
 *   all neighbours are asked for `*` for ever (here: twice a second, not 10,000
 *   times, to keep runs short)                                                 spec/observed.md §2
 *   half a frame may rest for 60 s; silence for ever                           spec/mesh.md §3.5
 *   dials one peer at a time and does nothing else for up to 1 s               spec/mesh.md §8
 *   ids as bin, the protocol id only as str; peers after every handshake       spec/wire.md §2.3
 */
import {
  compressionMethods,
  concatBytes,
  createMessage,
  decodeBase58Integer,
  flags,
  idText,
  intersect,
  networkId,
  nodeId,
  toHex,
  utf8Encode,
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

const { zlib, gzip, bz2, lzma } = compressionMethods
const ourMethods: readonly number[] = [zlib, gzip, bz2, lzma]
const maxOutgoing = 4
const dialTimeoutMs = 1_000
const readBytes = 1_024
const headerBytes = 4
const trapBytes = 4
const halfFrameMs = 60_000
const deadPeerRequestMs = 500

type Effect = LinkEffect | OldPeerEvent
type Input = LinkInput | OldPeerCommand

interface PyLink {
  readonly link: LinkId
  readonly isOutgoing: boolean
  /** Key in the routing table: the id as it came, so text and bytes differ. */
  key: string | undefined
  id: Value
  address: Value
  methods: readonly number[]
  buffer: Uint8Array
  lastByteMs: number
  lastPayload: readonly Value[]
  hasHandshake: boolean
  isClosed: boolean
}

interface Dial {
  readonly address: string
  readonly id: Value
}

/** Makes the link fall, as any exception in py2p does. */
class Drop extends Error {
  readonly reason: DropCause
  constructor(reason: DropCause) {
    super(reason)
    this.reason = reason
  }
}

export class Py2pModel implements Machine<Input, Effect> {
  readonly id: string
  readonly #idBytes: Uint8Array
  readonly #protocolId: string
  readonly #address: { readonly host: string; readonly port: number }
  readonly #links = new Map<LinkId, PyLink>()
  readonly #table = new Map<string, PyLink>()
  readonly #memory = new FloodMemory()
  /** While it dials it does nothing else. */
  #dialling: { readonly dial: DialId; readonly id: Value } | undefined
  #dials: Dial[] = []
  #nextDial: DialId = 1
  #waiting: Input[] = []
  #nextRequestMs = Infinity
  #effects: Effect[] = []
  #now: Now = { monoMs: 0, utcSeconds: 0 }

  constructor(options: OldPeerOptions) {
    const { host, port } = parseAddress(options.address) ?? { host: '', port: 0 }
    this.#address = { host, port }
    this.#protocolId = networkId({ subnet: options.subnet ?? 'mesh', encryption: 'Plaintext' })
    const salt = toHex(options.randomBytes(16))
    this.id = nodeId({ host, port, networkId: this.#protocolId, salt })
    this.#idBytes = utf8Encode(this.id)
  }

  /** Ids of the neighbours in the routing table. */
  get peerIds(): string[] {
    return [...this.#table.values()].map((link) => idText(link.id) ?? '')
  }

  nextDeadline(): number {
    let earliest = this.#nextRequestMs
    for (const { buffer, lastByteMs } of this.#links.values()) {
      if (buffer.length >= headerBytes) earliest = Math.min(earliest, lastByteMs + halfFrameMs)
    }
    return earliest
  }

  handle(input: Input, now: Now): readonly Effect[] {
    this.#now = now
    this.#effects = []
    if (this.#dialling === undefined || this.#endsDial(input)) this.#step(input)
    else this.#waiting.push(input)
    while (this.#dialling === undefined && this.#waiting.length > 0) {
      const next = this.#waiting.shift()
      if (next !== undefined) this.#step(next)
    }
    return this.#effects
  }

  #endsDial(input: Input): boolean {
    if (input.type === 'deadline') return true
    const isDialEnd = input.type === 'link-open' || input.type === 'dial-failed'
    return isDialEnd && input.dial === this.#dialling?.dial
  }

  #step(input: Input): void {
    switch (input.type) {
      case 'connect':
        this.#connect({ address: input.address, id: null })
        break
      case 'broadcast': {
        const message = this.#compose(flags.broadcast, input.payload)
        for (const link of this.#table.values()) this.#sendMessage(link, message)
        break
      }
      case 'link-open':
        this.#onOpen(input.link, input.dial)
        break
      case 'dial-failed':
        this.#dialling = undefined
        break
      case 'link-bytes': {
        const link = this.#links.get(input.link)
        if (link !== undefined) this.#onBytes(link, input.bytes)
        break
      }
      case 'link-closed': {
        const link = this.#links.get(input.link)
        if (link !== undefined) this.#onLost(link)
        break
      }
      case 'link-held':
        break
      case 'deadline':
        this.#onDeadline()
    }
    this.#dialNext()
  }

  #connect(dial: Dial): void {
    const { host, port } = this.#address
    const isSelf = dial.address === formatAddress({ transport: 'tcp', host, port, path: '' })
    if (!isSelf && !(dial.id !== null && this.#table.has(keyOf(dial.id)))) this.#dials.push(dial)
  }

  #dialNext(): void {
    const next = this.#dialling === undefined ? this.#dials.shift() : undefined
    if (next === undefined) return
    const dial = this.#nextDial
    this.#nextDial += 1
    this.#dialling = { dial, id: next.id }
    this.#effects.push({ type: 'dial', dial, address: next.address, timeoutMs: dialTimeoutMs })
  }

  #onOpen(number: LinkId, dial: DialId | undefined): void {
    const id = dial === undefined ? null : (this.#dialling?.id ?? null)
    const link: PyLink = {
      link: number,
      isOutgoing: dial !== undefined,
      key: id === null ? undefined : keyOf(id),
      id,
      address: null,
      methods: [],
      buffer: new Uint8Array(0),
      lastByteMs: this.#now.monoMs,
      lastPayload: [],
      hasHandshake: false,
      isClosed: false,
    }
    if (dial !== undefined) this.#dialling = undefined
    this.#links.set(number, link)
    if (link.key !== undefined) this.#table.set(link.key, link)
    const { host, port } = this.#address
    const payload = [flags.handshake, this.#idBytes, this.#protocolId, [host, port], ourMethods]
    this.#whisper(link, payload, false)
  }

  /** Reads 1,024 bytes at a time; exactly four bytes behind a finished frame are a frame, too. */
  #onBytes(link: PyLink, bytes: Uint8Array): void {
    link.lastByteMs = this.#now.monoMs
    for (let start = 0; start < bytes.length && !link.isClosed; start += readBytes) {
      link.buffer = concatBytes(link.buffer, bytes.subarray(start, start + readBytes))
      try {
        this.#readFrames(link)
      } catch (error) {
        this.#drop(link, error instanceof Drop ? error.reason : 'unreadable')
      }
    }
  }

  #readFrames(link: PyLink): void {
    while (link.buffer.length >= headerBytes && !link.isClosed) {
      const { buffer } = link
      const length = new DataView(buffer.buffer, buffer.byteOffset).getUint32(0)
      if (buffer.length < headerBytes + length) return
      link.buffer = buffer.slice(headerBytes + length)
      const block = buffer.subarray(headerBytes, headerBytes + length)
      const message = decodeOldBlock(block, { reader: 'py2p', theirs: link.methods })
      this.#onMessage(link, message)
      if (link.buffer.length === trapBytes) throw new Drop('four-byte-trap')
    }
  }

  #onMessage(link: PyLink, message: WireMessage): void {
    if (message.payload.length === 0) {
      this.#complain(link)
      return
    }
    if (message.type === flags.renegotiate && this.#renegotiate(link, message.payload)) return
    if (message.type === flags.broadcast) {
      if (!this.#memory.take(message, this.#now.utcSeconds)) return
      const sender = keyOf(message.sender)
      for (const [key, neighbour] of this.#table) {
        if (key !== sender) this.#sendMessage(neighbour, message)
      }
    }
    this.#dispatch(link, message)
  }

  /** The handlers look at the sub-flag and the number of packets, never at the main flag. */
  #dispatch(link: PyLink, message: WireMessage): void {
    const { payload } = message
    switch (wholeNumber(payload[0])) {
      case flags.handshake:
        if (payload.length === 5) this.#onHandshake(link, payload)
        return
      case flags.peers:
        this.#onPeers(payload[1])
        return
      case flags.request:
        this.#onRequest(link, payload)
        return
      case flags.broadcast:
      case flags.whisper:
        this.#effects.push({ type: 'message', message, link: link.link })
        return
      default:
    }
  }

  #onHandshake(link: PyLink, payload: readonly Value[]): void {
    const [, id = null, protocolId, address = null, methods] = payload
    if (protocolId !== this.#protocolId) throw new Drop('wrong-network')
    if (!Array.isArray(methods)) throw new Drop('unreadable')
    const key = keyOf(id)
    const older = this.#table.get(key)
    let loser: PyLink | undefined
    if (older !== undefined && older !== link) {
      const isLarger = numberOf(this.id) > numberOf(idText(id) ?? '')
      loser = isLarger !== link.isOutgoing ? link : older
    }
    link.id = id
    link.key = key
    link.address = address
    link.methods = methods.flatMap((method: Value) => wholeNumber(method) ?? [])
    link.hasHandshake = true
    // The flaw: the newer link is stored even when it is the one that is closed.
    this.#table.set(key, link)
    if (loser !== undefined) this.#drop(loser, 'double-link')
    if (!link.isClosed) this.#sendPeers(link)
  }

  #sendPeers(link: PyLink): void {
    const known = [...this.#table.values()].filter(({ hasHandshake }) => hasHandshake)
    const entries = known.map((neighbour): Value => [neighbour.address, neighbour.id])
    this.#whisper(link, [flags.peers, entries])
  }

  /** Anything but `[address, id]` raises; an address that cannot be dialled does not. */
  #onPeers(list: Value | undefined): void {
    if (!Array.isArray(list)) throw new Drop('unreadable')
    for (const entry of list as readonly Value[]) {
      if (!Array.isArray(entry) || entry.length !== 2) throw new Drop('peers-list')
      const [address, id = null] = entry as readonly Value[]
      const outgoing = [...this.#links.values()].filter(({ isOutgoing }) => isOutgoing)
      const underWay = this.#dials.length + (this.#dialling === undefined ? 0 : 1)
      if (outgoing.length + underWay >= maxOutgoing) continue
      const url = urlOf(address)
      if (idText(id) !== this.id && url !== undefined) this.#connect({ address: url, id })
    }
  }

  #onRequest(link: PyLink, payload: readonly Value[]): void {
    const [, search, wanted] = payload
    if (search instanceof Uint8Array && idText(search) === '*') {
      this.#sendPeers(link)
    } else if (wanted === undefined) {
      // A str `*` is no marker to it: it reaches for the wanted id, which is not there.
      this.#complain(link)
    } else {
      const found = this.#table.get(keyOf(wanted))
      if (found === undefined) return
      const answer = [flags.response, search ?? null, [found.address, found.id]]
      this.#sendMessage(link, this.#compose(flags.broadcast, answer))
    }
  }

  /** What it does with anything that lacks a packet: it takes the compression to be wrong. */
  #complain(link: PyLink): void {
    this.#sendMessage(link, this.#compose(flags.renegotiate, [flags.compression, []]))
    this.#sendMessage(link, this.#compose(flags.renegotiate, [flags.resend]))
  }

  #renegotiate(link: PyLink, payload: readonly Value[]): boolean {
    const subFlag = wholeNumber(payload[0])
    if (subFlag === flags.resend) {
      const [type = null, ...rest] = link.lastPayload
      const number = wholeNumber(type)
      if (number !== undefined) this.#sendMessage(link, this.#compose(number, rest))
      return true
    }
    if (subFlag !== flags.compression) return false
    const list = payload[1]
    if (!Array.isArray(list)) {
      this.#complain(link)
      return true
    }
    const methods = (list as readonly Value[]).flatMap((method) => wholeNumber(method) ?? [])
    const isSame = methods.join() === link.methods.join()
    link.methods = methods
    if (!isSame) {
      const common = intersect(ourMethods, methods)
      this.#sendMessage(link, this.#compose(flags.renegotiate, [flags.compression, common]))
    }
    return true
  }

  #onLost(link: PyLink): void {
    link.isClosed = true
    this.#links.delete(link.link)
    if (link.isOutgoing && link.key !== undefined && !link.hasHandshake) {
      // Nobody takes it out of the table again, and every round of its loop asks for peers.
      this.#nextRequestMs = Math.min(this.#nextRequestMs, this.#now.monoMs + deadPeerRequestMs)
    } else if (link.key !== undefined && this.#table.get(link.key) === link) {
      this.#table.delete(link.key)
    }
    this.#requestPeers()
  }

  #requestPeers(): void {
    for (const neighbour of this.#table.values()) {
      this.#whisper(neighbour, [flags.request, '*'])
    }
  }

  #onDeadline(): void {
    for (const link of [...this.#links.values()]) {
      const isHalf = link.buffer.length >= headerBytes
      if (isHalf && this.#now.monoMs >= link.lastByteMs + halfFrameMs)
        this.#drop(link, 'half-frame')
    }
    if (this.#now.monoMs >= this.#nextRequestMs) {
      this.#nextRequestMs = this.#now.monoMs + deadPeerRequestMs
      this.#requestPeers()
    }
  }

  #drop(link: PyLink, cause: DropCause): void {
    if (link.isClosed) return
    const reason = new P2pError('P2P_OLD_PEER_CLOSED', cause)
    this.#effects.push({ type: 'close', link: link.link, reason })
    this.#effects.push({ type: 'dropped', link: link.link, peerId: idText(link.id) ?? '', cause })
    link.buffer = new Uint8Array(0)
    this.#onLost(link)
  }

  #whisper(link: PyLink, payload: readonly Value[], isCompressed = true): void {
    const message = this.#compose(flags.whisper, payload)
    this.#memory.add(message)
    this.#sendMessage(link, message, isCompressed)
  }

  #compose(type: number, payload: readonly Value[]): WireMessage {
    const time = Math.floor(this.#now.utcSeconds)
    const message = createMessage({ type, sender: this.#idBytes, time, payload })
    if (type === flags.broadcast) this.#memory.add(message)
    return message
  }

  #sendMessage(link: PyLink, message: WireMessage, isCompressed = true): void {
    if (link.isClosed) return
    link.lastPayload = message.payload
    const theirs = isCompressed ? link.methods : []
    const bytes = encodeOldFrame(message, { ours: ourMethods, theirs })
    const isPayload = message.type === flags.broadcast
    const priority = isPayload ? 'relay' : 'control'
    this.#effects.push({ type: 'send', link: link.link, bytes, priority })
  }
}

/** Python holds text and bytes apart, as keys too. */
function keyOf(id: Value): string {
  return `${id instanceof Uint8Array ? 'b' : 's'}:${idText(id) ?? JSON.stringify(id)}`
}

function numberOf(id: string): bigint {
  try {
    return decodeBase58Integer(id)
  } catch {
    throw new Drop('unreadable')
  }
}

function urlOf(address: Value | undefined): string | undefined {
  if (!Array.isArray(address)) return undefined
  const [host, port] = address as readonly Value[]
  const number = wholeNumber(port)
  if (typeof host !== 'string' || number === undefined) return undefined
  return formatAddress({ transport: 'tcp', host, port: number, path: '' })
}
