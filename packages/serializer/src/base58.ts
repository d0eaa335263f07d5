/**
 * base58 of integers: plain positional notation, most significant digit first, zero is `1`.
 *
 * Not Bitcoin's base58 of byte strings: leading zero bytes of a digest disappear.
 * Source: spec/wire.md §4.1.
 */
import { DecodeError } from './errors.ts'

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const digitValues: ReadonlyMap<string, number> = new Map(
  Array.from(alphabet, (digit, value) => [digit, value]),
)

/** Digits that fit into one exact number: long integers are taken apart and put together in such portions. */
const portionDigits = 9
const portion = BigInt(58 ** portionDigits)

/**
 * Text of a non-negative integer, given as bigint or as big-endian bytes.
 *
 * @example encodeBase58Integer(1_500_000_000n) // '3HYtjy'
 */
export function encodeBase58Integer(integer: bigint | Uint8Array): string {
  let rest = typeof integer === 'bigint' ? integer : bytesToInteger(integer)
  if (rest < 0n) throw new RangeError('base58 has no negative integers')
  let text = ''
  while (rest >= portion) {
    text = digitsOf(Number(rest % portion)).padStart(portionDigits, alphabet[0]) + text
    rest /= portion
  }
  return digitsOf(Number(rest)) + text
}

function digitsOf(integer: number): string {
  let text = ''
  let rest = integer
  do {
    text = (alphabet[rest % 58] ?? '') + text
    rest = Math.floor(rest / 58)
  } while (rest > 0)
  return text
}

/**
 * The integer behind a base58 text of up to 1,024 characters; the empty text is 0, as it is to the
 * originals. DecodeError `P2P_BASE58_INVALID` for anything else, where py2p raises and js2p computes
 * nonsense.
 */
export function decodeBase58Integer(text: string): bigint {
  if (text.length > 1_024) {
    throw new DecodeError('P2P_BASE58_INVALID', `base58 text of ${text.length} characters`, {
      got: text.length,
    })
  }
  let integer = 0n
  for (let start = 0; start < text.length; start += portionDigits) {
    const digits = text.slice(start, start + portionDigits)
    const scale = digits.length === portionDigits ? portion : BigInt(58 ** digits.length)
    integer = integer * scale + BigInt(valueOf(digits))
  }
  return integer
}

function valueOf(digits: string): number {
  let integer = 0
  for (const digit of digits) {
    const value = digitValues.get(digit)
    if (value === undefined) {
      throw new DecodeError('P2P_BASE58_INVALID', 'character outside the base58 alphabet')
    }
    integer = integer * 58 + value
  }
  return integer
}

/** The integer behind big-endian bytes. */
export function bytesToInteger(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  let hex = '0x'
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return BigInt(hex)
}

/** Big-endian bytes of a non-negative integer, padded in front; RangeError when it does not fit. */
export function integerToBytes(integer: bigint, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength)
  let rest = integer
  for (let i = byteLength - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  if (rest !== 0n) throw new RangeError(`integer does not fit in ${byteLength} bytes`)
  return bytes
}
