/** How long those who were asked first may take before the others are asked as well: twice what it takes of late. */
const firstGuessMs = 50
const leastMs = 10
const mostMs = 1_000
/** Share of the latest in the mean. */
const weight = 1 / 8

export class Patience {
  #usualMs = firstGuessMs

  get ms(): number {
    return Math.min(mostMs, Math.max(leastMs, 2 * this.#usualMs))
  }

  note(tookMs: number): void {
    this.#usualMs += (tookMs - this.#usualMs) * weight
  }
}
