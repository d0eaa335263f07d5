/**
 * Which neighbours hold one message. Thousands of these sets are alive at a time, so a neighbour is a bit
 * in a number, at the place that it was given; only a node with very many has some beyond it.
 */

export interface Placed {
  /** From 0; of no other neighbour at the same time. */
  readonly place: number
}

/** Bits of a number that the engine keeps without an object. */
const maxBits = 31

export class HolderSet {
  #bits = 0
  #beyond: Set<number> | undefined

  has({ place }: Placed): boolean {
    if (place < maxBits) return (this.#bits & (1 << place)) !== 0
    return this.#beyond?.has(place) === true
  }

  add({ place }: Placed): void {
    if (place < maxBits) this.#bits |= 1 << place
    else (this.#beyond ??= new Set()).add(place)
  }

  delete({ place }: Placed): void {
    if (place < maxBits) this.#bits &= ~(1 << place)
    else this.#beyond?.delete(place)
  }
}
