/**
 * One protocol message: the values and the bytes that are hashed and relayed.
 *
 *   body = msgpack array [type, sender, time, ...payload]  |  tail (usually empty)
 *   id   = SHA-256(body)
 *
 * The bytes decide: a relay passes `body` on as it came, because the same values can be written in
 * several ways and each has another id. Source: spec/wire.md §1.1, §5, §9.
 */
import { matchesSha256, sha256, writeSha256 } from '#digest'
import { plainBytes } from './bytes.ts'
import { DecodeError, EncodeError } from './errors.ts'
import { resolveLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { writeWith } from './msgpack/encode.ts'
import { Reader } from './msgpack/reader.ts'
import { Float } from './value.ts'
import type { Value } from './value.ts'

/** Bytes of the length in front of each frame. */
export const frameHeaderBytes = 4
/** Bytes of the checksum in front of each body. */
export const checksumBytes = 32
const bodyOffset = frameHeaderBytes + checksumBytes

/** A decoded or composed protocol message; `body` and `id` are what travels and what identifies it. */
export interface WireMessage {
  /** Main flag: 0 broadcast, 1 renegotiate, 2 whisper. */
  readonly type: number
  /** Node id of the originator, as it was on the wire: text or bytes. Compare with `sameId`. */
  readonly sender: string | Uint8Array
  /** Seconds since 1970-01-01 UTC, whole. */
  readonly time: number
  /**
   * Sub-flag first. A whole float64 is a `Float` here. Of a message read with `lazyPayload` it is decoded
   * when it is first asked for, and throws what decoding throws, then and at each later time.
   */
  readonly payload: readonly Value[]
  /** The msgpack array, and whatever stood behind it: the bytes that are hashed and relayed. */
  readonly body: Uint8Array
  /** SHA-256 of `body`, 32 bytes. */
  readonly id: Uint8Array
  /**
   * What stands in `body` behind the msgpack array; empty for the originals. Where it begins is known once
   * the payload is decoded: with `lazyPayload` it throws as `payload` does.
   */
  readonly tail: Uint8Array
}

/** The bytes of a message whose checksum is right, with nothing decoded. */
export interface SealedBody {
  /** The msgpack array, and whatever stood behind it. */
  readonly body: Uint8Array
  /** SHA-256 of `body`, 32 bytes. */
  readonly id: Uint8Array
}

/** How much of a message is read. */
export interface DecodeMessageOptions {
  /** What reading may cost; those left out are `defaultLimits`. */
  readonly limits?: Partial<Limits>
  /**
   * Decode only type, sender and time, and the payload when it is first asked for: for who drops or files
   * messages by these or by their id. What is passed on should be decoded before, since py2p closes the
   * link over a payload that is not msgpack. Default false.
   */
  readonly lazyPayload?: boolean
}

/**
 * Packs and hashes a message, once for all links.
 *
 * @param fields.type main flag, an integer
 * @param fields.time seconds since 1970-01-01 UTC, an integer: a fractional time makes js2p drop its links
 * @param fields.payload sub-flag first
 * @param fields.tail bytes behind the array: part of the id, ignored and relayed by the originals
 * @throws EncodeError for values that this wire cannot carry
 */
export function createMessage(fields: {
  readonly type: number
  readonly sender: string | Uint8Array
  readonly time: number
  readonly payload: readonly Value[]
  readonly tail?: Uint8Array
}): WireMessage {
  const { type, sender, time, payload, tail } = fields
  if (!Number.isSafeInteger(type) || !Number.isSafeInteger(time)) {
    throw new EncodeError('P2P_ENCODE_TYPE', 'type and time are integers')
  }
  let tailOffset = 0
  const frame = writeWith((writer) => {
    writer.begin(bodyOffset)
    writer.openMessage(3 + payload.length)
    writer.integer(type)
    if (typeof sender === 'string') writer.text(sender)
    else if (sender instanceof Uint8Array) writer.bytes(sender)
    else throw new EncodeError('P2P_ENCODE_TYPE', 'a sender is text or bytes')
    writer.integer(time)
    writer.elements(payload)
    tailOffset = writer.length
    if (tail !== undefined) writer.raw(tail)
    return writer.finish()
  })
  return sealFrame(frame, { type, sender, time }, payload, tailOffset)
}

/** Fills in the length and the checksum, for which the first 36 bytes of `frame` were left free. */
function sealFrame(
  frame: Uint8Array,
  head: Head,
  payload: readonly Value[],
  tailOffset: number,
): WireMessage {
  const body = withLength(frame).subarray(bodyOffset)
  writeSha256(body, frame, frameHeaderBytes)
  return new FramedMessage(head, payload, body, frame, frameHeaderBytes, tailOffset - bodyOffset)
}

/** The same frame, with its length in front. */
export function withLength(frame: Uint8Array): Uint8Array {
  const blockBytes = frame.length - frameHeaderBytes
  if (blockBytes > 0xffff_ffff) {
    throw new EncodeError('P2P_ENCODE_TOO_LARGE', 'a frame holds less than 4 GiB')
  }
  frame[0] = blockBytes >>> 24
  frame[1] = blockBytes >>> 16
  frame[2] = blockBytes >>> 8
  frame[3] = blockBytes
  return frame
}

/** The length that stands at `offset`, where at least four bytes are left. */
export function frameLength(bytes: Uint8Array, offset: number): number {
  const high = ((bytes[offset] as number) << 24) | ((bytes[offset + 1] as number) << 16)
  return (high | ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number)) >>> 0
}

