/**
 * Numbers and texts as protocol 0 writes them: ASCII lines. We take what a pickler writes and refuse
 * what only Python's parsers would take as well (0x10, 1_000, unknown escapes).
 *
 * Source: CPython 3.11, Lib/pickle.py load_int … load_unicode, and codecs escape_decode.
 */
import { pickleError } from './errors.ts'
import { normalizeInteger } from './integers.ts'
import { maxIntegerDigits } from './limits.ts'

/** Line of INT: `I01` and `I00` are the booleans. */
export function parseIntLine(line: string): number | bigint | boolean {
  if (line === '01') return true
  if (line === '00') return false
  return parseInteger(line)
}

/** Line of LONG: a trailing L is usual, not needed. */
export function parseLongLine(line: string): number | bigint {
  return parseInteger(line.endsWith('L') ? line.slice(0, -1) : line)
}

function parseInteger(digits: string): number | bigint {
  if (digits.length > maxIntegerDigits + 1) throw badLiteral('integer has too many digits')
  if (!/^[+-]?[0-9]+$/.test(digits)) throw badLiteral('integer is not decimal')
  return normalizeInteger(BigInt(digits.startsWith('+') ? digits.slice(1) : digits))
}

const specialFloats = new Map([
  ['inf', Infinity],
  ['-inf', -Infinity],
  ['nan', NaN],
])

/** Line of FLOAT, as Python's repr writes it. */
export function parseFloatLine(line: string): number {
  const special = specialFloats.get(line)
  if (special !== undefined) return special
  if (line.length > 400 || !/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(line)) {
    throw badLiteral('float is not decimal')
  }
  return Number(line)
}

const simpleEscapes = new Map([
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
])

/** Line of STRING: Python's repr of a byte string, here only with ASCII inside. */
export function parseStringLine(line: string): string {
  const quote = line.charAt(0)
  if (line.length < 2 || (quote !== "'" && quote !== '"') || !line.endsWith(quote)) {
    throw badLiteral('string is not quoted')
  }
  const parts: string[] = []
  for (let index = 1; index < line.length - 1; index += 1) {
    const character = line.charAt(index)
    if (character !== '\\') {
      parts.push(character)
      continue
    }
    index += 1
    const simple = simpleEscapes.get(line.charAt(index))
    if (simple !== undefined && index < line.length - 1) {
      parts.push(simple)
      continue
    }
    const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(index, index + 3))
    if (hex === null) throw badLiteral('string has a bad escape')
    parts.push(String.fromCharCode(Number.parseInt(hex[0].slice(1), 16)))
    index += 2
  }
  const text = parts.join('')
  if (!isAscii(text)) throw badLiteral('string is not ASCII')
  return text
}

/** Line of UNICODE: raw-unicode-escape, where only \\u and \\U mean anything. */
export function parseUnicodeLine(line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[uU])/g, (_all, short, long) => {
    const digits: unknown = short ?? long
    const point = typeof digits === 'string' ? Number.parseInt(digits, 16) : Infinity
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
      throw badLiteral('unicode text has a bad escape')
    }
    return String.fromCodePoint(point)
  })
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false
  }
  return true
}

/** Bytes of BINSTRING and of a text line: one character each. */
export function decodeLatin1(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let index = 0; index < bytes.length; index += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(index, index + 8192)))
  }
  return parts.join('')
}

/** Bytes of BINSTRING: Python 3 reads them as ASCII text. */
export function decodeAscii(bytes: Uint8Array): string {
  const text = decodeLatin1(bytes)
  if (!isAscii(text)) throw badLiteral('string is not ASCII')
  return text
}

/** Text to bytes as the codec latin-1 does it; how protocols 0 to 2 carry bytes. */
export function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit > 0xff) throw badLiteral('text does not fit into latin-1')
    bytes[index] = unit
  }
  return bytes
}

function badLiteral(message: string): Error {
  return pickleError('P2P_PICKLE_LITERAL', message)
}
