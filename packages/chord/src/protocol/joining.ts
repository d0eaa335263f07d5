/**
 * What waits until this node knows the ring. Each neighbour of ours tells what it knows straight after the
 * handshake (ring-keeper.ts), an old one whether it stores itself.
 *
 *   join          until those have told that are neighbours when it begins; once one of ours has, it waits
 *                 for the others a second at most. Who has no neighbours is a ring of its own. A join of
 *                 which nobody tells in time has failed; the node stores all the same, and finds the
 *                 others when it can
 *   read, write   until somebody has told, because nobody knows whom to ask before; no longer than a
 *                 second after the first neighbour is there
 */
import type { Now, RequestId } from '@p2p/base'
import type { ChordInput } from './chord-contract.ts'

export type EarlyRequest = Extract<ChordInput, { type: 'read' | 'write' }>
type Join = { readonly type: 'join'; readonly request: RequestId }

/** What waited; `isKnown` is false where nobody has told. */
export interface Ended {
  readonly input: EarlyRequest | Join
  readonly isKnown: boolean
}

interface Waiting {
  readonly input: EarlyRequest | Join
  /** Neighbours that have not told yet. */
  readonly untold: Set<string>
  /** When it ends if one of ours has told, and when in any case. */
  readonly enoughMs: number
  readonly endMs: number
}

const slowestMs = 1_000

export class Joining {
  /** Neighbours that have told, and whether they are old. */
  readonly #told = new Map<string, boolean>()
  #waiting: Waiting[] = []
  /** When reads and writes wait no more; Infinity before the first neighbour. */
  #earlyEndMs = Infinity

  /** Whether some neighbour of ours has told what it knows. */
  get isTold(): boolean {
    return [...this.#told.values()].includes(false)
  }

  told(peer: string, isOld: boolean): void {
    this.#told.set(peer, isOld)
    for (const { untold } of this.#waiting) untold.delete(peer)
  }

  peerJoined(nowMs: number): void {
    this.#earlyEndMs = Math.min(this.#earlyEndMs, nowMs + slowestMs)
  }

  /** Nobody waits for it any more. */
  peerLeft(peer: string): void {
    this.told(peer, true)
    this.#told.delete(peer)
  }

  join(request: RequestId, neighbours: Iterable<string>, timeoutMs: number, { monoMs }: Now): void {
    const untold = new Set(neighbours)
    for (const peer of this.#told.keys()) untold.delete(peer)
    const enoughMs = monoMs + Math.min(slowestMs, timeoutMs)
    const input = { type: 'join', request } as const
    this.#waiting.push({ input, untold, enoughMs, endMs: monoMs + timeoutMs })
  }

  /** True when the request waits from now on. Without a neighbour nothing does: it could wait for ever. */
  holds(input: EarlyRequest, nowMs: number): boolean {
    const endMs = this.#earlyEndMs
    if (nowMs >= endMs || endMs === Infinity) return false
    this.#waiting.push({ input, untold: new Set(), enoughMs: endMs, endMs })
    return true
  }

  cancel(request: RequestId): void {
    this.#waiting = this.#waiting.filter(({ input }) => input.request !== request)
  }

  nextDeadline(): number {
    return Math.min(...this.#waiting.map(({ enoughMs, endMs }) => (this.isTold ? enoughMs : endMs)))
  }

  /** Whose wait is over, in their order; reads and writes at once where the ring is known. */
  takeEnded(nowMs: number, knowsRing: () => boolean): readonly Ended[] {
    const ended: Ended[] = []
    this.#waiting = this.#waiting.filter(({ input, untold, enoughMs, endMs }) => {
      const isKnown =
        input.type === 'join'
          ? untold.size === 0 || (enoughMs <= nowMs && this.isTold)
          : knowsRing()
      if (!isKnown && endMs > nowMs) return true
      ended.push({ input, isKnown })
      return false
    })
    return ended
  }
}
