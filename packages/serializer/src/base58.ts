/**
 * base58 of integers: plain positional notation, most significant digit first, zero is `1`.
 *
 * Not Bitcoin's base58 of byte strings: leading zero bytes of a digest disappear.
 * Source: spec/wire.md §4.1.
 */
import { DecodeError } from './errors.ts'

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const digitValues: ReadonlyMap<string, bigint> = new Map(
  Array.from(alphabet, (digit, value) => [digit, BigInt(value)]),
)

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
    text = (alphabet[Number(rest % 58n)] ?? '') + text
    rest /= 58n
  } while (rest > 0n)
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
  for (const digit of text) {
    const value = digitValues.get(digit)
    if (value === undefined) {
      throw new DecodeError('P2P_BASE58_INVALID', 'character outside the base58 alphabet')
    }
    integer = integer * 58n + value
  }
  return integer
}

/** The integer behind big-endian bytes. */
export function bytesToInteger(bytes: Uint8Array): bigint {
  let integer = 0n
  for (const byte of bytes) integer = (integer << 8n) | BigInt(byte)
  return integer
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
