/**
 * Requests: our own that wait for an answer, those of others that wait for ours, and the address
 * searches of others that went through us.
 *
 * An answer is matched by its request id alone: it may come over any link, since a bounced request
 * is answered by somebody we never spoke to.
 *
 * Source: spec p2py, 5 and 6; p2py 0.23 p2p.py, Connection.request and class Request.
 */
import { P2pError } from '@p2p/base'
import type { LinkId } from '@p2p/base'
import type { PyRequest } from '../pickle/values.ts'
import type { CommandId, RequestToken } from './events.ts'
import type { SharedParts } from './machine-parts.ts'
import { encodeRequest, type RequestEnvelope } from './messages.ts'
import { createRequestId } from './request-id.ts'
import type { PyValue } from '../pickle/values.ts'

/** A request of somebody else, with the link that it came over. */
export interface AskedRequest {
  readonly envelope: RequestEnvelope
  readonly link: LinkId
  /** Of its pickle. */
  readonly byteCount: number
}

/** One that was handed out for an answer. */
export interface TakenRequest extends AskedRequest {
  readonly token: RequestToken
}

interface PendingRequest {
  readonly command: CommandId
  readonly value: PyRequest
}

export class Requests {
  readonly #parts: SharedParts
  readonly #pending = new Map<string, PendingRequest>()
  readonly #incoming = new Map<RequestToken, TakenRequest>()
  #incomingBytes = 0
  /** Request id of an address search to the neighbours that had it from us, oldest first. */
  readonly #searches = new Map<string, Set<number>>()
  #nextToken: RequestToken = 1

  constructor(parts: SharedParts) {
    this.#parts = parts
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** The id of a new request of ours, or why there cannot be one. */
  begin(
    command: CommandId,
    fields: ReadonlyMap<PyValue, PyValue>,
    timeoutMs: number,
  ): string | P2pError {
    const limit = this.#parts.limits.maxRequests
    if (this.#pending.size >= limit) {
      return new P2pError('P2P_TOO_BUSY', `${limit} requests wait for answers already`, {
        facts: { limit },
      })
    }
    const requestId = this.#unusedId()
    const value = encodeRequest({
      callbackAddress: this.#parts.address,
      requestId,
      contents: fields,
    })
    this.#pending.set(requestId, { command, value })
    this.#parts.deadlines.set(`request ${requestId}`, this.#parts.outbox.now.monoMs + timeoutMs)
    return requestId
  }

  valueOf(requestId: string): PyRequest | undefined {
    return this.#pending.get(requestId)?.value
  }

  idOf(command: CommandId): string | undefined {
    for (const [requestId, pending] of this.#pending) {
      if (pending.command === command) return requestId
    }
    return undefined
  }

  /** Ends a request of ours; the command that waits for it, or undefined when nobody does. */
  end(requestId: string): CommandId | undefined {
    const pending = this.#pending.get(requestId)
    this.#pending.delete(requestId)
    this.#parts.deadlines.delete(`request ${requestId}`)
    return pending?.command
  }

  /** The request whose time is over; undefined when the deadline belongs to somebody else. */
  expired(deadline: string): string | undefined {
    return deadline.startsWith('request ') ? deadline.slice('request '.length) : undefined
  }

  pendingIds(): readonly string[] {
    return [...this.#pending.keys()]
  }

  /** Keeps a request of somebody else until it is answered; beyond the limits the oldest go. */
  keep(asked: AskedRequest): RequestToken {
    const token = this.#nextToken++
    this.putBack({ ...asked, token })
    const { maxIncomingRequests, maxIncomingRequestBytes } = this.#parts.limits
    for (const oldest of this.#incoming.keys()) {
      const isWithin = this.#incomingBytes <= maxIncomingRequestBytes || oldest === token
      if (this.#incoming.size <= maxIncomingRequests && isWithin) break
      this.take(oldest)
    }
    return token
  }

  /** Hands a kept request out, once. */
  take(token: RequestToken): TakenRequest | undefined {
    const taken = this.#incoming.get(token)
    this.#incoming.delete(token)
    this.#incomingBytes -= taken?.byteCount ?? 0
    return taken
  }

  /** What was taken but could not be answered may be taken again. */
  putBack(taken: TakenRequest): void {
    this.#incoming.set(taken.token, taken)
    this.#incomingBytes += taken.byteCount
  }

  /** Neighbours that this address search was passed on to already; add to it when passing on. */
  searchTrail(requestId: string): Set<number> {
    const trail = this.#searches.get(requestId) ?? new Set()
    this.#searches.set(requestId, trail)
    for (const oldest of this.#searches.keys()) {
      if (this.#searches.size <= this.#parts.limits.maxRememberedSearches) break
      this.#searches.delete(oldest)
    }
    return trail
  }

  #unusedId(): string {
    for (;;) {
      const requestId = createRequestId(this.#parts.randomBytes)
      if (!this.#pending.has(requestId)) return requestId
    }
  }
}
