/**
 * One link that speaks protocol 0.7: bytes in, what they mean out; messages in, frames out.
 *
 * A connection knows nothing of other links, of dialling or of who may stay: that is peers.ts. It
 *   - cuts and checks frames, and keeps the time and pace of a half-received one;
 *   - reads the first handshake and later ones, the hello and control whispers of our own nodes;
 *   - carries out renegotiation as far as old peers need it (spec/mesh.md, 6);
 *   - compresses when the peer listed a method of ours and it makes the frame shorter, and never
 *     before the peer's list is known (spec/wire.md 6.4, spec/observed.md 4.14);
 *   - counts what the peer may make us answer.
 *
 * Sub-flags are believed only under the main flag that the specification gives them, unlike in the
 * originals: a relayed handshake would otherwise rewrite the identity of the relaying link.
 */
import {
  FrameSplitter,
  createMessage,
  decodeFrame,
  encodeFrame,
  flags,
  intersect,
  looksCompressed,
  negotiate,
  wholeNumber,
} from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { parseAddress } from './address.ts'
import type { Address } from './address.ts'
import { P2pError, isP2pError } from './errors.ts'
import type { FrameCache } from './frame-cache.ts'
import { createHandshakePayload, isHandshake, parseHandshake } from './handshake.ts'
import type { Handshake } from './handshake.ts'
import {
  controlFlag,
  createControlPayload,
  createHelloPayload,
  fillerFlag,
  helloFlag,
  nonceBytes,
  parseControl,
  parseHello,
} from './hello.ts'
import type { Control, Hello } from './hello.ts'
import type { NodeLimits } from './limits.ts'
import type { DialId, LinkEffect, LinkId, SendPriority, TransportName } from './link.ts'
import type { Now } from './machine.ts'

/** What a node says about itself on every link of one transport. */
export interface OwnIdentity {
  /** As it goes on the wire: text, or the bytes of the text. */
  readonly wireId: string | Uint8Array
  readonly networkId: string
  readonly address: Address | undefined
  /** Addresses on all transports, for our own kind. */
  readonly addresses: readonly string[]
  readonly methods: readonly number[]
  readonly features: ReadonlySet<string>
  /** False: no marker, no hello; a plain 0.7 node. */
  readonly extensions: boolean
}

export interface ConnectionOptions {
  readonly link: LinkId
  readonly transport: TransportName
  readonly remote: string
  /** The dial this link came from; undefined when the other end dialled. */
  readonly dial: DialId | undefined
  readonly own: OwnIdentity
  /** Identifies this link in the hello. */
  readonly nonce: Uint8Array
  readonly limits: NodeLimits
  readonly frames: FrameCache
  readonly openedMs: number
}

/** What came out of the bytes of a link. */
export type Arrival =
  /** The first usable handshake. */
  | { readonly type: 'handshake'; readonly handshake: Handshake }
  /** A later one under the same id; `handshake` of the connection has been replaced. */
  | { readonly type: 'refresh' }
  | { readonly type: 'hello' }
  | { readonly type: 'control'; readonly control: Control }
  | { readonly type: 'message'; readonly message: WireMessage }
  /** An answer that the link itself owes. */
  | { readonly type: 'answer'; readonly frame: Uint8Array }
  /** The link cannot go on; nothing follows. */
  | { readonly type: 'failed'; readonly error: P2pError }

type Send = Extract<LinkEffect, { type: 'send' }>

/** A handshake is some 300 bytes; before it, nobody gets more of our memory than this. */
const maxBytesBeforeHandshake = 65_536
/** What a message may be that an old peer takes, and passes on. */
const passedByOld: ReadonlySet<string> = new Set([
  'P2P_MSGPACK_TOO_DEEP',
  'P2P_MSGPACK_TOO_MANY_VALUES',
])
/** Messages before the handshake that are kept: chord nodes of js2p send their meta first. */
const maxEarlyMessages = 4

/** Control messages below this go out plain: a peers list loses a third at the price of ten plain ones. */
const minCompressedControlBytes = 8_192

