/**
 * Ranges of item ids and their fingerprints.
 *
 * A range is all ids that begin with the same hexadecimal digits; it has sixteen parts, one for each
 * next digit. Its fingerprint is the sum of a keyed mix of every id in it, modulo 2^32 in two lanes.
 * The key is chosen anew for each comparison, so nobody can prepare two different sets that look
 * equal, which a plain sum or XOR of ids would allow.
 *
 * Source: A. Meyer, "Range-Based Set Reconciliation", 2023; the mixing constants are those of
 * MurmurHash3's finalizer (A. Appleby, public domain).
 */
import type { ItemId, Snapshot } from './item-index.ts'

/** Four words that make the fingerprints of one comparison. */
export type FingerprintKey = readonly [number, number, number, number]

/** Hexadecimal digits of an id. */
export const idDigits = 32
export const partCount = 16

/** Two words, as they stand in messages: 8 bytes. */
export interface Fingerprint {
  readonly a: number
  readonly b: number
}

/** The mix of an id under a key. */
function mixId(id: ItemId, key: FingerprintKey): Fingerprint {
  let a = key[0]
  let b = key[1]
  for (let lane = 0; lane < 4; lane++) {
    const word = (id[lane] ?? 0) ^ (key[lane] ?? 0)
    a = scramble(a ^ word)
    b = scramble((b + Math.imul(word, 0x9e37_79b1)) ^ key[2])
  }
  return { a: scramble(a ^ key[3]) >>> 0, b: scramble(b ^ a) >>> 0 }
}

function scramble(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return h ^ (h >>> 16)
}

/** Where the items of a range begin and end in a snapshot. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A snapshot with the sums that make the fingerprint of any range two subtractions. */
export class RangeSums {
  readonly snapshot: Snapshot
  readonly #a: Uint32Array
  readonly #b: Uint32Array

  constructor(snapshot: Snapshot, key: FingerprintKey) {
    this.snapshot = snapshot
    this.#a = new Uint32Array(snapshot.length + 1)
    this.#b = new Uint32Array(snapshot.length + 1)
    snapshot.forEach((item, at) => {
      const { a, b } = mixId(item.id, key)
      this.#a[at + 1] = (this.#a[at] ?? 0) + a
      this.#b[at + 1] = (this.#b[at] ?? 0) + b
    })
  }

  fingerprint({ start, end }: Span): Fingerprint {
    return {
      a: ((this.#a[end] ?? 0) - (this.#a[start] ?? 0)) >>> 0,
      b: ((this.#b[end] ?? 0) - (this.#b[start] ?? 0)) >>> 0,
    }
  }

  /** How the item at this place is named in messages of the comparison: the mix of its id. */
  name(at: number): Fingerprint {
    return this.fingerprint({ start: at, end: at + 1 })
  }

  /** The items whose ids begin with these digits. */
  span(prefix: readonly number[]): Span {
    let span: Span = { start: 0, end: this.snapshot.length }
    prefix.forEach((digit, depth) => {
      span = this.#narrow(span, depth, digit)
    })
    return span
  }

  /** The sixteen parts of a range. */
  parts(prefix: readonly number[], whole: Span = this.span(prefix)): readonly Span[] {
    return Array.from({ length: partCount }, (_, digit) =>
      this.#narrow(whole, prefix.length, digit),
    )
  }

  #narrow(within: Span, depth: number, digit: number): Span {
    return {
      start: this.#firstAtLeast(within, depth, digit),
      end: this.#firstAtLeast(within, depth, digit + 1),
    }
  }

  #firstAtLeast({ start, end }: Span, depth: number, digit: number): number {
    let [low, high] = [start, end]
    while (low < high) {
      const middle = (low + high) >>> 1
      const id = this.snapshot[middle]?.id
      if (id !== undefined && digitAt(id, depth) < digit) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** One hexadecimal digit of an id, the most significant being number 0. */
export function digitAt(id: ItemId, depth: number): number {
  return ((id[depth >>> 3] ?? 0) >>> (28 - 4 * (depth & 7))) & 0xf
}
