/**
 * base58 of integers: plain positional notation, most significant digit first, zero is `1`.
 *
 * Not Bitcoin's base58 of byte strings: leading zero bytes of a digest disappear.
 * Source: spec/wire.md §4.1.
 */
import { toHex } from './bytes.ts'
import { DecodeError } from './errors.ts'

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const zeroDigit = alphabet.charCodeAt(0)
const digitValues: ReadonlyMap<string, number> = new Map(
  Array.from(alphabet, (digit, value) => [digit, value]),
)

/** Digits that fit into one exact number: long texts are read in such portions. */
const portionDigits = 9
const portion = BigInt(58 ** portionDigits)

/** Integers are written in limbs of 24 bits, four digits at a time, so that every step is exact in a number. */
const limbBytes = 3
const limb = 2 ** 24
const divisorDigits = 4
const divisor = 58 ** divisorDigits

/**
 * Text of a non-negative integer, given as bigint or as big-endian bytes.
 *
 * @example encodeBase58Integer(1_500_000_000n) // '3HYtjy'
 */
export function encodeBase58Integer(integer: bigint | Uint8Array): string {
  if (typeof integer === 'bigint' && integer < 0n) {
    throw new RangeError('base58 has no negative integers')
  }
  const limbs = limbsOf(typeof integer === 'bigint' ? bytesOf(integer) : integer)
  /** Character codes, the least significant digit first. */
  const codes: number[] = []
  // Long division; limbs that have become zero are not gone through again.
  for (let start = 0; start < limbs.length;) {
    let rest = 0
    for (let at = start; at < limbs.length; at++) {
      const dividend = rest * limb + (limbs[at] as number)
      const quotient = Math.floor(dividend / divisor)
      limbs[at] = quotient
      rest = dividend - quotient * divisor
    }
    for (let digit = 0; digit < divisorDigits; digit++) {
      codes.push(alphabet.charCodeAt(rest % 58))
      rest = Math.floor(rest / 58)
    }
    while (limbs[start] === 0) start++
  }
  while (codes.at(-1) === zeroDigit) codes.pop()
  return codes.length === 0 ? '1' : String.fromCharCode(...codes.reverse())
}

/** Of big-endian bytes, the most significant limb first. */
function limbsOf(bytes: Uint8Array): Int32Array {
  const limbs = new Int32Array(Math.ceil(bytes.length / limbBytes))
  for (let end = bytes.length, at = limbs.length; end > 0; end -= limbBytes) {
    limbs[--at] =
      (bytes[end - 1] as number) | ((bytes[end - 2] ?? 0) << 8) | ((bytes[end - 3] ?? 0) << 16)
  }
  return limbs
}

function bytesOf(integer: bigint): Uint8Array {
  return integerToBytes(integer, Math.ceil(integer.toString(16).length / 2))
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
