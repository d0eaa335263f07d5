/**
 * Keeps the view of the ring true: announces this node, passes on and compares news, keeps links to the
 * neighbours on the ring, and finds out who is gone.
 *
 * Nobody is taken out because a link has ended or a message was not answered. Whoever notices such a
 * thing dials; only a node that cannot be dialled is said to be gone, and when it hears of it, it says
 * that it is not. The neighbours of a node on the ring, four on each side, keep links to it and notice
 * first.
 *
 * News of a small ring are broadcast: all hear at once, also across old programs. In a large one they are
 * passed on by whoever finds them new (rumours.ts). Who is near on the ring sees for himself, and whoever
 * hears nothing is told at the next comparison of views.
 *
 * Sources: Zave's rules for the maintenance of a ring (arXiv 1610.01140), for a view that holds all
 * members: a successor list is what the view says it is, and it shrinks only by nodes found dead.
 *
 * Over 400 lines: news, doubts and links all turn on who is near.
 */
import type { Now, Peer, RandomBytes } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import { portionsOf } from './portions.ts'
import { randomBelow } from './random-below.ts'
import { sumsPayload, maxRecords, membersPayload } from './ring-messages.ts'
import type { RingMessage } from './ring-messages.ts'
import { isNewer } from './ring-view.ts'
import type { Member, RingView } from './ring-view.ts'
import type { Position } from './ring.ts'
import { largeRing, listenersOf, passOnAfterMs } from './rumours.ts'

/** What the keeper needs of the machine around it. */
export interface RingLine {
  readonly peers: ReadonlyMap<string, Peer>
  /** Whether it is one of ours that speaks of the ring. */
  talksTo(peer: Peer): boolean
  send(peer: string, payload: readonly Value[], now: Now): void
  spread(payload: readonly Value[], now: Now): void
  /** Dials a member; `dialEnded` tells what came of it. */
  dial(id: string, now: Now): void
  /** A node began to store, does so no more, or has moved. `before`: where it stood, if it did. */
  ringChanged(member: Member, before: Position | undefined, now: Now): void
  /** Others had this node gone: it was told nothing for a while. */
  wasGone(now: Now): void
  /** A neighbour has told all that it knows. */
  told(peer: string): void
  /** What two nodes know is compared with this neighbour now. */
  compared(peer: string, now: Now): void
}

/** Neighbours on the ring, on each side, to which a storing node keeps links. */
const linkedEachSide = 4
/**
 * A ring of so many is meshed in full: every owner is a link away that is there already, and the links
 * are fewer than a mesh node may have in all. Each is dialled by the end that is behind, at first.
 */
export const meshedUpTo = 64
/** Further links are dialled a few at a time: a newcomer has something else to do as well. */
const dialsAtOnce = 16
/** Records in all up to which whoever is new is told all of them unasked: that spares a newcomer the way there and back. */
const toldUnasked = 16
/** Old nodes to which a storing node keeps links: nobody else tells them anything. */
const maxLinkedOld = 16
/**
 * How far ahead of our clock a record may be made. A node that is said to be gone answers with a greater
 * incarnation; with no bound somebody could say so with the greatest number there is.
 */
const maxAheadMs = 3_600_000
/** News of a small ring that come within this time go out together. */
const gatherMs = 50
/** Between two looks at the links while one is lacking; otherwise after a change, and when views are compared. */
const keepLinksEveryMs = 5_000
/** A member that could not be dialled is not dialled again for a link within this time. */
const redialPauseMs = 5_000
const compareEveryMs = { least: 30_000, spread: 30_000 }
/** The first comparison, at least and with as much again at most. */
const firstCompareMs = 1_000
/** Time from the end of a link to the dial that finds out why. */
const doubtSpreadMs = 500
/** The nearest neighbour looks first; each further one leaves it this much more time to tell. */
const rankPauseMs = 600
/** A first failure may be a lost packet. Each look doubles the time to the next, up to the longest. */
const firstPauseMs = 500
const longestPauseMs = 60_000
const failuresBelieved = 2
/** Doubts at a time about members that are no neighbours; what else is heard of such ones is believed. */
const maxDoubts = 64
/** Nodes in the whole ring that look after one that is gone, in the time between two comparisons. */
const soundings = 16
/** How a dial ends that says nothing against the node: another link to it won, or we took it back. */
const aliveCodes: ReadonlySet<string> = new Set([
  'P2P_CROSSED_LINKS',
  'P2P_DUPLICATE_LINK',
  'P2P_CANCELLED',
])
/**
 * How a dial ends that says nothing at all: a node that has all the links it takes closes a new one at
 * once, as does one that dies in that moment; and we may have too many dials under way.
 */
