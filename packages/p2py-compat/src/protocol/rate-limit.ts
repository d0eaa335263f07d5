// A token bucket: so many per second, and ten seconds' worth at once.

const burstSeconds = 10

export class RateLimit {
  readonly #perSecond: number
  #tokens: number
  #lastMs: number | undefined

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond * burstSeconds
  }

  /** True, and one token less, when there is one. */
  take(monoMs: number): boolean {
    const passedMs = monoMs - (this.#lastMs ?? monoMs)
    this.#lastMs = monoMs
    const full = this.#perSecond * burstSeconds
    this.#tokens = Math.min(full, this.#tokens + (passedMs / 1000) * this.#perSecond)
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
