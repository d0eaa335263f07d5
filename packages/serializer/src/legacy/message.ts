/**
 * Messages of protocols 0.2 to 0.5: before msgpack, everything is a byte string.
 *
 *   frame    u32 length of the block  |  block, plain or compressed as a whole
 *   block    packets (packets.ts): main flag, sender id, message id, time in base58, ...payload
 *   id       base58 of SHA-384 over the joined payload and the time text
 *
 * 0.2 and 0.3 do not check the id when they read a message, 0.4 and 0.5 do, and so do we. The 0.6
 * format is that of 0.7: use `decodeFrame`. Nobody negotiates these versions with us; they are here
 * for archives, tools and gateways. Source: spec/wire.md §11.
 */
import { sha384 } from '#digest'
import { decodeBase58Integer, encodeBase58Integer } from '../base58.ts'
import { bytesEqual, concatBytes } from '../bytes.ts'
import { compressBlock } from '../compression.ts'
import { DecodeError, EncodeError } from '../errors.ts'
import { blockReadings, frameBlock, plainFrame } from '../frame.ts'
import type { DecodeFrameOptions } from '../frame.ts'
import { utf8Decode, utf8Encode } from '../text.ts'
import { joinInTurn, joinWithTable, splitInTurn, splitWithTable } from './packets.ts'

/** Protocol versions with a format of their own. */
export type LegacyVersion = '0.2' | '0.3' | '0.4' | '0.5'

/** base58 of 2^53 has ten digits; a longer time is no time. */
const maxTimeDigits = 10
const headerPackets = 4

/** A message of protocol 0.2 to 0.5. */
export interface LegacyMessage {
  /** The one it was read as. */
  readonly version: LegacyVersion
  /** Main flag: a word up to 0.3, one byte from 0.4 on. */
  readonly type: Uint8Array
  /** Node id of the originator, base58 text as UTF-8. */
  readonly sender: Uint8Array
  /** Seconds since 1970-01-01 UTC. */
  readonly time: number
  /** Sub-flag first. */
  readonly payload: readonly Uint8Array[]
  /** The id that stands in the message, base58 text as UTF-8. */
  readonly id: Uint8Array
  /** True when `id` is the digest of payload and time; can be false for 0.2 and 0.3 only. */
  readonly verified: boolean
}

/** What a legacy message is made of; text stands for its UTF-8 bytes. */
export interface LegacyFields {
  /** Decides the layout, and how zero and the flags are written. */
  readonly version: LegacyVersion
  /** Main flag, one of `legacyFlags[version].main`. */
  readonly type: string | Uint8Array
  /** Node id of the originator, base58 text. */
  readonly sender: string | Uint8Array
  /** Seconds since 1970-01-01 UTC, a whole number. */
  readonly time: number
  /** Sub-flag first, one of `legacyFlags[version].sub`. */
  readonly payload: readonly (string | Uint8Array)[]
}

/**
 * The frame of a legacy message, compressed with `method` when that makes it smaller. `method` is the
 * real format: what 0.2 and 0.3 call `gzip` is `compressionMethods.zlib`.
 *
 * @throws EncodeError `P2P_ENCODE_TYPE` for a time that is no whole number, `P2P_ENCODE_METHOD`
 */
export function encodeLegacyFrame(
  fields: LegacyFields,
  options: { readonly method?: number | undefined } = {},
): Uint8Array {
  const time = utf8Encode(encodeTime(fields.time, fields.version))
  const payload = fields.payload.map(toBytes)
  const packets = [toBytes(fields.type), toBytes(fields.sender), messageId(payload, time), time]
  const join = fields.version === '0.5' ? joinInTurn : joinWithTable
  const block = join([...packets, ...payload])
  if (options.method !== undefined) {
    const compressed = compressBlock(block, options.method)
    if (compressed.length < block.length) return plainFrame(compressed)
  }
  return plainFrame(block)
}

/**
 * The message in one whole frame of the given version. Byte strings are views of `frame` when that was
 * not compressed.
 *
 * @throws DecodeError `P2P_FRAME_LENGTH`, `P2P_FRAME_TOO_LARGE`, `P2P_INFLATED_TOO_LARGE`,
 *   `P2P_CHECKSUM_MISMATCH` (0.4, 0.5), `P2P_LEGACY_INVALID`
 */
export function decodeLegacyFrame(
  frame: Uint8Array,
  options: Omit<DecodeFrameOptions, 'lazyPayload'> & { readonly version: LegacyVersion },
): LegacyMessage {
  let firstError: DecodeError | undefined
  for (const reading of blockReadings(frameBlock(frame, options), options)) {
    try {
      return readBlock(reading, options.version)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      firstError ??= error
    }
  }
  throw firstError ?? new DecodeError('P2P_LEGACY_INVALID', 'the block cannot be read')
}

function readBlock(block: Uint8Array, version: LegacyVersion): LegacyMessage {
  const packets = version === '0.5' ? splitInTurn(block) : splitWithTable(block)
  const [type, sender, id, time] = packets
  if (type === undefined || sender === undefined || id === undefined || time === undefined) {
    throw new DecodeError('P2P_LEGACY_INVALID', `${packets.length} packets, at least 4 expected`, {
      got: packets.length,
    })
  }
  const payload = packets.slice(headerPackets)
  const seconds = decodeTime(time)
  const verified = bytesEqual(messageId(payload, time), id)
  if (!verified && (version === '0.4' || version === '0.5')) {
    throw new DecodeError('P2P_CHECKSUM_MISMATCH', 'the message id is not that of the payload')
  }
  return { version, type, sender, time: seconds, payload, id, verified }
}

function messageId(payload: readonly Uint8Array[], time: Uint8Array): Uint8Array {
  return utf8Encode(encodeBase58Integer(sha384(concatBytes(...payload, time))))
}

/** Up to 0.3 the digits of zero are no digits at all. */
function encodeTime(time: number, version: LegacyVersion): string {
  if (!Number.isSafeInteger(time) || time < 0) {
    throw new EncodeError('P2P_ENCODE_TYPE', 'time is a whole number of seconds, not negative')
  }
  const hasEmptyZero = version === '0.2' || version === '0.3'
  return time === 0 && hasEmptyZero ? '' : encodeBase58Integer(BigInt(time))
}

function decodeTime(bytes: Uint8Array): number {
  const text = bytes.length <= maxTimeDigits ? utf8Decode(bytes) : undefined
  const time = text === undefined ? Number.NaN : Number(decodeBase58Integer(text))
  if (Number.isSafeInteger(time)) return time
  throw new DecodeError('P2P_LEGACY_INVALID', 'the time is no base58 number of seconds')
}

function toBytes(packet: string | Uint8Array): Uint8Array {
  return typeof packet === 'string' ? utf8Encode(packet) : packet
}
