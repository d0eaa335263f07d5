/**
 * Frames: what stands on a byte stream.
 *
 *  offset  size  field
 *  0       4     length of all that follows, unsigned big-endian
 *  4       …     block, plain or compressed as a whole
 *
 *  plain block
 *  0       32    SHA-256 of the body, which is also the id of the message
 *  32      …     body (message.ts)
 *
 * The frame does not say how the block is compressed. The originals try what the sender announced; we
 * look at the first bytes and let the checksum decide. Source: spec/wire.md §1 and §6.
 */
import { sha256 } from '#digest'
import { bytesEqual } from './bytes.ts'
import {
  compressBlock,
  decodableMethods,
  inflateBlock,
  inflatedTooLarge,
  mayBeMethod,
} from './compression.ts'
import { DecodeError, EncodeError } from './errors.ts'
import { resolveLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { decodeMessage } from './message.ts'
import type { SealedBody, WireMessage } from './message.ts'

/** Bytes of the length in front of each frame. */
export const frameHeaderBytes = 4
/** Bytes of the checksum in front of each body. */
export const checksumBytes = 32

export interface DecodeFrameOptions {
  /** Compression methods to try, in this order; default zlib, gzip, snappy. */
  readonly methods?: readonly number[]
  readonly limits?: Partial<Limits>
}

/**
 * The frame of a message, compressed with `method` when that makes it smaller. The array may be
 * shared between links; do not write into it.
 *
 * @throws EncodeError `P2P_ENCODE_TOO_LARGE`, `P2P_ENCODE_METHOD`
 */
export function encodeFrame(
  message: SealedBody,
  options: { readonly method?: number | undefined } = {},
): Uint8Array {
  const { body, id } = message
  const plainBytes = checksumBytes + body.length
  if (plainBytes > 0xffff_ffff) {
    throw new EncodeError('P2P_ENCODE_TOO_LARGE', 'a frame holds less than 4 GiB')
  }
  const frame = new Uint8Array(frameHeaderBytes + plainBytes)
  frame.set(id, frameHeaderBytes)
  frame.set(body, frameHeaderBytes + checksumBytes)
  if (options.method !== undefined) {
    const block = compressBlock(frame.subarray(frameHeaderBytes), options.method)
    if (block.length < plainBytes) return plainFrame(block)
  }
  return withLength(frame)
}

/** A frame around a block that is ready. */
export function plainFrame(block: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + block.length)
  frame.set(block, frameHeaderBytes)
  return withLength(frame)
}

function withLength(frame: Uint8Array): Uint8Array {
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, frame.length - frameHeaderBytes)
  return frame
}

/**
 * The message in one whole frame. Its bytes are views of `frame` when that was not compressed.
 *
 * @throws DecodeError those of `openFrame` and `decodeMessage`
 */
export function decodeFrame(frame: Uint8Array, options: DecodeFrameOptions = {}): WireMessage {
  const limits = resolveLimits(options.limits)
  return decodeMessage(openFrame(frame, options), { maxDepth: limits.maxDepth })
}

/**
 * Takes the length and the compression off a frame and verifies the checksum; decodes nothing.
 *
 * @throws DecodeError `P2P_FRAME_LENGTH`, `P2P_FRAME_TOO_LARGE`, `P2P_CHECKSUM_MISMATCH`,
 *   `P2P_INFLATED_TOO_LARGE`
 */
export function openFrame(frame: Uint8Array, options: DecodeFrameOptions = {}): SealedBody {
  const block = frameBlock(frame, options)
  for (const reading of blockReadings(block, options)) {
    if (reading instanceof DecodeError) throw reading
    const opened = openPlain(reading)
    if (opened !== undefined) return opened
  }
  throw new DecodeError('P2P_CHECKSUM_MISMATCH', 'no reading of the block has a right checksum', {
    got: block.length,
  })
}

/** The block of a whole frame, after its length has been checked. */
export function frameBlock(frame: Uint8Array, options: DecodeFrameOptions): Uint8Array {
  const { maxFrameBytes } = resolveLimits(options.limits)
  const length =
    frame.length < frameHeaderBytes ? -1 : new DataView(frame.buffer, frame.byteOffset).getUint32(0)
  if (length > maxFrameBytes) throw frameTooLarge(length, maxFrameBytes)
  if (length !== frame.length - frameHeaderBytes) {
    throw new DecodeError('P2P_FRAME_LENGTH', 'the length in front is not that of the frame', {
      expected: length,
      got: frame.length - frameHeaderBytes,
    })
  }
  return frame.subarray(frameHeaderBytes)
}

/**
 * What a block may mean: itself, then what each method makes of it whose mark it carries. The caller
 * takes the first that proves right; an error comes last, when a method went beyond the limits.
 */
export function* blockReadings(
  block: Uint8Array,
  options: DecodeFrameOptions,
): Generator<Uint8Array | DecodeError, void> {
  yield block
  const limits = resolveLimits(options.limits)
  const maxBytes = Math.min(limits.maxInflatedBytes, block.length * limits.maxInflationRatio)
  let tooLarge = false
  for (const method of options.methods ?? decodableMethods) {
    if (!mayBeMethod(block, method)) continue
    const result = inflateBlock(block, method, maxBytes)
    if (result.type === 'too-large') tooLarge = true
    if (result.type === 'inflated') yield result.bytes
  }
  if (tooLarge) yield inflatedTooLarge(maxBytes, block.length)
}

function openPlain(block: Uint8Array): SealedBody | undefined {
  if (block.length <= checksumBytes) return undefined
  const body = block.subarray(checksumBytes)
  const id = block.subarray(0, checksumBytes)
  return bytesEqual(sha256(body), id) ? { body, id } : undefined
}

/** The error for a frame whose length is beyond the limit. */
export function frameTooLarge(got: number, limit: number): DecodeError {
  return new DecodeError(
    'P2P_FRAME_TOO_LARGE',
    `frame of ${got} bytes exceeds maxFrameBytes ${limit}`,
    { got, limit },
  )
}