interface Head {
  readonly type: number
  readonly sender: string | Uint8Array
  readonly time: number
}

/**
 * A message that knows the array its checksum stands in. When that is a whole frame, relaying it costs
 * nothing.
 */
export class FramedMessage implements WireMessage {
  readonly type: number
  readonly sender: string | Uint8Array
  readonly time: number
  readonly payload: readonly Value[]
  readonly body: Uint8Array
  readonly #block: Uint8Array
  readonly #checksumOffset: number
  #id: Uint8Array | undefined
  readonly #tailOffset: number

  constructor(
    head: Head,
    payload: readonly Value[],
    body: Uint8Array,
    block: Uint8Array,
    checksumOffset: number,
    tailOffset: number,
  ) {
    this.type = head.type
    this.sender = head.sender
    this.time = head.time
    this.payload = payload
    this.body = body
    this.#block = block
    this.#checksumOffset = checksumOffset
    this.#tailOffset = tailOffset
  }

  get id(): Uint8Array {
    // A mesh asks several times for each message, and a view costs more than all else it does with it.
    this.#id ??= this.#block.subarray(this.#checksumOffset, this.#checksumOffset + checksumBytes)
    return this.#id
  }

  get tail(): Uint8Array {
    return this.body.subarray(this.#tailOffset)
  }

  /** The uncompressed frame, if this message was written as one or came in one. */
  get plainFrame(): Uint8Array | undefined {
    return this.#checksumOffset === frameHeaderBytes ? this.#block : undefined
  }
}

/** Where a body and its checksum stand. */
interface Place {
  readonly body: Uint8Array
  readonly block: Uint8Array
  readonly checksumOffset: number
}

/** The same, with a payload that is decoded when it is first asked for. */
export class LazyMessage implements WireMessage {
  readonly type: number
  readonly sender: string | Uint8Array
  readonly time: number
  readonly body: Uint8Array
  readonly id: Uint8Array
  readonly plainFrame: Uint8Array | undefined
  readonly #decode: () => WireMessage
  #whole: WireMessage | undefined

  /** `message` is without its payload; `decode` gives it with that, or throws. */
  constructor(message: FramedMessage, decode: () => WireMessage) {
    this.type = message.type
    this.sender = message.sender
    this.time = message.time
    this.body = message.body
    this.id = message.id
    this.plainFrame = message.plainFrame
    this.#decode = decode
  }

