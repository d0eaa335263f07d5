/**
 * Which links a node keeps: how many, to whom, and what it does when some are gone.
 *
 * Theory of operation. A node keeps `outgoing` links that it dialled itself, because nobody else can
 * choose those for it, and accepts others up to `maxNeighbours` in all. One that few others have dialled,
 * because it came late, dials some more: of ten thousand nodes of which four in ten pass nothing on,
 * several would know nobody else by eight links, and hardly one by twelve. Below its target a node dials
 * addresses it knows, at random, at a bounded rate that is higher while it is nearly alone. It
 * knows addresses from peers lists; those it has been connected with are *proven* and outlive the
 * connection. The table is bounded, and so is what one source can put into it, so that nobody can
 * fill it with addresses of his own.
 *
 * Two nodes that hear of each other at the same moment would dial each other at the same moment.
 * The one with the greater id therefore waits a little longer.
 *
 * A node that got more links than it wants closes the youngest that others dialled, a few seconds
 * after they came: by then the other side has our peers list and links elsewhere. Old peers are
 * never sent away, because py2p answers a lost link by asking all its neighbours for their lists, which
 * breaks its links to them.
 *
 * Old peers know no address beyond their neighbours' lists. Of the outgoing links only a few go to
 * them while enough others are known (they cost copies), but now and then a known old address is
 * looked at (`rescue`), since a group of old peers that was cut off cannot come back by itself.
 *
 * Source: research/reliability.md, 3.3 and 3.4 rules 5 and 6; limits of design.md, 8.
 */
import {
  hostGroup,
  isLoopbackHost,
  parseAddress,
  type Now,
  type Peer,
  type RandomBytes,
} from '@p2p/base'
import type { HeardPeer } from './peer-exchange.ts'

export interface OverlayLimits {
  /** Links that the node dials by itself; more while it has less than half as many again in all. */
  readonly targetOutgoing: number
  /** Links in all: above it, the node dials nobody by itself and sends the youngest away. */
  readonly maxNeighbours: number
  /** Outgoing links to old programs while others are to be had. */
  readonly maxOldOutgoing: number
  /** Outgoing links into one group of public hosts (/16), against somebody with many addresses. */
  readonly maxOutgoingPerGroup: number
  /** Addresses remembered. */
  readonly maxKnownPeers: number
  /** Unproven addresses remembered from one source. */
  readonly maxKnownPerSource: number
  readonly dialsPerSecond: number
  /** The same, with fewer than two links. */
  readonly dialsPerSecondWhenAlone: number
  /** An unproven address is not dialled again within this time. */
  readonly redialPauseMs: number
  /** First and longest pause before a proven one is. */
  readonly minRedialDelayMs: number
  readonly maxRedialDelayMs: number
  /** How often an old address is looked at. */
  readonly rescueIntervalMs: number
}

export const defaultOverlayLimits: OverlayLimits = {
  targetOutgoing: 8,
  maxNeighbours: 32,
  maxOldOutgoing: 2,
  maxOutgoingPerGroup: 2,
  maxKnownPeers: 1_024,
  maxKnownPerSource: 256,
  dialsPerSecond: 4,
  dialsPerSecondWhenAlone: 16,
  redialPauseMs: 60_000,
  minRedialDelayMs: 500,
  maxRedialDelayMs: 60_000,
  rescueIntervalMs: 30_000,
}

interface KnownPeer extends HeardPeer {
  /** Id of the peer that told us; undefined once we were connected with it. */
  source: string | undefined
  /** Group of a public host; undefined for hosts in private networks. */
  readonly group: string | undefined
  isOld: boolean
  failures: number
  /** Not dialled before this moment. */
  notBeforeMs: number
}

/** An address that the application named: dialled for as long as the node lives. */
interface Bootstrap {
  readonly address: string
  /** Who answered there last; it may call itself by another address. */
  peerId: string | undefined
  failures: number
  notBeforeMs: number
}

