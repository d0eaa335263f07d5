/**
 * Reads and writes that come before this node has heard who stores. Its first neighbour tells it within
 * a round trip; until then nobody knows whom to ask, and a read would find nothing where there is
 * something. So they wait for the first news of the ring, but no longer than a second after the first
 * neighbour is there: then nobody stores.
 */
import type { RequestId } from '@p2p/base'
import type { ChordInput } from './chord-contract.ts'

export type EarlyRequest = Extract<ChordInput, { type: 'read' | 'write' }>

const waitMs = 1_000
/** Requests that wait; further ones are tried at once. */
const maxWaiting = 1_024

export class EarlyRequests {
  #waiting: EarlyRequest[] = []
  /** When the wait for the ring is over; Infinity before the first neighbour. */
  #endMs = Infinity

  peerJoined(nowMs: number): void {
    this.#endMs = Math.min(this.#endMs, nowMs + waitMs)
  }

  /** True when the request waits from now on. Without a neighbour nothing does: it could wait for ever. */
  holds(input: EarlyRequest, knownNodes: number, nowMs: number): boolean {
    const isEarly = knownNodes === 0 && this.#endMs !== Infinity && nowMs < this.#endMs
    if (!isEarly || this.#waiting.length >= maxWaiting) return false
    this.#waiting.push(input)
    return true
  }

  cancel(request: RequestId): void {
    this.#waiting = this.#waiting.filter((input) => input.request !== request)
  }

  nextDeadline(): number {
    return this.#waiting.length > 0 ? this.#endMs : Infinity
  }

  /** Those whose wait is over, in their order. */
  takeReady(knownNodes: number, nowMs: number): readonly EarlyRequest[] {
    if (this.#waiting.length === 0 || (knownNodes === 0 && nowMs < this.#endMs)) return []
    return this.#waiting.splice(0)
  }
}