  get payload(): readonly Value[] {
    return (this.#whole ??= this.#decode()).payload
  }

  get tail(): Uint8Array {
    return (this.#whole ??= this.#decode()).tail
  }
}

/**
 * Reads the message whose checksum stands at `checksumOffset` in `block`, its body behind that;
 * undefined when the checksum is wrong.
 */
export function readSealed(
  block: Uint8Array,
  checksumOffset: number,
  limits: Limits,
  options: DecodeMessageOptions,
): WireMessage | undefined {
  if (block.length <= checksumOffset + checksumBytes) return undefined
  const body = block.subarray(checksumOffset + checksumBytes)
  if (!matchesSha256(body, block, checksumOffset)) return undefined
  return readMessage({ body, block, checksumOffset }, limits, options.lazyPayload)
}

function readMessage(place: Place, limits: Limits, isLazy = false): WireMessage {
  const { body, block, checksumOffset } = place
  const reader = new Reader(body, 0, limits, true)
  const count = countAfterHead(reader)
  const type = reader.value()
  const sender = reader.value()
  const time = reader.value()
  // Before the head is judged: over what is not msgpack a link is closed, over a wrong head it is not.
  const payload = isLazy ? [] : reader.values(count)
  const head = headOf(type, sender, time)
  const message = new FramedMessage(head, payload, body, block, checksumOffset, reader.offset)
  return isLazy ? withLazyPayload(message, place, limits) : message
}

/** Apart, because a function that makes another one costs more at each call. */
function withLazyPayload(message: FramedMessage, place: Place, limits: Limits): WireMessage {
  return new LazyMessage(message, () => readMessage(place, limits))
}

/** Enters the array of the message; returns how many values follow the first three. */
function countAfterHead(reader: Reader): number {
  const count = reader.messageHeader()
  if (count === undefined) {
    throw new DecodeError('P2P_MESSAGE_NOT_ARRAY', 'a message is an array')
  }
  if (count < 3) {
    throw new DecodeError('P2P_MESSAGE_HEADER', 'a message has at least three values', {
      got: count,
    })
  }
  return count - 3
}

function headOf(type: Value, sender: Value, time: Value): Head {
  const wholeType = wholeNumber(type)
  const wholeTime = wholeNumber(time)
  if (wholeType === undefined || wholeTime === undefined || !isIdValue(sender)) {
    throw new DecodeError(
      'P2P_MESSAGE_HEADER',
      'a message starts with an integer, an id and an integer',
    )
  }
  return { type: wholeType, sender, time: wholeTime }
}

/**
 * Reads the message in a body whose checksum was verified (see `openFrame`).
 *
 * @throws DecodeError `P2P_MESSAGE_NOT_ARRAY` for another root, over which the originals close their
 *   link; `P2P_MESSAGE_HEADER` when it has fewer than three elements, or
 *   type and time are not integers (a float with a whole value is one) or the sender neither text nor
 *   bytes; the originals ignore most of these and keep the link. `P2P_MSGPACK_…` for bytes that
 *   are not msgpack, for which they close it.
 */
export function decodeMessage(sealed: SealedBody, options: DecodeMessageOptions = {}): WireMessage {
  const body = plainBytes(sealed.body)
  const place = { body, block: sealed.id, checksumOffset: 0 }
  return readMessage(place, resolveLimits(options.limits), options.lazyPayload)
}

/** Hashes a body of unknown origin and reads the message in it. Errors as `decodeMessage`. */
export function messageFromBody(body: Uint8Array, options: DecodeMessageOptions = {}): WireMessage {
  return decodeMessage({ body, id: sha256(body) }, options)
}

/**
 * The whole number that a value means: js2p writes large integers as float64. Undefined for anything
 * else, also for bigints, which are beyond what a number can hold.
 */
export function wholeNumber(value: unknown): number | undefined {
  const number = value instanceof Float ? value.value : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined
}

function isIdValue(value: Value): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}
