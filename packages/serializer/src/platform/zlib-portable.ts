/**
 * zlib (RFC 1950) and gzip (RFC 1952) in JavaScript, for everything that is not Node. Same functions as
 * zlib-node.ts. fflate deflates, inflate.ts inflates; headers are written and sums read and written here.
 *
 *   zlib   78 9c  |  deflated  |  Adler-32, high byte first
 *   gzip   1f 8b 08, flags, time (4), two more, fields by flags  |  deflated  |  CRC-32, length, low byte first
 */
import { deflateSync } from 'fflate'
import { concatBytes } from '../bytes.ts'
import type { InflateResult } from '../compression.ts'
import { InflateFailure } from '../inflate-failure.ts'
import { gzipDataStart, zlibDataStart } from './deflated-data.ts'
import { inflateDeflated } from './inflate.ts'

/** So many bytes can be summed before the sums leave 32 bits. */
const adlerRun = 3_800

export function compressZlib(block: Uint8Array): Uint8Array {
  const sum = new Uint8Array(4)
  viewOf(sum).setUint32(0, adler32(block))
  return concatBytes(new Uint8Array([0x78, 0x9c]), deflateSync(block), sum)
}

export function compressGzip(block: Uint8Array): Uint8Array {
  const header = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
  const trailer = new Uint8Array(8)
  viewOf(trailer).setUint32(0, crc32(block), true)
  viewOf(trailer).setUint32(4, block.length, true)
  return concatBytes(header, deflateSync(block), trailer)
}

/** Inflates to at most `maxBytes`; a stream that is cut or damaged is invalid. */
export function inflateZlib(block: Uint8Array, maxBytes: number): InflateResult {
  return inflate(block, zlibDataStart(block), maxBytes, (bytes, end) => {
    return end + 4 <= block.length && viewOf(block).getUint32(end) === adler32(bytes)
  })
}

/** As `inflateZlib`, for gzip. */
export function inflateGzip(block: Uint8Array, maxBytes: number): InflateResult {
  return inflate(block, gzipDataStart(block), maxBytes, (bytes, end) => {
    if (end + 8 > block.length) return false
    const view = viewOf(block)
    const isLength = view.getUint32(end + 4, true) === bytes.length
    return isLength && view.getUint32(end, true) === crc32(bytes)
  })
}

/** Bytes behind the sums are ignored, as Python and Node do. */
function inflate(
  block: Uint8Array,
  start: number,
  maxBytes: number,
  hasRightSums: (bytes: Uint8Array, end: number) => boolean,
): InflateResult {
  try {
    const { bytes, end } = inflateDeflated(block.subarray(start), maxBytes)
    return hasRightSums(bytes, start + end) ? { type: 'inflated', bytes } : { type: 'invalid' }
  } catch (error) {
    if (error instanceof InflateFailure) return { type: error.type }
    throw error
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** What each byte does to the sum of RFC 1952. */
const crcTable: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb8_8320 & -(crc & 1))
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number)
  return ~crc >>> 0
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
