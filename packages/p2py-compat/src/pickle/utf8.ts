/**
 * UTF-8 as Python's pickle has it: strict, and without lone surrogates (CPython would let them pass;
 * JavaScript programs break on them). Written by hand because pure code has no TextDecoder.
 *
 * Source: RFC 3629, table of section 4.
 */
import { pickleError } from './errors.ts'

const chunk = 8192

/** Throws P2P_PICKLE_LITERAL when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = ''
  let units: number[] = []
  let index = 0
  for (let first = bytes[0]; first !== undefined; first = bytes[index]) {
    if (first < 0x80) {
      units.push(first)
      index += 1
    } else {
      const length = sequenceLength(first)
      const point = codePointAt(bytes, { index, first, length })
      if (point > 0xffff) {
        units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff))
      } else {
        units.push(point)
      }
      index += length
    }
    if (units.length >= chunk) {
      text += String.fromCharCode(...units)
      units = []
    }
  }
  return text + String.fromCharCode(...units)
}

function sequenceLength(first: number): number {
  if (first >= 0xc2 && first < 0xe0) return 2
  if (first >= 0xe0 && first < 0xf0) return 3
  if (first >= 0xf0 && first < 0xf5) return 4
  throw badUtf8()
}

interface Sequence {
  readonly index: number
  readonly first: number
  readonly length: number
}

function codePointAt(bytes: Uint8Array, { index, first, length }: Sequence): number {
  let point = first & (0xff >> (length + 1))
  for (let offset = 1; offset < length; offset += 1) {
    // Behind the last byte stands a zero, which continues no sequence.
    const next = bytes[index + offset] ?? 0
    if ((next & 0xc0) !== 0x80) throw badUtf8()
    point = point * 64 + (next & 0x3f)
  }
  const isSurrogate = point >= 0xd800 && point < 0xe000
  // What fits into fewer bytes must not take more: three are for 2^11 on, four for 2^16 on. Of two, `first`
  // has told already.
  const smallest = 2 ** (5 * length - 4)
  if (point < smallest || point > 0x10ffff || isSurrogate) throw badUtf8()
  return point
}

function badUtf8(): Error {
  return pickleError('P2P_PICKLE_LITERAL', 'text is not UTF-8')
}

/** Throws TypeError for a string with a lone surrogate. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  let length = 0
  let index = 0
  for (let point = text.codePointAt(0); point !== undefined; point = text.codePointAt(index)) {
    index += 1
    if (point < 0x80) {
      bytes[length++] = point
    } else if (point < 0x800) {
      bytes[length++] = 0xc0 | (point >> 6)
      bytes[length++] = 0x80 | (point & 0x3f)
    } else if (point < 0x10000) {
      if (point >= 0xd800 && point < 0xe000) {
        throw new TypeError('a string with a lone surrogate cannot be sent')
      }
      bytes[length++] = 0xe0 | (point >> 12)
      bytes[length++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[length++] = 0x80 | (point & 0x3f)
    } else {
      bytes[length++] = 0xf0 | (point >> 18)
      bytes[length++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[length++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[length++] = 0x80 | (point & 0x3f)
      index += 1
    }
  }
  return bytes.subarray(0, length)
}
