/**
 * Dials in the making and who waits for them: one attempt per address, however many callers. Each
 * request is answered with exactly one `connected` or `connect-failed`, unless it is cancelled.
 *
 * An attempt lives from the request until the handshake is accepted or everything failed. Its dial
 * id changes when it has to be dialled anew.
 */
import type { Deadlines } from './deadlines.ts'
import { P2pError } from './errors.ts'
import type { DialId, LinkId } from './link.ts'
import type { Now } from './machine.ts'
import { handshakeTimeoutError, idMismatchError } from './peer-errors.ts'
import type { Peer, PeersEffect, RequestId } from './peers-contract.ts'

interface Waiter {
  readonly expectedId: string | undefined
  readonly untilMs: number
}

export interface Attempt {
  readonly address: string
  readonly waiters: Map<RequestId, Waiter>
  dial: DialId
  /** What the dial was given, and when that is over. */
  timeoutMs: number
  untilMs: number
  /** Set once the dial led to a link. */
  link: LinkId | undefined
}

/** A dial that nobody needs any more: its link is to be closed. */
export type Abandoned = Attempt

export class ConnectRequests {
  readonly #deadlines: Deadlines
  readonly #emit: (effect: PeersEffect) => void
  readonly #byAddress = new Map<string, Attempt>()
  readonly #byDial = new Map<DialId, Attempt>()
  readonly #byRequest = new Map<RequestId, Attempt>()
  #nextDial = 1

  constructor(deadlines: Deadlines, emit: (effect: PeersEffect) => void) {
    this.#deadlines = deadlines
    this.#emit = emit
  }

  /** Dials under way. */
  get size(): number {
    return this.#byDial.size
  }

  ofDial(dial: DialId | undefined): Attempt | undefined {
    return dial === undefined ? undefined : this.#byDial.get(dial)
  }

  /** Joins the attempt at this address, or begins one. */
  request(
    input: {
      readonly request: RequestId
      readonly address: string
      readonly expectedId: string | undefined
      readonly timeoutMs: number
    },
    now: Now,
  ): void {
    const { request, address, expectedId, timeoutMs } = input
    const untilMs = now.monoMs + timeoutMs
    const attempt = this.#byAddress.get(address) ?? this.#begin({ address, timeoutMs, untilMs })
    attempt.waiters.set(request, { expectedId, untilMs })
    this.#byRequest.set(request, attempt)
    this.#deadlines.set(`request ${request}`, untilMs)
  }

  /** Whoever asked does not wait any more. */
  cancel(request: RequestId): Abandoned | undefined {
    this.#deadlines.delete(`request ${request}`)
    return this.#leave(request)
  }

  /** The deadline of a request came. */
  timeOut(request: RequestId): Abandoned | undefined {
    const attempt = this.#byRequest.get(request)
    if (attempt === undefined) return undefined
    const { address, link } = attempt
    const error =
      link === undefined
        ? new P2pError('P2P_DIAL_TIMEOUT', `no link to ${address} within the time-out`)
        : handshakeTimeoutError()
    this.#emit({ type: 'connect-failed', request, error })
    return this.#leave(request)
  }

  /** True when at least one who waits wants a peer of this id. */
  wants(attempt: Attempt, id: string): boolean {
    return [...attempt.waiters.values()].some(
      ({ expectedId }) => expectedId === undefined || expectedId === id,
    )
  }

  succeed(attempt: Attempt, peer: Peer): void {
    for (const [request, { expectedId }] of this.#end(attempt)) {
      if (expectedId === undefined || expectedId === peer.id) {
        this.#emit({ type: 'connected', request, peer })
      } else {
        const error = idMismatchError(expectedId, peer.id)
        this.#emit({ type: 'connect-failed', request, error })
      }
    }
  }

  /** The dial came to nothing. Whoever joined it with more time than it had gets another one. */
  dialFailed(attempt: Attempt, error: P2pError, now: Now): void {
    const untilMs = Math.max(...Array.from(attempt.waiters.values(), (waiter) => waiter.untilMs))
    const hasTime = untilMs > Math.max(attempt.untilMs, now.monoMs)
    if (error.code !== 'P2P_DIAL_TIMEOUT' || !hasTime) {
      this.fail(attempt, error)
      return
    }
    this.#renumber(attempt)
    attempt.timeoutMs = untilMs - now.monoMs
    attempt.untilMs = untilMs
    this.#emitDial(attempt)
  }

  fail(attempt: Attempt, error: P2pError): void {
    for (const [request] of this.#end(attempt)) {
      this.#emit({ type: 'connect-failed', request, error })
    }
  }

  /** Dials anew after a pause; the link of the earlier dial is not this attempt's any more. */
  retryAt(attempt: Attempt, atMs: number): void {
    this.#renumber(attempt)
    this.#deadlines.set(`retry ${attempt.dial}`, atMs)
  }

  retry(dial: DialId): void {
    const attempt = this.#byDial.get(dial)
    if (attempt !== undefined) this.#emitDial(attempt)
  }

  #begin(dial: Pick<Attempt, 'address' | 'timeoutMs' | 'untilMs'>): Attempt {
    const attempt: Attempt = { ...dial, waiters: new Map(), dial: 0, link: undefined }
    this.#byAddress.set(attempt.address, attempt)
    this.#renumber(attempt)
    this.#emitDial(attempt)
    return attempt
  }

  #renumber(attempt: Attempt): void {
    this.#byDial.delete(attempt.dial)
    attempt.dial = this.#nextDial
    attempt.link = undefined
    this.#nextDial += 1
    this.#byDial.set(attempt.dial, attempt)
  }

  #emitDial(attempt: Attempt): void {
    const { dial, address, timeoutMs } = attempt
    this.#emit({ type: 'dial', dial, address, timeoutMs })
  }

  #leave(request: RequestId): Abandoned | undefined {
    const attempt = this.#byRequest.get(request)
    this.#byRequest.delete(request)
    if (attempt === undefined) return undefined
    attempt.waiters.delete(request)
    if (attempt.waiters.size > 0) return undefined
    if (attempt.link === undefined) {
      const isWaitingToRetry = this.#deadlines.delete(`retry ${attempt.dial}`)
      if (!isWaitingToRetry) this.#emit({ type: 'cancel-dial', dial: attempt.dial })
    }
    this.#end(attempt)
    return attempt
  }

  #end(attempt: Attempt): readonly (readonly [RequestId, Waiter])[] {
    this.#byAddress.delete(attempt.address)
    this.#byDial.delete(attempt.dial)
    for (const request of attempt.waiters.keys()) {
      this.#byRequest.delete(request)
      this.#deadlines.delete(`request ${request}`)
    }
    return [...attempt.waiters]
  }
}
