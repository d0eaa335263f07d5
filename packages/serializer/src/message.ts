/**
 * One protocol message: the values and the bytes that are hashed and relayed.
 *
 *   body = msgpack array [type, sender, time, ...payload]  |  tail (usually empty)
 *   id   = SHA-256(body)
 *
 * The bytes decide: a relay passes `body` on as it came, because the same values can be written in
 * several ways and each has another id. Source: spec/wire.md §1.1, §5, §9.
 */
import { sha256 } from '#digest'
import { concatBytes } from './bytes.ts'
import { DecodeError, EncodeError } from './errors.ts'
import { Decoder } from './msgpack/decode.ts'
import { Encoder } from './msgpack/encode.ts'
import { Float } from './value.ts'
import type { Value } from './value.ts'

/** A decoded or composed protocol message; `body` and `id` are what travels and what identifies it. */
export interface WireMessage {
  /** Main flag: 0 broadcast, 1 renegotiate, 2 whisper. */
  readonly type: number
  /** Node id of the originator, as it was on the wire: text or bytes. Compare with `sameId`. */
  readonly sender: string | Uint8Array
  /** Seconds since 1970-01-01 UTC, whole. */
  readonly time: number
  /** Sub-flag first. A whole float64 is a `Float` here. */
  readonly payload: readonly Value[]
  /** The msgpack array, and whatever stood behind it: the bytes that are hashed and relayed. */
  readonly body: Uint8Array
  /** SHA-256 of `body`, 32 bytes. */
  readonly id: Uint8Array
  /** What stands in `body` behind the msgpack array; empty for the originals. */
  readonly tail: Uint8Array
}

/** The bytes of a message whose checksum is right, with nothing decoded. */
export interface SealedBody {
  readonly body: Uint8Array
  /** SHA-256 of `body`, 32 bytes. */
  readonly id: Uint8Array
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
  const { type, sender, time, payload } = fields
  if (!Number.isSafeInteger(type) || !Number.isSafeInteger(time)) {
    throw new EncodeError('P2P_ENCODE_TYPE', 'type and time of a message are integers')
  }
  if (typeof sender !== 'string' && !(sender instanceof Uint8Array)) {
    throw new EncodeError('P2P_ENCODE_TYPE', 'the sender of a message is text or bytes')
  }
  const packed = new Encoder().encode([[type, sender, time, ...payload]])
  const tail = fields.tail ?? new Uint8Array(0)
  const body = tail.length === 0 ? packed : concatBytes(packed, tail)
  return { type, sender, time, payload, body, id: sha256(body), tail }
}

/**
 * Reads the message in a body, whose id is taken as given (see `openFrame`).
 *
 * @throws DecodeError `P2P_MESSAGE_HEADER` when the body is no array, has fewer than three elements, or
 *   type and time are not integers (a float with a whole value is one) or the sender neither text nor
 *   bytes; the originals ignore most of these and keep the link. `P2P_MSGPACK_…` for bytes that
 *   are not msgpack, for which they close it.
 */
export function decodeMessage(
  sealed: SealedBody,
  options: { readonly maxDepth?: number } = {},
): WireMessage {
  const { body, id } = sealed
  const decoder = new Decoder(body, options)
  const count = decoder.readArrayHeader()
  const values: Value[] = []
  for (let i = 0; i < count; i++) values.push(decoder.read())
  const [type, sender, time, ...payload] = values
  const header = { type: wholeNumber(type), sender, time: wholeNumber(time) }
  if (header.type === undefined || header.time === undefined || !isIdValue(header.sender)) {
    throw new DecodeError(
      'P2P_MESSAGE_HEADER',
      'a message starts with an integer, an id and an integer',
      { elements: count },
    )
  }
  const tail = body.subarray(decoder.offset)
  return { type: header.type, sender: header.sender, time: header.time, payload, body, id, tail }
}

/** Hashes a body of unknown origin and reads the message in it. Errors as `decodeMessage`. */
export function messageFromBody(
  body: Uint8Array,
  options: { readonly maxDepth?: number } = {},
): WireMessage {
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

function isIdValue(value: Value | undefined): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}
