/**
 * The keys that are said to be in the network: every node keeps the whole list, as the originals do,
 * because nothing else tells which keys there are. A key is known by its bytes, whatever its type was.
 * At the limit new keys are not listed; they can be read and written all the same.
 *
 * Lists of two nodes are compared by sums: one over all keys, and one for each of 64 buckets.
 *
 * Source: spec/chord.md §5, §12.13.
 */
import { toHex } from '@p2p/serializer'
import { stampOf, sumWith } from './stamp.ts'

const bucketCount = 64

/** Bytes of all keys, whose names take twice as much. */
const maxKeyBytes = 67_108_864

export class KeyList {
  readonly #maxKeys: number
  /** By hexadecimal text. */
  readonly #keys = new Map<string, Uint8Array>()
  readonly #sums = new Array<number>(bucketCount).fill(0)
  #sum = 0
  #bytes = 0

  constructor(maxKeys: number = 1_000_000) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#keys.size
  }

  has(key: Uint8Array): boolean {
    return this.#keys.has(toHex(key))
  }

  /** `full`: it is not listed. */
  add(key: Uint8Array): 'new' | 'known' | 'full' {
    const name = toHex(key)
    if (this.#keys.has(name)) return 'known'
    if (this.#keys.size >= this.#maxKeys || this.#bytes + key.length > maxKeyBytes) return 'full'
    this.#bytes += key.length
    // A copy: the key is part of a message whose bytes are not ours to keep.
    this.#keys.set(name, key.slice())
    this.#count(name, 1)
    return 'new'
  }

  /** False when the key was not listed. */
  delete(key: Uint8Array): boolean {
    const name = toHex(key)
    if (!this.#keys.delete(name)) return false
    this.#bytes -= key.length
    this.#count(name, -1)
    return true
  }

  /** In the order in which they were heard of. */
  values(): IterableIterator<Uint8Array> {
    return this.#keys.values()
  }

  /** One sum over all keys. */
  summary(): readonly number[] {
    return [this.#sum]
  }

  /** One sum for each bucket. */
  digest(): readonly number[] {
    return this.#sums
  }

  /** Whether the other list, of which this is the summary or the digest, holds other keys. */
  differs(sums: readonly number[]): boolean {
    const own = sums.length === 1 ? this.summary() : this.#sums
    return own.some((sum, index) => sum !== sums[index])
  }

  /** The keys of the buckets in which the digest of the other list differs. */
  *differing(digest: readonly number[]): Generator<Uint8Array> {
    for (const [name, key] of this.#keys) {
      const bucket = stampOf(name) % bucketCount
      if (digest[bucket] !== this.#sums[bucket]) yield key
    }
  }

  #count(name: string, sign: 1 | -1): void {
    const stamp = stampOf(name)
    const bucket = stamp % bucketCount
    this.#sums[bucket] = sumWith(this.#sums[bucket] ?? 0, sign * stamp)
    this.#sum = sumWith(this.#sum, sign * stamp)
  }
}
