/**
 * Ways to nodes that are no neighbours: what is to be sent waits here while the node is dialled.
 */
import type { RequestId } from '@p2p/base'
import type { Value } from '@p2p/serializer'

/** Messages that wait for one node. */
const maxWaiting = 1_024
/** Nodes being dialled at a time. */
const maxDials = 512
/** Below every number a caller would choose. */
const firstRequest = -1

interface Dial {
  readonly request: RequestId
  readonly waiting: (readonly Value[])[]
}

export class Reach {
  readonly #dials = new Map<string, Dial>()
  readonly #byRequest = new Map<RequestId, string>()
  #next: RequestId = firstRequest

  get size(): number {
    return this.#dials.size
  }

  /** The request under which to dial; `waits` when a dial is under way; undefined when there is no room. */
  add(id: string, payload: readonly Value[] | undefined): RequestId | 'waits' | undefined {
    const open = this.#dials.get(id)
    if (open !== undefined) {
      if (payload === undefined) return 'waits'
      return open.waiting.length < maxWaiting && open.waiting.push(payload) > 0
        ? 'waits'
        : undefined
    }
    if (this.#dials.size >= maxDials) return undefined
    const request = this.#next
    this.#next -= 1
    this.#dials.set(id, { request, waiting: payload === undefined ? [] : [payload] })
    this.#byRequest.set(request, id)
    return request
  }

  /** The node is a neighbour now: what waited for it. */
  takeWaiting(id: string): readonly (readonly Value[])[] {
    return this.#dials.get(id)?.waiting.splice(0) ?? []
  }

  /** A dial of ours has ended; whose it was, undefined for others. */
  end(request: RequestId): string | undefined {
    const id = this.#byRequest.get(request)
    this.#byRequest.delete(request)
    if (id !== undefined) this.#dials.delete(id)
    return id
  }
}
