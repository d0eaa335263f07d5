/**
 * When replicas are compared: once in a while, and soon after the ring has changed. Times are drawn, so
 * that nodes do not all act at once.
 */
import type { RandomBytes } from '@p2p/base'
import { randomBelow } from './random-below.ts'

/** After a change of the ring, which seldom comes alone. */
const soonMs = { least: 100, spread: 400 }

export class RepairClock {
  readonly #random: RandomBytes
  readonly #everyMs: number
  #dueMs = Infinity

  /** At most `everyMs`, and at least half of it, lies between two repairs. */
  constructor(random: RandomBytes, everyMs: number) {
    this.#random = random
    this.#everyMs = everyMs
  }

  /** Infinity before the first change. */
  get dueMs(): number {
    return this.#dueMs
  }

  hasten(nowMs: number): void {
    const atMs = nowMs + soonMs.least + randomBelow(this.#random, soonMs.spread)
    this.#dueMs = Math.min(this.#dueMs, atMs)
  }

  restart(nowMs: number): void {
    this.#dueMs = nowMs + this.#everyMs / 2 + randomBelow(this.#random, this.#everyMs / 2)
  }

  stop(): void {
    this.#dueMs = Infinity
  }
}
