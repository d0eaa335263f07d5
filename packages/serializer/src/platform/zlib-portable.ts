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
const gzipLengthBytes = 4

export function compressZlib(block: Uint8Array): Uint8Array {
  return zlibSync(block)
}

export function compressGzip(block: Uint8Array): Uint8Array {
  return gzipSync(block, { mtime: 0 })
}

/** Inflates to at most `maxBytes`; a stream that is cut or damaged is invalid. */
export function inflateZlib(block: Uint8Array, maxBytes: number): InflateResult {
  return inflate(new Unzlib(), block, maxBytes)
}

/** As `inflateZlib`, for gzip. */
export function inflateGzip(block: Uint8Array, maxBytes: number): InflateResult {
  const result = inflate(new Gunzip(), block, maxBytes)
  if (result.type !== 'inflated') return result
  // fflate does not look at the end of a gzip stream, where the length stands, low byte first.
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const length = view.getUint32(block.length - gzipLengthBytes, true)
  return length === result.bytes.length ? result : { type: 'invalid' }
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
