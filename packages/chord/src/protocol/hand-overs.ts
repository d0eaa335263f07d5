/**
 * Slots and keys on their way to a neighbour that joined, or to those that stay when this node leaves.
 * They go out in portions, so that one newcomer neither fills its link's queue nor holds up reads.
 *
 * Source: spec/chord.md §4.2, §4.3, §12.8.
 */
import type { Value } from '@p2p/serializer'
import { noticePayload } from './messages.ts'

export interface Parcel {
  readonly peer: string
  readonly payload: readonly Value[]
  /** Roughly, where it may be much. */
  readonly bytes?: number
}

const portionMessages = 64
/** A portion ends with the value that goes over this. */
const portionBytes = 1_048_576
const portionEveryMs = 20
/** Lists of parcels that wait; further ones are left to the next comparison. */
const maxWaiting = 16_384

export class HandOvers {
  /** Lazy: a value that changes before its turn is sent as it is then. */
  readonly #parcels: Iterator<Parcel>[] = []
  #dueMs = Infinity

  /** Takes on further parcels and returns what may go out at once. */
  add(parcels: Iterable<Parcel>, nowMs: number): readonly Parcel[] {
    if (this.#parcels.length < maxWaiting) this.#parcels.push(parcels[Symbol.iterator]())
    return this.#dueMs === Infinity ? this.#portion(nowMs) : []
  }

  nextDeadline(): number {
    return this.#dueMs
  }

  handleDeadline(nowMs: number): readonly Parcel[] {
    return nowMs < this.#dueMs ? [] : this.#portion(nowMs)
  }

  #portion(nowMs: number): readonly Parcel[] {
    const portion: Parcel[] = []
    let bytes = 0
    while (portion.length < portionMessages && bytes < portionBytes) {
      const [first] = this.#parcels
      if (first === undefined) break
      const next = first.next()
      if (next.done === true) this.#parcels.shift()
      else {
        portion.push(next.value)
        bytes += next.value.bytes ?? 0
      }
    }
    this.#dueMs = this.#parcels.length === 0 ? Infinity : nowMs + portionEveryMs
    return portion
  }
}

/** Keys for the list of a neighbour. */
export function* noticesTo(peer: string, keys: Iterable<Uint8Array>): Generator<Parcel> {
  for (const key of keys) yield { peer, payload: noticePayload(key) }
}