export class Connection {
  readonly link: LinkId
  readonly transport: TransportName
  readonly remote: string
  readonly dial: DialId | undefined
  readonly nonce: Uint8Array
  readonly openedMs: number
  lastReceivedMs: number
  /** When it was last asked for a sign of life. */
  pingedMs: number = -Infinity
  /** Counted here, added up in link-totals.ts. */
  bytesIn: number = 0
  bytesOut: number = 0
  ignoredMessages: number = 0
  withheldAnswers: number = 0
  readonly #own: OwnIdentity
  readonly #limits: NodeLimits
  readonly #frames: FrameCache
  readonly #splitter: FrameSplitter
  readonly #isLoopback: boolean
  #handshake: Handshake | undefined
  #hello: Hello | undefined
  #peerMethods: readonly Value[] = []
  #method: number | undefined
  #early: WireMessage[] = []
  #lastSent: WireMessage | undefined
  #frameStartedMs: number | undefined
  /** What the transport cannot hand over yet. */
  #heldBytes = 0
  #replyBytes = 0

  constructor(options: ConnectionOptions) {
    this.link = options.link
    this.transport = options.transport
    this.remote = options.remote
    this.dial = options.dial
    this.nonce = options.nonce
    this.openedMs = options.openedMs
    this.#own = options.own
    this.#limits = options.limits
    this.#frames = options.frames
    this.lastReceivedMs = options.openedMs
    this.#isLoopback = isLoopback(options.remote)
    this.#splitter = new FrameSplitter(options.frames.reading)
  }

  get outgoing(): boolean {
    return this.dial !== undefined
  }
  /** The peer's latest handshake; undefined before the first. */
  get handshake(): Handshake | undefined {
    return this.#handshake
  }
  get hello(): Hello | undefined {
    return this.#hello
  }
  /** True between a handshake with the marker and the hello that has to follow. */
  get awaitsHello(): boolean {
    return this.#expectsHello() && this.#hello === undefined
  }
  /** True while nothing came since the last ping. */
  get owesAnswer(): boolean {
    return this.lastReceivedMs < this.pingedMs
  }
  /** Bytes of a frame that is not whole yet. */
  get receivingBytes(): number {
    return this.#splitter.pendingBytes + this.#heldBytes
  }
  /** Since when that frame has been under way. */
  get frameStartedMs(): number | undefined {
    return this.#frameStartedMs
  }

  /** True when both ends named the feature. */
  supports(feature: string): boolean {
    return this.#own.features.has(feature) && this.#hello?.features.has(feature) === true
  }

  /** The moment at which the half-received frame is too slow; Infinity between frames. */
  get frameDeadlineMs(): number {
    if (this.#frameStartedMs === undefined) return Infinity
    const { frameGraceMs, minFrameBytesPerSecond } = this.#limits
    const earnedMs = (1_000 * this.receivingBytes) / minFrameBytesPerSecond
    return this.#frameStartedMs + frameGraceMs + earnedMs
  }

  /** Messages that came before the handshake and may be handed up once the peer is open. */
  takeEarlyMessages(): readonly WireMessage[] {
    const early = this.#early
    this.#early = []
    return early
  }

  handshakeFrame(now: Now): Uint8Array {
    return this.#plainFrame(createHandshakePayload({ ...this.#own, id: this.#own.wireId }), now)
  }

  helloFrame(now: Now): Uint8Array {
    const { features, addresses } = this.#own
    const { maxFrameBytes } = this.#limits
    return this.#plainFrame(
      createHelloPayload({ features, nonce: this.nonce, addresses, maxFrameBytes }),
      now,
    )
  }

  controlFrame(control: Control, now: Now): Uint8Array {
    return this.#plainFrame(createControlPayload(control), now)
  }

  /** What our own kind answers at once. For a second it is the same on all links. */
  pingFrame(now: Now): Uint8Array {
    this.pingedMs = now.monoMs
    let { ping } = this.#frames
    if (ping?.time !== Math.floor(now.utcSeconds)) {
      const nonce = new Uint8Array(nonceBytes)
      ping = this.#compose(flags.whisper, createControlPayload({ verb: 'ping', nonce }), now)
      this.#frames.ping = ping
    }
    return this.#sent(encodeFrame(ping))
  }

  /** The frame that carries a message to this peer; compressed only where that is likely to pay. */
  encode(message: WireMessage, priority: SendPriority): Uint8Array {
    // Our own kind never asks for it again, and it would be kept for as long as nothing follows it.
    if (this.#hello === undefined) this.#lastSent = message
    const isWorthwhile = isCompressed(message, priority) && !this.#isWithinMachine
    const method = isWorthwhile ? this.#method : undefined
    return this.#sent(this.#frames.frame(message, method))
  }

  /** What sends a frame over this link. */
  send(bytes: Uint8Array, priority: SendPriority): Send {
    const effect: Send = { type: 'send', link: this.link, bytes, priority }
    return this.#handshake?.kind === 'py2p' ? { ...effect, toPython: true } : effect
  }

  /**
   * Between two programs on one machine bytes cost nothing and packing them does. Old peers get what
   * they were promised all the same.
   */
  get #isWithinMachine(): boolean {
    return this.#hello !== undefined && this.#isLoopback
  }

