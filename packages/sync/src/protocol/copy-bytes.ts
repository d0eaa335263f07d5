/**
 * Copies of short byte strings. What is kept must not be a view: it would keep the whole of what came
 * over a link, or the slab in which many messages were written.
 */

/** Up to here a loop is faster than the engine's own copying, and a copy needs no memory outside the heap. */
const shortBytes = 64

/** Writes the bytes at an offset of `target`, which has room for them; returns the offset behind them. */
export function writeBytes(bytes: Uint8Array, target: Uint8Array, at: number): number {
  const { length } = bytes
  if (length > shortBytes) target.set(bytes, at)
  else for (let i = 0; i < length; i++) target[at + i] = bytes[i] ?? 0
  return at + length
}

/** The bytes from `start` to `end` in memory of their own. */
export function copyBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): Uint8Array {
  const length = end - start
  if (length > shortBytes) return bytes.slice(start, end)
  const copy = new Uint8Array(length)
  for (let i = 0; i < length; i++) copy[i] = bytes[start + i] ?? 0
  return copy
}
