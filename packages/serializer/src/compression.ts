/**
 * Compressing and inflating one block, always within a limit: a short block must not become a long one.
 *
 * zlib and gzip by Node or fflate (platform/), snappy by snappy.ts, where a block is refused
 * before it is inflated when the length it announces is beyond the limit.
 */
import { compressGzip, compressZlib, inflateGzip, inflateZlib } from '#zlib'
import { DecodeError, EncodeError } from './errors.ts'
import { compressionMethods } from './flags.ts'
import { compressSnappy, inflateSnappy, snappyLength } from './snappy.ts'

/** What inflating a block came to. */
export type InflateResult =
  | { readonly type: 'inflated'; readonly bytes: Uint8Array }
  /** Not in this format, cut, or damaged. */
  | { readonly type: 'invalid' }
  | { readonly type: 'too-large' }

/** Reads one more compression method: see `archiveInflaters` in the entry point `archive`. */
export interface Inflater {
  /** Number of the method, as in `compressionMethods`. */
  readonly method: number
  /** True when the first bytes are those of the method. */
  mayRead(block: Uint8Array): boolean
  /** Inflates a block to at most `maxBytes`, in bounded time and memory; never throws. */
  inflate(block: Uint8Array, maxBytes: number): InflateResult
}

/** Writes a method too. */
interface Codec extends Inflater {
  compress(block: Uint8Array): Uint8Array
}

const codecs: readonly Codec[] = [
  {
    method: compressionMethods.zlib,
    mayRead: isZlib,
    inflate: inflateZlib,
    compress: compressZlib,
  },
  {
    method: compressionMethods.gzip,
    mayRead: isGzip,
    inflate: inflateGzip,
    compress: compressGzip,
  },
  {
    method: compressionMethods.snappy,
    // No mark: a block starts with its inflated length, and the checksum has to decide.
    mayRead: (block) => block.length > 0,
    inflate: inflateSnappyBlock,
    compress: compressSnappy,
  },
]

/** Methods this package reads and writes. What is offered to peers is `offeredMethods`. */
export const decodableMethods: readonly number[] = codecs.map(({ method }) => method)

/** The block compressed with a method. EncodeError `P2P_ENCODE_METHOD` for one we do not write. */
export function compressBlock(block: Uint8Array, method: number): Uint8Array {
  const codec = codecs.find((one) => one.method === method)
  if (codec !== undefined) return codec.compress(block)
  throw new EncodeError('P2P_ENCODE_METHOD', `compression method ${method} is not written`, {
    method,
  })
}

/** What reads a method: the caller's own readers come first. */
export function inflaterOf(method: number, own: readonly Inflater[]): Inflater | undefined {
  return [...own, ...codecs].find((one) => one.method === method)
}

/**
 * True when a plain block begins as a zlib or gzip one would, as one in about 500 does by the chance of
 * its checksum. js2p inflates what stands on a link before it looks at the checksum, and the inflater it
 * uses may never return from noise: such a block is compressed even when that makes it longer.
 *
 * @param block - the plain block, or its first 32 bytes, which are the message id
 * @example
 * ```ts
 * looksCompressed(Uint8Array.of(0x78, 0x9c)) // true
 * ```
 */
export function looksCompressed(block: Uint8Array): boolean {
  return isZlib(block) || isGzip(block)
}

/** RFC 1950: method 8 in the low half, and a multiple of 31. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0
}

function isGzip([first, second]: Uint8Array): boolean {
  return first === 0x1f && second === 0x8b
}

function inflateSnappyBlock(block: Uint8Array, maxBytes: number): InflateResult {
  const length = snappyLength(block)
  if (length !== undefined && length > maxBytes) return { type: 'too-large' }
  const bytes = inflateSnappy(block)
  return bytes === undefined ? { type: 'invalid' } : { type: 'inflated', bytes }
}

/** The error for a block that would inflate to more than the limit. */
export function inflatedTooLarge(limit: number, got: number): DecodeError {
  return new DecodeError(
    'P2P_INFLATED_TOO_LARGE',
    `block of ${got} bytes inflates to more than ${limit}`,
    { limit, got },
  )
}