interface Neighbour {
  readonly peer: Peer
  readonly group: string | undefined
  readonly openedMs: number
}

/** Links in all that a node wants at least, for each that it wants to dial. */
const leastLinksPerOutgoing = 1.5
/** Peers sent away by the application that are remembered. */
const maxShunned = 1_024
/** How long a surplus link is left standing. */
const surplusGraceMs = 5_000
/** Longest and shortest pause between dials of one bootstrap address. */
const bootstrapPauseMs = { shortest: 1_000, longest: 60_000 }
/** A link that the other end closed within this time was not wanted: not dialled again for a while. */
const shortLifeMs = 60_000
interface Mixture {
  readonly oldCount: number
  readonly countByGroup: ReadonlyMap<string, number>
}

/** Spread of the first dial, so that a list does not make everybody dial at once. */
const firstDialSpreadMs = 200
/** How much longer the greater of two ids waits. */
const yieldMs = 400
/** An address that failed this often, and never worked since, is forgotten. */
const maxFailures = 8

export class Overlay {
  readonly #ownId: string
  readonly #random: RandomBytes
  readonly #limits: OverlayLimits
  readonly #known = new Map<string, KnownPeer>()
  readonly #knownPerSource = new Map<string, number>()
  readonly #peers = new Map<string, Neighbour>()
  readonly #dialling = new Map<string, KnownPeer>()
  readonly #bootstraps: readonly Bootstrap[]
  /** Peers that the application sent away; in the order it did. */
  readonly #shunned = new Set<string>()
  #nextDialMs = -Infinity
  #nextRescueMs = -Infinity
  /** Result of `nextDeadline`, which looks at every known peer; undefined after a change. */
  #cachedDeadlineMs: number | undefined

