/**
 * zlib and gzip in JavaScript, for everything that is not Node. Same functions as zlib-node.ts.
 *
 * Input goes in by small steps and output is counted after each, so a bomb is given up about a
 * mebibyte after the limit.
 */
import { Gunzip, gzipSync, Unzlib, zlibSync } from 'fflate'
import { concatBytes } from '../bytes.ts'
import type { InflateResult } from '../compression.ts'

/** Deflate makes at most 1,032 bytes of one. */
const stepBytes = 1024
const trailerBytes = 4
/** So many bytes can be summed before the sums leave 32 bits. */
const adlerRun = 3_800

export function compressZlib(block: Uint8Array): Uint8Array {
  return zlibSync(block)
}

export function compressGzip(block: Uint8Array): Uint8Array {
  return gzipSync(block, { mtime: 0 })
}

/** Inflates to at most `maxBytes`; a stream that is cut or damaged is invalid. */
export function inflateZlib(block: Uint8Array, maxBytes: number): InflateResult {
  return checked(inflate(new Unzlib(), block, maxBytes), (bytes) => {
    return trailer(block, false) === adler32(bytes)
  })
}

/** As `inflateZlib`, for gzip. */
export function inflateGzip(block: Uint8Array, maxBytes: number): InflateResult {
  return checked(inflate(new Gunzip(), block, maxBytes), (bytes) => {
    // A header alone ends in four zeros, which would be the length of nothing.
    return bytes.length > 0 && trailer(block, true) === bytes.length
  })
}

/** fflate does not look at what stands behind the data, so it takes a cut stream for a whole one. */
function checked(result: InflateResult, isWhole: (bytes: Uint8Array) => boolean): InflateResult {
  return result.type === 'inflated' && !isWhole(result.bytes) ? { type: 'invalid' } : result
}

/** The last four bytes: Adler-32 of the data in zlib, its length, low byte first, in gzip. */
function trailer(block: Uint8Array, lowFirst: boolean): number | undefined {
  const { buffer, byteOffset, byteLength } = block
  if (byteLength < trailerBytes) return undefined
  return new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - trailerBytes, lowFirst)
}

/** The sum of RFC 1950. */
function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (let start = 0; start < bytes.length; start += adlerRun) {
    const end = Math.min(start + adlerRun, bytes.length)
    for (let i = start; i < end; i++) {
      a += bytes[i] as number
      b += a
    }
    a %= 65_521
    b %= 65_521
  }
  return b * 0x1_0000 + a
}

function inflate(stream: Unzlib | Gunzip, block: Uint8Array, maxBytes: number): InflateResult {
  const pieces: Uint8Array[] = []
  let length = 0
  let ended = false
  stream.ondata = (piece, final) => {
    length += piece.length
    pieces.push(piece)
    ended = final
  }
  try {
    for (let start = 0; start < block.length; start += stepBytes) {
      const end = Math.min(start + stepBytes, block.length)
      stream.push(block.subarray(start, end), end === block.length)
      if (length > maxBytes) return { type: 'too-large' }
    }
  } catch {
    return { type: 'invalid' }
  }
  return ended ? { type: 'inflated', bytes: concatBytes(...pieces) } : { type: 'invalid' }
}
