// What a pickle has used up so far. Everything an instruction builds or copies is charged first.
import { pickleError } from './errors.ts'
import type { PickleLimits } from './limits.ts'

export class Budget {
  readonly limits: PickleLimits
  #values = 0
  #copiedBytes = 0
  #collisions = 0

  constructor(limits: PickleLimits) {
    this.limits = limits
  }

  /** Values pushed, or visited again by an instruction that copies or hashes them. */
  chargeValues(count: number): void {
    this.#values += count
    if (this.#values > this.limits.maxValues) {
      throw limitError('values', { limit: this.limits.maxValues, got: this.#values })
    }
  }

  /** Bytes copied from other values; what is cut out of the pickle itself is bounded by its size. */
  chargeBytes(count: number): void {
    this.#copiedBytes += count
    if (this.#copiedBytes > this.limits.maxPickleBytes) {
      throw limitError('copied bytes', {
        limit: this.limits.maxPickleBytes,
        got: this.#copiedBytes,
      })
    }
  }

  /** Keys that another one may have to be compared with. */
  chargeCollisions(count: number): void {
    this.#collisions += count
    if (this.#collisions > this.limits.maxKeyCollisions) {
      throw limitError('possible collisions of keys', {
        limit: this.limits.maxKeyCollisions,
        got: this.#collisions,
      })
    }
  }
}

export function limitError(what: string, facts: { limit: number; got: number }): Error {
  return pickleError(
    'P2P_PICKLE_LIMIT',
    `${facts.got} ${what} in a pickle, the limit is ${facts.limit}`,
    facts,
  )
}
