/**
 * Seeded randomness for simulations: the same seed gives the same numbers on every machine.
 *
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2018), generator
 * xoshiro128**; its state is filled by splitmix32 from a 32-bit FNV-1a hash of the seed's text.
 * Fast and well spread, and in no way secure: never use it outside a simulation.
 */

/**
 * A stream of random numbers that a seed decides.
 *
 * @example
 * const random = new SeededRandom(7)
 * const latencyMs = random.between(10, 100)
 * const victim = random.pick(['a', 'b', 'c'])
 * const noise = random.fork('noise') // its draws do not disturb `random`
 */
export class SeededRandom {
  readonly #seed: string
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number | string) {
    this.#seed = String(seed)
    const next = splitmix32(fnv1a(this.#seed))
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next()
  }

  /** A whole number from 0 to 2^32 − 1. */
  uint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotateLeft(this.#d, 11)
    return result
  }

  /** A number from 0 up to, but not including, 1. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** A whole number from 0 up to, but not including, `limit`; `limit` is at most 2^32. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** A number from `low` up to, but not including, `high`. */
  between(low: number, high: number): number {
    return low + this.fraction() * (high - low)
  }

  /** True with the given probability; draws nothing when the answer is certain. */
  chance(probability: number): boolean {
    if (probability <= 0) return false
    return probability >= 1 || this.fraction() < probability
  }

  /** One of the items. Throws a RangeError when there are none. */
  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as Item
  }

  /** The items in a random order; the array that was passed in stays as it is. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items]
    for (let last = shuffled.length - 1; last > 0; last -= 1) {
      const other = this.below(last + 1)
      const kept = shuffled[last] as Item
      shuffled[last] = shuffled[other] as Item
      shuffled[other] = kept
    }
    return shuffled
  }

  /** Takes the place of secure randomness in a machine under simulation (`RandomBytes`). */
  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count)
    for (let offset = 0; offset < count; offset += 4) {
      const word = this.uint32()
      for (let byte = 0; byte < 4 && offset + byte < count; byte += 1) {
        bytes[offset + byte] = word >>> (8 * byte)
      }
    }
    return bytes
  }

  /** A stream of its own, decided by this seed and the label; drawing from it changes nothing here. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`)
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

function splitmix32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let word = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
    return (word ^ (word >>> 16)) | 0
  }
}