  constructor(options: {
    readonly ownId: string
    readonly random: RandomBytes
    readonly limits?: Partial<OverlayLimits>
    readonly bootstrap?: readonly string[]
  }) {
    this.#bootstraps = (options.bootstrap ?? []).map((address) => ({
      address,
      peerId: undefined,
      failures: 0,
      notBeforeMs: -Infinity,
    }))
    this.#ownId = options.ownId
    this.#random = options.random
    this.#limits = { ...defaultOverlayLimits, ...options.limits }
  }

  get knownCount(): number {
    return this.#known.size
  }

  /** Addresses that we have been connected with. */
  *proven(): Iterable<HeardPeer> {
    for (const peer of this.#known.values()) if (peer.source === undefined) yield peer
  }

  /** Where a node was last said to be; undefined when nobody said. */
  addressOf(id: string): string | undefined {
    return this.#known.get(id)?.address
  }

  /** Addresses from a neighbour's list. */
  hear(heard: readonly HeardPeer[], source: string, now: Now): void {
    this.#cachedDeadlineMs = undefined
    for (const { id, address } of heard) {
      if (id === this.#ownId || this.#peers.has(id) || this.#shunned.has(id)) continue
      const known = this.#known.get(id)
      if (known !== undefined && known.address === address) continue
      // Hearsay does not move an address that worked.
      if (known?.source === undefined && known !== undefined && known.failures === 0) continue
      const count = this.#knownPerSource.get(source) ?? 0
      if (count >= this.#limits.maxKnownPerSource) continue
      const yieldFor = this.#ownId > id ? yieldMs : 0
      this.#remember({
        id,
        address,
        source,
        group: publicGroup(address),
        isOld: false,
        failures: 0,
        notBeforeMs: now.monoMs + this.#spread(firstDialSpreadMs) + yieldFor,
      })
    }
  }

  peerOpened(peer: Peer, now: Now): void {
    this.#cachedDeadlineMs = undefined
    const { address } = peer
    const group = address === undefined ? undefined : publicGroup(address)
    this.#peers.set(peer.id, { peer, group, openedMs: now.monoMs })
    this.#dialling.delete(peer.id)
    if (address === undefined || this.#shunned.has(peer.id)) return
    this.#remember({
      id: peer.id,
      address,
      source: undefined,
      group,
      isOld: peer.kind !== 'ours',
      failures: 0,
      notBeforeMs: -Infinity,
    })
  }

  peerClosed(peer: Peer, now: Now): void {
    this.#cachedDeadlineMs = undefined
    const openedMs = this.#peers.get(peer.id)?.openedMs ?? now.monoMs
    this.#peers.delete(peer.id)
    const known = this.#known.get(peer.id)
    if (known === undefined) return
    const wasShort = now.monoMs - openedMs < shortLifeMs && this.#peers.size >= 2
    const pauseMs = wasShort ? this.#limits.redialPauseMs : 0
    known.notBeforeMs = now.monoMs + pauseMs + this.#redialDelay(known)
  }

  /** The application ended the link to this peer: it is not dialled again unless the application says so. */
  shun(id: string): void {
    this.#cachedDeadlineMs = undefined
    this.#shunned.add(id)
    const known = this.#known.get(id)
    if (known !== undefined) this.#forget(known)
    if (this.#shunned.size <= maxShunned) return
    for (const oldest of this.#shunned) {
      this.#shunned.delete(oldest)
      return
    }
  }

  /** A dial of ours came to nothing. */
  dialFailed(id: string, now: Now): void {
    this.#cachedDeadlineMs = undefined
    const known = this.#dialling.get(id)
    this.#dialling.delete(id)
    if (known === undefined) return
    known.failures += 1
    const pauseMs = known.source === undefined ? 0 : this.#limits.redialPauseMs
    known.notBeforeMs = now.monoMs + Math.max(pauseMs, this.#redialDelay(known))
    // Whoever reaches nobody at all may be the one who is cut off.
    if (known.failures >= maxFailures && this.#peers.size > 0) this.#forget(known)
  }

  /** A dial of ours led to this peer, which may have another id than the one we knew there. */
  dialSucceeded(id: string, peer: Peer): void {
    const known = this.#dialling.get(id)
    this.#dialling.delete(id)
    this.#cachedDeadlineMs = undefined
    if (known !== undefined && id !== peer.id) this.#forget(known)
  }

  /** Somebody answered at this address; `isWanted` when the application asked for it. */
  noteAnswer(address: string, peer: Peer, isWanted: boolean, now: Now): void {
    // It was opened before it was known that the application wants it back.
    if (isWanted && this.#shunned.delete(peer.id)) this.peerOpened(peer, now)
    for (const bootstrap of this.#bootstraps) {
      if (bootstrap.address !== address) continue
      bootstrap.peerId = peer.id
      bootstrap.failures = 0
      this.#cachedDeadlineMs = undefined
    }
  }

  /** The bootstrap addresses to dial now: those that no neighbour has, while links are wanted. */
  takeBootstraps(now: Now): readonly string[] {
    const due = this.#wantedBootstraps().filter(({ notBeforeMs }) => notBeforeMs <= now.monoMs)
    for (const bootstrap of due) this.#postpone(bootstrap, now)
    return due.map(({ address }) => address)
  }

  /** The application dials this address now. */
  noteDial(dialled: string, now: Now): void {
    for (const bootstrap of this.#bootstraps)
      if (bootstrap.address === dialled) this.#postpone(bootstrap, now)
  }

  #postpone(bootstrap: Bootstrap, now: Now): void {
    const { shortest, longest } = bootstrapPauseMs
    const pauseMs = Math.min(shortest * 2 ** bootstrap.failures, longest)
    bootstrap.failures += 1
    bootstrap.notBeforeMs = now.monoMs + pauseMs / 2 + this.#spread(pauseMs)
    this.#cachedDeadlineMs = undefined
  }

  #wantedBootstraps(): Bootstrap[] {
    if (this.#bootstraps.length === 0 || !this.#wantsMore()) return []
    return this.#bootstraps.filter(
      ({ peerId = '' }) => !this.#peers.has(peerId) && !this.#shunned.has(peerId),
    )
  }

  #bootstrapDeadline(): number {
    return Math.min(...this.#wantedBootstraps().map(({ notBeforeMs }) => notBeforeMs))
  }

  /** Whom to dial now. */
  takeDials(now: Now): readonly HeardPeer[] {
    // Also when nobody is dialled: a link that took the place of another may have turned an incoming
    // peer into an outgoing one, which nobody tells.
    this.#cachedDeadlineMs = undefined
    if (now.monoMs < this.#earliestDial()) return []
    const candidate = this.#candidate(now)
    if (candidate === undefined) return []
    const isAlone = this.#peers.size < 2
    const { dialsPerSecond, dialsPerSecondWhenAlone } = this.#limits
    this.#nextDialMs = now.monoMs + 1_000 / (isAlone ? dialsPerSecondWhenAlone : dialsPerSecond)
    this.#dialling.set(candidate.id, candidate)
    candidate.notBeforeMs = now.monoMs + this.#limits.redialPauseMs
    return [candidate]
  }

  /** A neighbour that is one too many; undefined when there is none or it may stay a little longer. */
  takeSurplus(now: Now): Peer | undefined {
    if (now.monoMs < this.#surplusDeadline()) return undefined
    this.#cachedDeadlineMs = undefined
    return this.#youngestIncoming()?.peer
  }

  nextDeadline(): number {
    this.#cachedDeadlineMs ??= Math.min(
      this.#earliestDial(),
      this.#surplusDeadline(),
      this.#bootstrapDeadline(),
    )
    return this.#cachedDeadlineMs
  }

  #earliestDial(): number {
    let next = this.#rescueDeadline()
    if (!this.#wantsMore()) return next
    const mixture = this.#mixture()
    for (const known of this.#known.values()) {
      // Below the pace of dials it makes no difference which is the earliest.
      if (next <= this.#nextDialMs) break
      if (known.notBeforeMs < next && this.#isFree(known) && this.#suits(known, mixture)) {
        next = known.notBeforeMs
      }
    }
    return Math.max(next, this.#nextDialMs)
  }

  #candidate(now: Now): KnownPeer | undefined {
    const isDue = (known: KnownPeer): boolean =>
      known.notBeforeMs <= now.monoMs && this.#isFree(known)
    if (this.#wantsMore()) {
      const mixture = this.#mixture()
      const suitable = [...this.#known.values()].filter(
        (known) => isDue(known) && this.#suits(known, mixture),
      )
      const chosen = this.#pick(suitable)
      if (chosen !== undefined) return chosen
    }
    if (now.monoMs < this.#rescueDeadline()) return undefined
    this.#nextRescueMs = now.monoMs + this.#limits.rescueIntervalMs + this.#spread(5_000)
    return this.#pick([...this.#known.values()].filter((known) => known.isOld && isDue(known)))
  }

  #surplusDeadline(): number {
    if (this.#peers.size <= this.#limits.maxNeighbours) return Infinity
    const youngest = this.#youngestIncoming()
    return youngest === undefined ? Infinity : youngest.openedMs + surplusGraceMs
  }

  /** The last of our own kind that dialled us. */
  #youngestIncoming(): Neighbour | undefined {
    return [...this.#peers.values()].findLast(({ peer }) => !peer.outgoing && peer.kind === 'ours')
  }

  #rescueDeadline(): number {
    if (this.#peers.size === 0 || this.#peers.size >= this.#limits.maxNeighbours) return Infinity
    for (const known of this.#known.values()) {
      if (known.isOld && this.#isFree(known)) return Math.max(this.#nextRescueMs, known.notBeforeMs)
    }
    return Infinity
  }

  #wantsMore(): boolean {
    const { maxNeighbours, targetOutgoing } = this.#limits
    const count = this.#peers.size + this.#dialling.size
    if (count >= maxNeighbours) return false
    const least = Math.floor(leastLinksPerOutgoing * targetOutgoing)
    return count < least || this.#outgoingCount() + this.#dialling.size < targetOutgoing
  }

  #isFree(known: KnownPeer): boolean {
    return !this.#peers.has(known.id) && !this.#dialling.has(known.id)
  }

  /** What the outgoing links go to. */
  #mixture(): Mixture {
    let oldCount = 0
    const countByGroup = new Map<string, number>()
    for (const { peer, group } of this.#peers.values()) {
      if (!peer.outgoing) continue
      if (peer.kind !== 'ours') oldCount += 1
      if (group !== undefined) countByGroup.set(group, (countByGroup.get(group) ?? 0) + 1)
    }
    return { oldCount, countByGroup }
  }

  /** Whether one more link to it keeps the mixture we want. */
  #suits(known: KnownPeer, { oldCount, countByGroup }: Mixture): boolean {
    const isCrowded = this.#peers.size >= 2 && oldCount >= this.#limits.maxOldOutgoing
    if (known.isOld && isCrowded) return false
    const { group } = known
    return group === undefined || (countByGroup.get(group) ?? 0) < this.#limits.maxOutgoingPerGroup
  }

  #outgoingCount(): number {
    let count = 0
    for (const { peer } of this.#peers.values()) if (peer.outgoing) count += 1
    return count
  }

  #remember(known: KnownPeer): void {
    const previous = this.#known.get(known.id)
    if (previous !== undefined) this.#forget(previous)
    this.#known.set(known.id, known)
    this.#countSource(known.source, 1)
    if (this.#known.size > this.#limits.maxKnownPeers) this.#forgetOne()
  }

  /** Makes room: the oldest hearsay goes first, then the oldest proven one that is not connected. */
  #forgetOne(): void {
    let oldest: KnownPeer | undefined
    for (const known of this.#known.values()) {
      if (known.source !== undefined) return this.#forget(known)
      if (oldest === undefined && this.#isFree(known)) oldest = known
    }
    if (oldest !== undefined) this.#forget(oldest)
  }

  #forget(known: KnownPeer): void {
    // While it was dialled another address may have taken its place.
    if (this.#known.get(known.id) !== known) return
    this.#known.delete(known.id)
    this.#countSource(known.source, -1)
  }

  #countSource(source: string | undefined, change: number): void {
    if (source === undefined) return
    const count = (this.#knownPerSource.get(source) ?? 0) + change
    if (count > 0) this.#knownPerSource.set(source, count)
    else this.#knownPerSource.delete(source)
  }

  #redialDelay(known: KnownPeer): number {
    const { minRedialDelayMs, maxRedialDelayMs } = this.#limits
    const delayMs = Math.min(minRedialDelayMs * 2 ** known.failures, maxRedialDelayMs)
    return delayMs / 2 + this.#spread(delayMs / 2)
  }

  #pick(candidates: readonly KnownPeer[]): KnownPeer | undefined {
    return candidates[Math.floor(this.#spread(candidates.length))]
  }

  /** A random number from 0 up to, and not including, the bound. */
  #spread(bound: number): number {
    const [high = 0, low = 0] = this.#random(2)
    return (bound * (256 * high + low)) / 65_536
  }
}

/** The group of a public address; undefined for hosts in private networks, which share theirs by nature. */
function publicGroup(address: string): string | undefined {
  const parsed = parseAddress(address)
  if (parsed === undefined || parsed.transport === 'memory') return undefined
  const { host } = parsed
  const isPrivate =
    isLoopbackHost(host) || /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|169\.254)\./.test(host)
  return isPrivate || /^(fe80|f[cd])/i.test(host) ? undefined : hostGroup(host)
}