  /**
   * True when an answer of this size is within what the peer may make us send before it has proved
   * to be worth it (design: limits); counts it then.
   */
  chargeReply(replyBytes: number, now: Now): boolean {
    if (this.#hello !== undefined) return true
    const { maxReplyFactor, replyAllowanceBytesPerMinute } = this.#limits
    const minutes = 1 + Math.floor((now.monoMs - this.openedMs) / 60_000)
    const allowance = maxReplyFactor * this.bytesIn + replyAllowanceBytesPerMinute * minutes
    if (this.#replyBytes + replyBytes > allowance) {
      this.withheldAnswers += 1
      return false
    }
    this.#replyBytes += replyBytes
    return true
  }

  /** Takes bytes in and says, one by one, what they meant, until told that the link is closed. */
  receive(bytes: Uint8Array, now: Now, tell: (arrival: Arrival) => 'go-on' | 'closed'): void {
    this.lastReceivedMs = now.monoMs
    this.bytesIn += bytes.length
    const wasBetweenFrames = this.receivingBytes === 0
    this.#heldBytes = 0
    let frames: readonly Uint8Array[]
    try {
      frames = this.#splitter.push(bytes)
    } catch (error) {
      tell({ type: 'failed', error: this.#failure(error) })
      return
    }
    if (this.receivingBytes === 0) this.#frameStartedMs = undefined
    else if (wasBetweenFrames || frames.length > 0) this.#frameStartedMs = now.monoMs
    for (const frame of frames) {
      const arrival = this.#open(frame, now)
      if (arrival === undefined) continue
      if (tell(arrival) === 'closed' || arrival.type === 'failed') return
    }
    const error = this.#tooLongBeforeHandshake()
    if (error !== undefined) tell({ type: 'failed', error })
  }

  /** The transport holds so many bytes; returns why the link cannot go on, if so. */
  hold(byteCount: number, now: Now): P2pError | undefined {
    this.#heldBytes = byteCount
    this.#frameStartedMs ??= now.monoMs
    return this.#tooLongBeforeHandshake()
  }

  #tooLongBeforeHandshake(): P2pError | undefined {
    if (this.#handshake !== undefined || this.receivingBytes <= maxBytesBeforeHandshake) {
      return undefined
    }
    return new P2pError('P2P_NOT_P2P', 'too long for a handshake', {
      facts: { limit: maxBytesBeforeHandshake },
    })
  }

  #open(frame: Uint8Array, now: Now): Arrival | undefined {
    let message: WireMessage
    try {
      message = decodeFrame(frame, this.#frames.reading)
    } catch (error) {
      // An array that is no message: old peers keep the link. Over another root they close it.
      if (isP2pError(error) && error.code === 'P2P_MESSAGE_HEADER') return this.#ignore()
      // They have no limits, and pass on what anybody sent.
      const isOld = this.#handshake !== undefined && this.#hello === undefined
      if (isOld && isP2pError(error) && passedByOld.has(error.code)) return this.#ignore()
      return { type: 'failed', error: this.#failure(error) }
    }
    if (isHandshake(message)) return this.#onHandshake(message)
    if (message.payload.length === 0) return this.#ignore()
    if (this.#handshake === undefined) return this.#onEarly(message)
    if (message.type === flags.broadcast) this.#frames.noteReceived(message, frame)
    return this.#onMessage(message, now)
  }

  #onHandshake(message: WireMessage): Arrival {
    const parsed = parseHandshake(message, this.transport)
    if (isP2pError(parsed)) return { type: 'failed', error: parsed }
    const previous = this.#handshake
    if (previous !== undefined && previous.id !== parsed.id) {
      const text = 'a later handshake named another id'
      return { type: 'failed', error: new P2pError('P2P_ID_CHANGED', text) }
    }
    if (previous !== undefined && previous.networkId !== parsed.networkId) {
      const text = 'a later handshake named another network'
      return { type: 'failed', error: new P2pError('P2P_WRONG_NETWORK', text) }
    }
    this.#handshake = parsed
    this.#usePeerMethods(parsed.methods)
    return previous === undefined ? { type: 'handshake', handshake: parsed } : { type: 'refresh' }
  }

  #onEarly(message: WireMessage): undefined {
    const isMeta =
      message.type === flags.whisper &&
      message.payload.length === 2 &&
      wholeNumber(message.payload[0]) === flags.handshake
    if (!isMeta || this.#early.length >= maxEarlyMessages) return this.#ignore()
    this.#early.push(message)
    return undefined
  }

  #onMessage(message: WireMessage, now: Now): Arrival | undefined {
    const subFlag = wholeNumber(message.payload[0])
    if (message.type === flags.renegotiate) {
      if (subFlag === flags.compression) return this.#onNewMethods(message, now)
      if (subFlag === flags.resend) return this.#onResend(now)
    }
    if (message.type === flags.whisper && this.#expectsHello()) {
      if (subFlag === helloFlag) return this.#onHello(message)
      if (subFlag === controlFlag) {
        const control = parseControl(message)
        return control === undefined ? this.#ignore() : { type: 'control', control }
      }
      if (subFlag === fillerFlag) return undefined
    }
    // A handshake of another length, or under another main flag, is none (spec/mesh.md, 2).
    const isMeta = message.type === flags.whisper && message.payload.length === 2
    if (subFlag === flags.handshake && !isMeta) return this.#ignore()
    return { type: 'message', message }
  }

  #onHello(message: WireMessage): Arrival | undefined {
    const hello = parseHello(message)
    if (hello === undefined || this.#hello !== undefined) return this.#ignore()
    this.#hello = hello
    this.#lastSent = undefined
    return { type: 'hello' }
  }

  /** A new list of methods; py2p wants to hear the common ones when the list differs (spec/mesh.md, 6). */
  #onNewMethods(message: WireMessage, now: Now): Arrival | undefined {
    const list = message.payload[1]
    if (!Array.isArray(list) || list.length > 64) return this.#ignore()
    const methods = list as readonly Value[]
    const isSame =
      methods.length === this.#peerMethods.length &&
      methods.every((method, index) => method === this.#peerMethods[index])
    this.#usePeerMethods(methods)
    if (isSame || this.#handshake?.kind !== 'py2p') return undefined
    const common: readonly Value[] = intersect<Value>(this.#own.methods, methods)
    const answer = this.#compose(flags.renegotiate, [flags.compression, common], now)
    return this.#answer(answer, now)
  }

  /** The last message again, plain: once, and only a small one, or it would be an amplifier. */
  #onResend(now: Now): Arrival | undefined {
    const last = this.#lastSent
    this.#lastSent = undefined
    if (last === undefined || last.body.length > this.#limits.maxResendBytes) return this.#ignore()
    return this.#answer(last, now)
  }

  #answer(message: WireMessage, now: Now): Arrival | undefined {
    const frame = this.#frames.plain(message)
    if (!this.chargeReply(frame.length, now)) return this.#ignore()
    return { type: 'answer', frame: this.#sent(frame) }
  }

  #ignore(): undefined {
    this.ignoredMessages += 1
    return undefined
  }

  #expectsHello(): boolean {
    return this.#own.extensions && this.#handshake?.hasMarker === true
  }

  #usePeerMethods(methods: readonly Value[]): void {
    this.#peerMethods = methods
    this.#method = negotiate(this.#own.methods, methods)
  }

  #plainFrame(payload: readonly Value[], now: Now): Uint8Array {
    return this.#sent(this.#frames.plain(this.#compose(flags.whisper, payload, now)))
  }

  #compose(type: number, payload: readonly Value[], now: Now): WireMessage {
    const time = Math.floor(now.utcSeconds)
    return createMessage({ type, sender: this.#own.wireId, time, payload })
  }

  #sent(frame: Uint8Array): Uint8Array {
    this.bytesOut += frame.length
    return frame
  }

  /** What a decoding failure means: before the handshake the other end does not speak our language. */
  #failure(cause: unknown): P2pError {
    if (this.#handshake === undefined) {
      return new P2pError('P2P_NOT_P2P', 'the other end does not speak protocol 0.7', { cause })
    }
    const text = 'the peer sent no valid frame'
    return new P2pError('P2P_BAD_FRAME', text, { cause })
  }
}

/** Announcements are lists of hashes, which do not shrink, and go to our own kind only. */
function isCompressed({ body, id }: WireMessage, priority: SendPriority): boolean {
  if (priority === 'announce') return false
  if (looksCompressed(id)) return true
  return priority !== 'control' || body.length >= minCompressedControlBytes
}

function isLoopback(remote: string): boolean {
  const host = parseAddress(remote)?.host ?? ''
  return host === '::1' || /^(::ffff:)?127\./.test(host)
}
