/**
 * A number for a text, for sums that tell whether two nodes hold the same: FNV-1a, twice 24 bits from
 * two starts. It is no defence against somebody who looks for collisions; such a one could only hide
 * what he himself has written.
 *
 * Source: Fowler, Noll, Vo; the start and the prime are theirs.
 */
const prime = 0x01000193
const starts = { low: 0x811c9dc5, high: 0x1b873593 } as const
const sumModulus = 2 ** 48

/** 0 … 2^48−1. */
export function stampOf(text: string): number {
  let low: number = starts.low
  let high: number = starts.high
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    low = Math.imul(low ^ code, prime)
    high = Math.imul(high ^ code, prime) ^ (high >>> 15)
  }
  return (high & 0xffffff) * 2 ** 24 + ((low ^ (low >>> 24)) & 0xffffff)
}

/** A sum of stamps, modulo 2^48, with this one added; with its negative one is taken out. */
export function sumWith(sum: number, stamp: number): number {
  return (sum + stamp + sumModulus) % sumModulus
}