const unclearCodes: ReadonlySet<string> = new Set(['P2P_CLOSED_IN_HANDSHAKE', 'P2P_TOO_MANY_DIALS'])
/** Who cannot be dialled dials its neighbours itself, if it lives, within the time in which they keep links. */
const awaitDialMs = 10_000

interface Doubt {
  dueMs: number
  readonly failures: number
  /** Time that was left to it since the last dial; `awaitDialMs` to dial us. */
  readonly pauseMs?: number
  /** Who said that it is gone, and what: it is told, so that it can deny it. */
  readonly rumour?: Member | undefined
}

export class RingKeeper {
  readonly view: RingView
  readonly #id: string
  readonly #line: RingLine
  readonly #random: RandomBytes
  /** False for a plain node: it knows its neighbours only, and says nothing. */
  readonly #isTalking: boolean
  /** Members of whom to tell: what is so then, unless others have told it in the meantime. */
  readonly #news = new Set<string>()
  readonly #doubts = new Map<string, Doubt>()
  readonly #triedMs = new Map<string, number>()
  /** Neighbours that speak of the ring. */
  readonly #talking = new Set<string>()
  /** Those among them that were sent everything, and have not answered. */
  readonly #told = new Set<string>()
  #addresses: readonly string[] = []
  #shift = 0
  #newsDueMs = Infinity
  #linksDueMs = Infinity
  #compareDueMs = Infinity

  constructor(options: {
    readonly id: string
    readonly view: RingView
    readonly line: RingLine
    readonly random: RandomBytes
    readonly isTalking: boolean
  }) {
    this.view = options.view
    this.#id = options.id
    this.#line = options.line
    this.#random = options.random
    this.#isTalking = options.isTalking
  }

