/** Seeded random numbers for tests: mulberry32 (T. Ettinger, public domain), 32 bits of state. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0
  }

  /** 0 ≤ result < 1 */
  unit(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let z = this.#state
    z = Math.imul(z ^ (z >>> 15), z | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return ((z ^ (z >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number, 0 ≤ result < count. */
  below(count: number): number {
    return Math.floor(this.unit() * count)
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }
}
