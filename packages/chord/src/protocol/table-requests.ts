/**
 * Questions with a number to nodes of ours that have not been answered yet. Only the node that was asked
 * can answer one, and each is answered once.
 */
import type { RequestId } from '@p2p/base'
import type { Slot } from './hash-tables.ts'
import type { OfferedSlot } from './repair.ts'

/** Slots of a key, in the order in which they were asked for. */
export interface ReadRequest {
  readonly type: 'read'
  readonly request: RequestId
  readonly slots: readonly Slot[]
}

export interface WriteRequest {
  readonly type: 'write'
  readonly request: RequestId
  readonly slots: readonly Slot[]
  /** The number of the attempt. */
  readonly attempt: number
}

export type TableRequest =
  ReadRequest | WriteRequest | { readonly type: 'offer'; readonly slots: readonly OfferedSlot[] }

export interface OpenRequest {
  readonly to: string
  readonly about: TableRequest
  readonly endMs: number
}

/** How long a node may take to answer before the next holder is asked. */
const requestTimeoutMs = 3_000
/** Requests under way; beyond, they fail at once. */
export const maxTableRequests = 65_536

export class TableRequests {
  /** In the order of their ends, as all wait equally long. */
  readonly #open = new Map<number, OpenRequest>()
  #last = 0

  get size(): number {
    return this.#open.size
  }

  /** Whether an offer has not been answered yet. */
  hasOffers(): boolean {
    return [...this.#open.values()].some(({ about }) => about.type === 'offer')
  }

  /** The number under which the answer will come; undefined when too many are open. */
  add(to: string, about: TableRequest, nowMs: number): number | undefined {
    if (this.#open.size >= maxTableRequests) return undefined
    this.#last += 1
    this.#open.set(this.#last, { to, about, endMs: nowMs + requestTimeoutMs })
    return this.#last
  }

  /** Takes out the request that this node answers. */
  take(request: number, from: string): TableRequest | undefined {
    const open = this.#open.get(request)
    if (open?.to !== from) return undefined
    this.#open.delete(request)
    return open.about
  }

  /** Takes out those to a node that cannot be reached. */
  takeAskedOf(peer: string): readonly OpenRequest[] {
    const taken: OpenRequest[] = []
    for (const [number, open] of this.#open) {
      if (open.to !== peer) continue
      this.#open.delete(number)
      taken.push(open)
    }
    return taken
  }

  takeDue(nowMs: number): readonly OpenRequest[] {
    const due: OpenRequest[] = []
    for (const [number, open] of this.#open) {
      if (open.endMs > nowMs) break
      this.#open.delete(number)
      due.push(open)
    }
    return due
  }

  nextDeadline(): number {
    for (const { endMs } of this.#open.values()) return endMs
    return Infinity
  }
}