  get isStoring(): boolean {
    return this.view.nodes.has(this.#id)
  }

  setAddresses(addresses: readonly string[], now: Now): void {
    this.#addresses = addresses
    if (this.isStoring) this.#announceSelf('storing', now)
  }

  /** Ids of the neighbours that speak of the ring. */
  get talking(): ReadonlySet<string> {
    return this.#talking
  }

  /** What this node has chosen its place with. */
  get shift(): number {
    return this.#shift
  }

  /** False when nothing changes. With another shift the node leaves its place and joins at another. */
  setStoring(isStoring: boolean, now: Now, shift: number = this.#shift): boolean {
    if (this.isStoring === isStoring && this.#shift === shift) return false
    this.#shift = shift
    this.#announceSelf(isStoring ? 'storing' : 'left', now)
    this.#sendNews(now)
    return true
  }

  peerJoined(peer: Peer, now: Now): void {
    const rumour = this.#doubts.get(peer.id)?.rumour
    this.#doubts.delete(peer.id)
    if (!this.#line.talksTo(peer)) return
    this.#talking.add(peer.id)
    if (rumour !== undefined) this.#sendMembers(peer.id, [rumour], now)
    if (this.#compareDueMs === Infinity)
      this.#compareDueMs = now.monoMs + firstCompareMs + randomBelow(this.#random, firstCompareMs)
    const known = this.view.get(peer.id)
    // Most links of a large ring are there for a question, and views that hear something every second always differ.
    if (this.isStoring && known?.state === 'storing' && this.#isLarge()) return
    const isTold = !known && this.view.size <= toldUnasked
    if (isTold) {
      this.#told.add(peer.id)
      this.#sendRecords(peer.id, [], now)
    }
    this.#sendDigest(peer.id, isTold, now, isTold ? [] : undefined)
  }

  /** The records that are not those of the other view. */
  #sendRecords(peer: string, sums: readonly number[], now: Now): void {
    for (const portion of portionsOf(this.view.differing(sums, now.monoMs), maxRecords))
      this.#sendMembers(peer, portion, now)
  }

  #sendMembers(peer: string, members: readonly Member[], now: Now): void {
    this.#line.send(peer, membersPayload(members), now)
  }

  #sendDigest(peer: string, isAnswer: boolean, now: Now, sums = this.view.digest()): void {
    this.#line.send(peer, sumsPayload('digest', isAnswer, sums), now)
  }

  peerLeft(peer: Peer, now: Now): void {
    this.#talking.delete(peer.id)
    this.#told.delete(peer.id)
    const member = this.view.get(peer.id)
    if (member?.state !== 'storing') return
    if (!this.#isTalking) this.#merge({ ...member, state: 'gone' }, now)
    else if (this.#isNear(peer.id) || member.isOld) {
      const pauseMs = Math.max(0, this.#rankOf(peer.id)) * rankPauseMs
      const dueMs = now.monoMs + pauseMs + randomBelow(this.#random, doubtSpreadMs)
      this.#doubts.set(peer.id, { dueMs, failures: failuresBelieved - 1 })
      this.#keepLinksWithin(keepLinksEveryMs, now)
    }
  }

  /** What an old neighbour says of itself. True when it was news. */
  hearOld(peer: Peer, isStoring: boolean, now: Now): boolean {
    const known = this.view.get(peer.id)
    if ((known?.state === 'storing') === isStoring) return false
    this.#tell(
      {
        id: peer.id,
        incarnation: incarnationAfter(known, now),
        state: isStoring ? 'storing' : 'left',
        isOld: true,
        addresses: peer.address === undefined ? [] : [peer.address],
      },
      now,
    )
    return true
  }

  /** `isPrivate`: said to this node alone, and not, as news, to all. */
  handle(
    message: Extract<RingMessage, { type: 'members' | 'digest' }>,
    from: Peer,
    isPrivate: boolean,
    now: Now,
  ): void {
    if (message.type === 'members') {
      const { isPassed } = message
      const overruled: Member[] = []
      for (const member of message.members) {
        const isNews = !isFarAhead(member, now) && this.#hear(member, isPrivate && !isPassed, now)
        if (isPassed) {
          if (isNews && this.#isLarge()) this.#noteNews(member.id, now)
        } else if (member.state === 'storing') {
          const held = this.view.get(member.id)
          if (held && held.state !== 'storing') overruled.push(held)
        }
      }
      // Whoever believes in one that is gone is told so, and one that is back with a clock behind can deny it.
      if (overruled.length > 0) this.#sendMembers(from.id, overruled, now)
      return
    }
    const differs = this.view.digest().some((sum, bucket) => sum !== message.sums[bucket])
    // An answer follows the records; who knows the same, or nobody, sends none.
    const knowsNobody = message.sums.every((sum) => sum === 0)
    if (message.isAnswer || !differs || knowsNobody) this.#line.told(from.id)
    if (this.#told.delete(from.id) && message.isAnswer) return
    // Of somebody new: he told us so unasked, and we did not; he answers our question as well.
    const isNew = message.isAnswer && knowsNobody
    if (isNew) this.#told.add(from.id)
    // A newcomer is told of those that are gone, too, or it would believe whoever has not heard of that.
    this.#sendRecords(from.id, knowsNobody ? [] : message.sums, now)
    if (differs && (isNew || !message.isAnswer)) this.#sendDigest(from.id, true, now)
  }

  /** What came of a dial to a member: nothing when it has no error. */
  dialEnded(id: string, errorCode: string | undefined, now: Now): void {
    const doubt = this.#doubts.get(id)
    this.#doubts.delete(id)
    if (errorCode === undefined || aliveCodes.has(errorCode)) return
    const member = this.view.get(id)
    if (member?.state !== 'storing' || id === this.#id) return
    const isAwaited = errorCode === 'P2P_NO_ADDRESS'
    // Neither can dial the other; this is for those to find out who can be dialled.
    if (isAwaited && this.#addresses.length === 0) return
    const isUnclear = unclearCodes.has(errorCode) || (isAwaited && doubt?.pauseMs !== awaitDialMs)
    const failures = (doubt?.failures ?? 0) + (isUnclear ? 0 : 1)
    if (failures < failuresBelieved) {
      const pauseMs = isAwaited
        ? awaitDialMs
        : Math.min(2 * (doubt?.pauseMs ?? firstPauseMs), longestPauseMs)
      const dueMs = now.monoMs + pauseMs + randomBelow(this.#random, doubtSpreadMs)
      this.#doubts.set(id, { dueMs, pauseMs, failures, rumour: doubt?.rumour })
      return
    }
    // What was said to this node alone is known where it was said.
    if (doubt?.rumour !== undefined && !this.#isNear(id)) this.#merge(doubt.rumour, now)
    else this.#tell({ ...member, state: 'gone' }, now)
  }

  /** Whether a link to this node is one that the ring is kept by. */
  needsLinkTo(id: string): boolean {
    if (!this.isStoring) return false
    const { nodes } = this.view
    const isMeshed = nodes.size <= meshedUpTo && nodes.has(id)
    return isMeshed || this.#isNear(id) || this.view.get(id)?.isOld === true
  }

  nextDeadline(): number {
    let next = Math.min(this.#newsDueMs, this.#linksDueMs, this.#compareDueMs)
    for (const { dueMs } of this.#doubts.values()) next = Math.min(next, dueMs)
    return next
  }

  handleDeadline(now: Now): void {
    if (this.#newsDueMs <= now.monoMs) this.#sendNews(now)
    if (this.#linksDueMs <= now.monoMs) this.#keepLinks(now)
    if (this.#compareDueMs <= now.monoMs) this.#compare(now)
    for (const [id, doubt] of this.#doubts) {
      if (doubt.dueMs > now.monoMs) continue
      doubt.dueMs = Infinity
      const isSettled = this.view.get(id)?.state !== 'storing'
      if (isSettled || this.#line.peers.has(id)) this.#doubts.delete(id)
      else this.#line.dial(id, now)
    }
  }

  // ---- news

  /** True when it was news, and is believed. */
  #hear(member: Member, isPrivate: boolean, now: Now): boolean {
    if (member.id === this.#id) {
      this.#hearOfSelf(member, now)
      return false
    }
    const known = this.view.get(member.id)
    // In a large ring most of what is heard was heard before.
    if (known && !isNewer(member, known)) return false
    const isEnd = known?.state === 'storing' && member.state === 'gone'
    if (isEnd && this.#mustBeSeen(member, isPrivate, now)) return false
    const isNews = this.#merge(member, now)
    const peer = this.#line.peers.get(member.id)
    // Who has a link to an old node that is said to be gone knows better.
    if (isNews && isEnd && peer && !this.#line.talksTo(peer))
      this.#tell({ ...member, state: 'storing', incarnation: member.incarnation + 1 }, now)
    return isNews
  }

  /**
   * Whether the end of this node is not believed before this node has seen for itself: one to whom it has
   * a link, or a neighbour on the ring, or one of whom it is told when two compare what they know; they
   * are asked now. After a partition each side says that the other is gone, and hearsay would tear
   * apart the ring of those who have been together all the time. Who lives and is told denies it to
   * all, so that the first link across brings the two sides together.
   */
  #mustBeSeen(member: Member, isPrivate: boolean, now: Now): boolean {
    const { id, isOld } = member
    if (isOld) return false
    if (this.#line.peers.has(id)) {
      this.#sendMembers(id, [member], now)
      return true
    }
    if (!this.isStoring) return false
    const isDoubted = isPrivate && this.#doubts.size < maxDoubts
    if (!isDoubted && !this.#isNear(id)) return false
    if (!this.#doubts.has(id)) {
      const dueMs = now.monoMs + randomBelow(this.#random, doubtSpreadMs)
      this.#doubts.set(id, { dueMs, failures: failuresBelieved - 1, rumour: member })
    }
    return true
  }

  #hearOfSelf(member: Member, now: Now): void {
    const own = this.view.get(this.#id)
    const isSo = (member.state === 'storing') === this.isStoring
    if (member.incarnation < (own?.incarnation ?? 0) + Number(isSo)) return
    if (own === undefined && member.state !== 'storing') return
    if (this.isStoring && member.state === 'gone') this.#line.wasGone(now)
    this.#announceSelf(this.isStoring ? 'storing' : 'left', now, member)
  }

  /** `known`: what is said of this node, which the new record overrides. */
  #announceSelf(state: 'storing' | 'left', now: Now, known = this.view.get(this.#id)): void {
    const incarnation = incarnationAfter(known, now)
    const own = { id: this.#id, addresses: this.#addresses, shift: this.#shift }
    this.#tell({ ...own, incarnation, state, isOld: false }, now)
  }

  /** Takes in what this node has found out, and passes it on. */
  #tell(member: Member, now: Now): void {
    if (!this.#merge(member, now) || !this.#isTalking) return
    this.#noteNews(member.id, now)
  }

  #noteNews(id: string, { monoMs }: Now): void {
    this.#news.add(id)
    const afterMs = this.#isLarge() ? passOnAfterMs(this.#news.size) : gatherMs
    this.#newsDueMs = Math.min(this.#newsDueMs, monoMs + afterMs)
  }

  #isLarge(): boolean {
    return this.view.nodes.size >= largeRing
  }

  #sendNews(now: Now): void {
    this.#newsDueMs = Infinity
    const news = [...this.#news].flatMap((id) => this.view.get(id) ?? [])
    this.#news.clear()
    const talking = [...this.#talking]
    for (const portion of portionsOf(news, maxRecords)) {
      const payload = membersPayload(portion, true)
      if (!this.#isLarge()) this.#line.spread(payload, now)
      else for (const id of listenersOf(talking, this.#random)) this.#line.send(id, payload, now)
    }
  }

  #merge(member: Member, now: Now): boolean {
    const { id } = member
    const before = this.view.nodes.get(id)?.position
    const wasNeeded = this.needsLinkTo(id)
    if (!this.view.merge(member, now.monoMs, id === this.#id)) return false
    this.#news.delete(id)
    if (member.state !== 'storing') this.#triedMs.delete(id)
    if (this.view.nodes.get(id)?.position === before) return true
    // Of a large ring most come and go elsewhere.
    if (wasNeeded || id === this.#id || this.needsLinkTo(id)) this.#keepLinksWithin(gatherMs, now)
    this.#line.ringChanged(member, before, now)
    return true
  }

  #compare(now: Now): void {
    this.#compareDueMs =
      now.monoMs + compareEveryMs.least + randomBelow(this.#random, compareEveryMs.spread)
    this.#keepLinks(now)
    this.#sound(now)
    const own = this.view.get(this.#id)
    if (own && isFarAhead(own, now) && this.isStoring) this.#announceSelf('storing', now)
    const partners = [...this.#talking]
    const partner = partners[Math.floor(randomBelow(this.#random, partners.length))]
    if (partner === undefined) return
    this.#sendDigest(partner, false, now)
    this.#line.compared(partner, now)
  }

  /**
   * Dials one that is said to be gone, now and then: after a partition nobody else would look across.
   * The whole ring does so some times a minute, whatever its size.
   */
  #sound(now: Now): void {
    if (!this.isStoring || randomBelow(this.#random, this.view.nodes.size) > soundings) return
    const gone = this.view.gone()
    const chosen = gone[Math.floor(randomBelow(this.#random, gone.length))]
    if (chosen !== undefined) this.#line.dial(chosen.id, now)
  }

  // ---- links

  #keepLinksWithin(ms: number, { monoMs }: Now): void {
    this.#linksDueMs = Math.min(this.#linksDueMs, monoMs + ms)
  }

  #keepLinks(now: Now): void {
    this.#linksDueMs = Infinity
    if (!this.isStoring || !this.#isTalking) return
    for (const [id, atMs] of this.#triedMs) {
      if (atMs <= now.monoMs - redialPauseMs) this.#triedMs.delete(id)
    }
    const { nodes } = this.view
    const near = new Set([
      ...nodes.behind(this.#id, linkedEachSide),
      ...nodes.ahead(this.#id, nodes.size > meshedUpTo ? linkedEachSide : nodes.size >> 1),
      ...nodes.old(maxLinkedOld),
    ])
    const lacking = [...near].filter(({ id }) => !this.#line.peers.has(id))
    const untried = lacking.filter(({ id }) => !this.#doubts.has(id) && !this.#triedMs.has(id))
    for (const { id } of untried.slice(0, dialsAtOnce)) {
      this.#triedMs.set(id, now.monoMs)
      this.#line.dial(id, now)
    }
    if (untried.length > dialsAtOnce) this.#keepLinksWithin(gatherMs, now)
    else if (lacking.length > 0) this.#keepLinksWithin(keepLinksEveryMs, now)
  }

  #isNear(id: string): boolean {
    return this.#rankOf(id) >= 0
  }

  /** How many neighbours on the ring are nearer than this one: first the one behind, then the one ahead; −1 for others. */
  #rankOf(id: string): number {
    const { nodes } = this.view
    if (nodes.areFar(this.#id, id, linkedEachSide)) return -1
    const behind = nodes.behind(this.#id, linkedEachSide)
    const ahead = nodes.ahead(this.#id, linkedEachSide)
    const near = behind.flatMap((node, index) => [node, ahead[index] ?? node])
    return near.findIndex((node) => node.id === id)
  }
}

function incarnationAfter(known: Member | undefined, now: Now): number {
  const isCounted = known !== undefined && !isFarAhead(known, now)
  return Math.max(millisecondsOf(now), isCounted ? known.incarnation + 1 : 0)
}

/** Nobody takes such a record: the clock was ahead when it was made. */
function isFarAhead({ incarnation }: Member, now: Now): boolean {
  return incarnation > millisecondsOf(now) + maxAheadMs
}

function millisecondsOf(now: Now): number {
  return Math.floor(now.utcSeconds * 1_000)
}
