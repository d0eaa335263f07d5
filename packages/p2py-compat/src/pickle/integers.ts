// Python integers as little-endian two's complement, the form of the opcodes LONG1 and LONG4.

/** A number where it is exact, a bigint beyond 2^53. */
export function normalizeInteger(value: bigint): number | bigint {
  const isSafe =
    value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
  return isSafe ? Number(value) : value
}

/** No bytes at all are zero. */
export function decodeInteger(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
  const hex = pairs.reverse().join('')
  return normalizeInteger(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`)))
}

/** The shortest form of what is not zero, as CPython's `encode_long` writes it. */
export function encodeInteger(value: bigint): Uint8Array {
  const magnitude = value < 0n ? -value - 1n : value
  const bits = magnitude.toString(2).length
  const byteCount = Math.floor(bits / 8) + 1 // one bit more for the sign
  const hex = BigInt.asUintN(byteCount * 8, value)
    .toString(16)
    .padStart(byteCount * 2, '0')
  const bytes = new Uint8Array(byteCount)
  for (let index = 0; index < byteCount; index += 1) {
    const end = hex.length - index * 2
    bytes[index] = Number.parseInt(hex.slice(end - 2, end), 16)
  }
  return bytes
}
