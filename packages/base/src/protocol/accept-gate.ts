/**
 * Which incoming links may stay before they have said anything: so many without a handshake in all,
 * so many per remote host, and so many new ones per second and host (design: limits).
 *
 * An honest peer sends its handshake at once, an attacker never does. So a full gate does not turn
 * the newcomer away: everybody may use `graceMs`, and then the longest waiting ones are closed until
 * the limits hold again. Thousands of silent links thus do not keep honest peers out.
 */
import { isLoopbackHost, parseAddress } from './address.ts'
import { P2pError } from './errors.ts'
import type { NodeLimits } from './limits.ts'
import type { LinkId } from './link.ts'

interface Pending {
  readonly host: string
  readonly enteredMs: number
}

interface Bucket {
  tokens: number
  refilledMs: number
}

/** Hosts whose pace is remembered; the longest unheard is forgotten first. */
const maxHosts = 4_096
/** Time in which a handshake comes in over any usable line, unless the peer has none. */
const graceMs = 500
/** How far a burst within the grace may go beyond the limit. */
const burstFactor = 4

export class AcceptGate {
  readonly #limits: NodeLimits
  readonly #pendingByLink = new Map<LinkId, Pending>()
  readonly #countsByHost = new Map<string, number>()
  readonly #bucketsByHost = new Map<string, Bucket>()
  #refusedCount = 0

  constructor(limits: NodeLimits) {
    this.#limits = limits
  }

  get pendingCount(): number {
    return this.#pendingByLink.size
  }
  /** Links turned away or closed for one of the limits here. */
  get refusedCount(): number {
    return this.#refusedCount
  }

  /**
   * An error when an incoming link may not become a peer beside so many. Asked when it comes and again
   * when it has introduced itself: any number may come in before the first of them does.
   */
  refusePeer(peerCount: number): P2pError | undefined {
    return peerCount >= this.#limits.maxPeers ? this.#refuse('maxPeers') : undefined
  }

  /** Counts an incoming link in; an error when it has to be closed at once. */
  enter(link: LinkId, remote: string, monoMs: number): P2pError | undefined {
    const host = parseAddress(remote)?.host ?? remote
    const { maxPendingLinks } = this.#limits
    if (this.#pendingByLink.size >= burstFactor * maxPendingLinks) {
      return this.#refuse('maxPendingLinks')
    }
    if (!this.#takeToken(host, monoMs)) return this.#refuse('maxAcceptsPerSecondPerHost')
    this.#pendingByLink.set(link, { host, enteredMs: monoMs })
    this.#countsByHost.set(host, (this.#countsByHost.get(host) ?? 0) + 1)
    return undefined
  }

  /** The link's handshake was accepted, or the link is gone. */
  leave(link: LinkId): void {
    const pending = this.#pendingByLink.get(link)
    if (pending === undefined) return
    this.#pendingByLink.delete(link)
    const count = (this.#countsByHost.get(pending.host) ?? 1) - 1
    if (count > 0) this.#countsByHost.set(pending.host, count)
    else this.#countsByHost.delete(pending.host)
  }

  /** When `trim` should be called next; Infinity while the limits hold. */
  nextTrimMs(): number {
    for (const pending of this.#pendingByLink.values()) {
      if (this.#excess(pending) !== undefined) return pending.enteredMs + graceMs
    }
    return Infinity
  }

  /** Lets go of the longest waiting links above a limit whose grace is over; the caller closes them. */
  trim(monoMs: number): readonly { readonly link: LinkId; readonly reason: P2pError }[] {
    const trimmed: { link: LinkId; reason: P2pError }[] = []
    for (const [link, pending] of this.#pendingByLink) {
      if (pending.enteredMs + graceMs > monoMs) break
      const limit = this.#excess(pending)
      if (limit === undefined) continue
      trimmed.push({ link, reason: this.#refuse(limit) })
      this.leave(link)
    }
    return trimmed
  }

  #excess(pending: Pending): 'maxPendingLinks' | 'maxPendingLinksPerHost' | undefined {
    const { maxPendingLinks, maxPendingLinksPerHost } = this.#limits
    if (this.#pendingByLink.size > maxPendingLinks) return 'maxPendingLinks'
    const hostCount = this.#countsByHost.get(pending.host) ?? 0
    return hostCount > maxPendingLinksPerHost ? 'maxPendingLinksPerHost' : undefined
  }

  /** Loopback has no pace: all nodes of a test or of one machine share it. */
  #takeToken(host: string, monoMs: number): boolean {
    if (isLoopbackHost(host)) return true
    const rate = this.#limits.maxAcceptsPerSecondPerHost
    const bucket = this.#bucketsByHost.get(host) ?? { tokens: rate, refilledMs: monoMs }
    this.#bucketsByHost.delete(host)
    this.#bucketsByHost.set(host, bucket)
    const [oldest] = this.#bucketsByHost.keys()
    if (this.#bucketsByHost.size > maxHosts && oldest !== undefined) {
      this.#bucketsByHost.delete(oldest)
    }
    const earned = ((monoMs - bucket.refilledMs) * rate) / 1_000
    bucket.tokens = Math.min(rate, bucket.tokens + earned)
    bucket.refilledMs = monoMs
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  #refuse(limit: keyof NodeLimits): P2pError {
    this.#refusedCount += 1
    const value = this.#limits[limit]
    return new P2pError('P2P_TOO_MANY_LINKS', `incoming link exceeds ${limit} ${value}`, {
      facts: { limit, value },
    })
  }
}
