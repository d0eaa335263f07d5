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
import { matchesSha256 } from '#digest'
import { plainBytes } from './bytes.ts'
import {
  compressBlock,
  decodableMethods,
  inflatedTooLarge,
  inflaterOf,
  looksCompressed,
} from './compression.ts'
import { DecodeError } from './errors.ts'
import { resolveLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import {
  checksumBytes,
  FramedMessage,
  frameHeaderBytes,
  frameLength,
  LazyMessage,
  readSealed,
  withLength,
} from './message.ts'
import type { Inflater } from './compression.ts'
import type { DecodeMessageOptions, SealedBody, WireMessage } from './message.ts'

/** How a frame is read. */
export interface DecodeFrameOptions extends DecodeMessageOptions {
  /** Compression methods to try, in this order; default zlib, gzip, snappy, then those of `inflaters`. */
  readonly methods?: readonly number[]
  /** Readers of further methods: `archiveInflaters` of the entry point `archive`, or your own. */
  readonly inflaters?: readonly Inflater[]
}

/**
 * The frame of a message, compressed with `method` when that makes it smaller, or when it would be taken
 * for compressed otherwise (`looksCompressed`). Uncompressed, it is the
 * same array at each call, for all links, and for a relayed message the one that came in: do not write
 * into it.
 *
 * @throws EncodeError `P2P_ENCODE_TOO_LARGE`, `P2P_ENCODE_METHOD`
 */
export function encodeFrame(
  message: SealedBody,
  options?: { readonly method?: number | undefined },
): Uint8Array {
  const plain = (isFramed(message) && message.plainFrame) || joinFrame(message)
  if (options?.method === undefined) return plain
  const plainBlock = plain.subarray(frameHeaderBytes)
  const block = compressBlock(plainBlock, options.method)
  return block.length < plainBlock.length || looksCompressed(plainBlock) ? plainFrame(block) : plain
}

function isFramed(message: SealedBody): message is FramedMessage | LazyMessage {
  return message instanceof FramedMessage || message instanceof LazyMessage
}

function joinFrame({ body, id }: SealedBody): Uint8Array {
  if (id.length !== checksumBytes) throw new RangeError('an id has 32 bytes')
  const frame = new Uint8Array(frameHeaderBytes + checksumBytes + body.length)
  frame.set(id, frameHeaderBytes)
  frame.set(body, frameHeaderBytes + checksumBytes)
  return withLength(frame)
}

/** A frame around a block that is ready. */
export function plainFrame(block: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + block.length)
  frame.set(block, frameHeaderBytes)
  return withLength(frame)
}

/**
 * The message in one whole frame: length taken off, inflated if needed, checksum verified, decoded.
 * Byte strings in it are views of `source` when that was not compressed.
 *
 * @throws DecodeError those of `openFrame`, and those of `decodeMessage` for what stands inside
 */
export function decodeFrame(source: Uint8Array, options: DecodeFrameOptions = {}): WireMessage {
  const frame = plainBytes(source)
  const limits = resolveLimits(options.limits)
  checkLength(frame, limits.maxFrameBytes)
  const message = readSealed(frame, frameHeaderBytes, limits, options)
  if (message !== undefined) return message
  const block = frame.subarray(frameHeaderBytes)
  for (const reading of inflatedReadings(block, options, limits)) {
    const inflated = readSealed(reading, 0, limits, options)
    if (inflated !== undefined) return inflated
  }
  throw checksumMismatch(block)
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
    const body = reading.subarray(checksumBytes)
    if (body.length > 0 && matchesSha256(body, reading, 0)) {
      return { body, id: reading.subarray(0, checksumBytes) }
    }
  }
  throw checksumMismatch(block)
}

function checksumMismatch(block: Uint8Array): DecodeError {
  return new DecodeError('P2P_CHECKSUM_MISMATCH', 'no reading of the block has a right checksum', {
    got: block.length,
  })
}

/** The block of a whole frame, after its length has been checked. */
export function frameBlock(frame: Uint8Array, options: DecodeFrameOptions): Uint8Array {
  checkLength(frame, resolveLimits(options.limits).maxFrameBytes)
  return plainBytes(frame).subarray(frameHeaderBytes)
}

function checkLength(frame: Uint8Array, maxFrameBytes: number): void {
  const announced = frame.length < frameHeaderBytes ? 0 : frameLength(frame, 0)
  const got = frame.length - frameHeaderBytes
  if (announced > maxFrameBytes) throw frameTooLarge(announced, maxFrameBytes)
  if (got < 0 || announced !== got) {
    throw new DecodeError(
      'P2P_FRAME_LENGTH',
      `length ${announced} in front of ${Math.max(got, 0)} bytes`,
      { expected: announced, got },
    )
  }
}

/**
 * What a block may mean: itself, then what each method makes of it whose mark it carries. The caller
 * takes the first that proves right.
 *
 * @throws DecodeError `P2P_INFLATED_TOO_LARGE` at the end, when a method went beyond the limits
 */
export function* blockReadings(
  block: Uint8Array,
  options: DecodeFrameOptions,
): Generator<Uint8Array, void> {
  yield block
  yield* inflatedReadings(block, options, resolveLimits(options.limits))
}

function* inflatedReadings(
  block: Uint8Array,
  { methods, inflaters = [] }: DecodeFrameOptions,
  limits: Limits,
): Generator<Uint8Array, void> {
  const tried = methods ?? [...decodableMethods, ...inflaters.map(({ method }) => method)]
  const maxBytes = Math.min(limits.maxInflatedBytes, block.length * limits.maxInflationRatio)
  let tooLarge = false
  for (const method of tried) {
    const inflater = inflaterOf(method, inflaters)
    if (inflater?.mayRead(block) !== true) continue
    const result = inflater.inflate(block, maxBytes)
    if (result.type === 'too-large') tooLarge = true
    if (result.type === 'inflated') yield result.bytes
  }
  if (tooLarge) throw inflatedTooLarge(maxBytes, block.length)
}

/** The error for a frame whose length is beyond the limit. */
export function frameTooLarge(got: number, limit: number): DecodeError {
  return new DecodeError(
    'P2P_FRAME_TOO_LARGE',
    `frame of ${got} bytes exceeds maxFrameBytes ${limit}`,
    { got, limit },
  )
}
