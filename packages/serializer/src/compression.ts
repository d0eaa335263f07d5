/**
 * Compressing and inflating one block.
 *
 * zlib and gzip by fflate, snappy (raw block format) by snappyjs. Inflating is bounded: output is
 * produced piece by piece and given up at the limit, so a small frame cannot become a large one.
 */
import { Gunzip, gzipSync, Unzlib, zlibSync } from 'fflate'
import { compress as snappyCompress, uncompress as snappyUncompress } from 'snappyjs'
import { compressionMethods } from './flags.ts'
import { DecodeError, EncodeError } from './errors.ts'

/** What inflating a block came to. */
export type InflateResult =
  | { readonly type: 'inflated'; readonly bytes: Uint8Array }
  /** Not in this format, cut, or damaged. */
  | { readonly type: 'invalid' }
  | { readonly type: 'too-large' }

/** Methods this package reads. */
export const decodableMethods: readonly number[] = [
  compressionMethods.zlib,
  compressionMethods.gzip,
  compressionMethods.snappy,
]

/** The block compressed with a method. EncodeError `P2P_ENCODE_METHOD` for one we do not write. */
export function compressBlock(block: Uint8Array, method: number): Uint8Array {
  switch (method) {
    case compressionMethods.zlib:
      return zlibSync(block)
    case compressionMethods.gzip:
      return gzipSync(block, { mtime: 0 })
    case compressionMethods.snappy:
      return snappyCompress(block)
    default:
      throw new EncodeError('P2P_ENCODE_METHOD', `compression method ${method} is not written`, {
        method,
      })
  }
}

/** True when the first bytes are those of the method; snappy has no mark and may always be meant. */
export function mayBeMethod(block: Uint8Array, method: number): boolean {
  const first = block[0] ?? 0
  const second = block[1] ?? 0
  switch (method) {
    case compressionMethods.zlib:
      return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0
    case compressionMethods.gzip:
      return first === 0x1f && second === 0x8b
    case compressionMethods.snappy:
      return block.length > 0
    default:
      return false
  }
}

/** Inflates a block to at most `maxBytes`. */
export function inflateBlock(block: Uint8Array, method: number, maxBytes: number): InflateResult {
  try {
    switch (method) {
      case compressionMethods.zlib:
        return inflateStream(new Unzlib(), block, maxBytes)
      case compressionMethods.gzip:
        return inflateStream(new Gunzip(), block, maxBytes)
      case compressionMethods.snappy:
        return { type: 'inflated', bytes: snappyUncompress(block, maxBytes) }
      default:
        return { type: 'invalid' }
    }
  } catch {
    return { type: 'invalid' }
  }
}

/** Input bytes per step: deflate makes at most 1,032 bytes of one. */
const stepBytes = 1024

function inflateStream(
  stream: Unzlib | Gunzip,
  block: Uint8Array,
  maxBytes: number,
): InflateResult {
  const pieces: Uint8Array[] = []
  let length = 0
  let ended = false
  stream.ondata = (piece, final) => {
    length += piece.length
    pieces.push(piece)
    ended = final
  }
  for (let start = 0; start < block.length; start += stepBytes) {
    const end = Math.min(start + stepBytes, block.length)
    stream.push(block.subarray(start, end), end === block.length)
    if (length > maxBytes) return { type: 'too-large' }
  }
  if (!ended) return { type: 'invalid' }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const piece of pieces) {
    bytes.set(piece, offset)
    offset += piece.length
  }
  return { type: 'inflated', bytes }
}

/** The error for a block that would inflate to more than the limit. */
export function inflatedTooLarge(limit: number, got: number): DecodeError {
  return new DecodeError(
    'P2P_INFLATED_TOO_LARGE',
    `block of ${got} bytes inflates to more than ${limit}`,
    { limit, got },
  )
}
