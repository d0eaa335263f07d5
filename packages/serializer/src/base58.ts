/**
 * base58 of integers: plain positional notation, most significant digit first, zero is `1`.
 *
 * Not Bitcoin's base58 of byte strings: leading zero bytes of a digest disappear.
 * Source: spec/wire.md §4.1.
 */
import { toHex } from './bytes.ts'
import { DecodeError } from './errors.ts'

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** So many digits fit into one exact number: long texts are read and written in such portions. */
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
  do {
    let low = Number(rest % portion)
    rest /= portion
    for (let digit = 0; digit < portionDigits; digit += 1) {
      text = alphabet.charAt(low % 58) + text
      low = Math.floor(low / 58)
    }
  } while (rest > 0n)
  return text.replace(/^1+(?=.)/, '')
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
    integer = integer * BigInt(58 ** digits.length) + BigInt(valueOf(digits))
  }
  return integer
}

function valueOf(digits: string): number {
  let integer = 0
  for (const digit of digits) {
    const value = alphabet.indexOf(digit)
    if (value < 0) {
      throw new DecodeError('P2P_BASE58_INVALID', 'character outside the base58 alphabet')
    }
    integer = integer * 58 + value
  }
  return integer
}

/** The integer behind big-endian bytes. */
export function bytesToInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x0${toHex(bytes)}`)
}

/** Big-endian bytes of a non-negative integer, padded in front; RangeError when it does not fit. */
export function integerToBytes(integer: bigint, byteLength: number): Uint8Array {
  // No view of the buffer: short arrays have none before somebody asks for it, and then they cost much to keep.
  const bytes = new Uint8Array(byteLength)
  let rest = integer
  let word = 0
  for (let at = byteLength; at > 0; rest >>= 32n) {
    word = Number(BigInt.asUintN(32, rest))
    for (const end = Math.max(0, at - 4); at > end; word >>>= 8) bytes[--at] = word
  }
  if (rest + BigInt(word) !== 0n)
    throw new RangeError(`integer does not fit in ${byteLength} bytes`)
  return bytes
}
