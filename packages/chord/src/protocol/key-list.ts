/**
 * The keys that are said to be in the network: every node keeps the whole list, as the originals do,
 * because nothing else tells which keys there are. A key is known by its bytes, whatever its type was.
 * At the limit new keys are not listed; they can be read and written all the same.
 *
 * Source: spec/chord.md §5, §12.13.
 */
import { toHex } from '@p2p/serializer'

export class KeyList {
  readonly #maxKeys: number
  /** By hexadecimal text. */
  readonly #keys = new Map<string, Uint8Array>()

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#keys.size
  }

  has(key: Uint8Array): boolean {
    return this.#keys.has(toHex(key))
  }

  /** False when the list is full. */
  add(key: Uint8Array): boolean {
    const name = toHex(key)
    if (this.#keys.has(name)) return true
    if (this.#keys.size >= this.#maxKeys) return false
    // A copy: the key is part of a message whose bytes are not ours to keep.
    this.#keys.set(name, key.slice())
    return true
  }

  /** False when the key was not listed. */
  delete(key: Uint8Array): boolean {
    return this.#keys.delete(toHex(key))
  }

  /** In the order in which they were heard of. */
  values(): IterableIterator<Uint8Array> {
    return this.#keys.values()
  }
}
