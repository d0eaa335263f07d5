/**
 * Keeping the network together: who is there, who left, and which links make up the peer book.
 *
 * NEW PEER and PEER LEFT are flooded along the peer books, once per node. Where p2py believes and
 * announces at once we look first: a lost neighbour is dialled again before he counts as gone, an
 * announced departure of somebody we have a living link to is neither believed nor passed on, and
 * when we ourselves or a neighbour of ours is declared gone we announce, a moment later, that this
 * is not so: those who have no link to it believed the rumour. Neighbours that were lost, and by the
 * member that hands out UUIDs also others that are said to have left, are dialled again at every
 * repair. We never announce that our neighbours left when it is we who leave.
 *
 * Source: spec p2py, 4, 7 and 13; p2py 0.23 p2p.py, handle_new_peer, handle_peer_left, delete_node.
 * @compat a p2py node that leaves closes every second link and announces its neighbours as departed
 * (gossip.test.ts: "false departures").
 */
import { isP2pError, P2pError } from '@p2p/base'
import type { Deadlines, RandomBytes } from '@p2p/base'
import type { P2pyLimits } from './limits.ts'
import type { Links, ReadyLink } from './links.ts'
import type { Membership } from './membership.ts'
import { newPeer, peerLeft, readNewPeer, readPeerLeft } from './membership-messages.ts'
import { encodeMessage, type OutgoingMessage, type Response } from './messages.ts'
import type { NodeAddress } from './node-address.ts'
import { frameOf, type Outbox } from './outbox.ts'
import type { Reach } from './reach.ts'
import { RecentNews } from './recent-news.ts'
import { areSuccessors } from './successors.ts'

const maxRedials = 2
const maxRepairsAtOnce = 4
const maxLooksAtOnce = 4
/** Somebody who was lost is looked for again after as long as it has been away, at most after this. */
const maxLookPauseMs = 300_000
/** We contradict rumours of our departure at most this often. */
const contradictionPauseMs = 5_000
/** A Python node takes announcements from its peer book only, and is slow to put us there. */
const newsDelayMs = 1_000
/** So long after we had no neighbours at all we believe that our UUID was given to another node meanwhile. */
const returnMs = 60_000
/** Why somebody was not reached when that says nothing about him. */
const tellsNothing: ReadonlySet<string> = new Set(['P2P_TOO_BUSY', 'P2P_LEFT', 'P2P_NOT_JOINED'])

export class Gossip {
  readonly #limits: P2pyLimits
  readonly #outbox: Outbox
  readonly #deadlines: Deadlines
  readonly #links: Links
  readonly #members: Membership
  readonly #reach: Reach
  readonly #address: NodeAddress
  readonly #randomBytes: RandomBytes
  readonly #news = new RecentNews()
  /** Neighbours that are back and were not told yet who came meanwhile, with the moment they had left. */
  readonly #back = new Map<number, number>()
  /** Neighbours that are to be dialled again. */
  readonly #toRedial = new Set<number>()
  #contradictedMs = -Infinity
  #isIsolated = false
  /** Until then we count as one who was away. */
  #returningUntilMs = -Infinity

  constructor(options: {
    readonly limits: P2pyLimits
    readonly outbox: Outbox
    readonly deadlines: Deadlines
    readonly links: Links
    readonly members: Membership
    readonly reach: Reach
    readonly address: NodeAddress
    readonly randomBytes: RandomBytes
  }) {
    this.#limits = options.limits
    this.#outbox = options.outbox
    this.#deadlines = options.deadlines
    this.#links = options.links
    this.#members = options.members
    this.#reach = options.reach
    this.#address = options.address
    this.#randomBytes = options.randomBytes
  }

  /** Sends to the peer book; one frame for all. Returns how many got it. */
  announce(message: OutgoingMessage, exclude: readonly (number | null)[]): number {
    const frame = frameOf(encodeMessage(message))
    let count = 0
    for (const [uuid, link] of this.#members.book) {
      const peer = this.#links.peer(link)
      if (peer === undefined || exclude.includes(uuid)) continue
      this.#links.sendFrame(peer, frame)
      count += 1
    }
    return count
  }

  /** This node becomes the first of a network. */
  beginNetwork(): void {
    this.#members.enter(0)
    this.startRepairs()
    this.#outbox.push({ type: 'joined', uuid: 0, networkSize: 1 })
  }

  /** A new member, heard of or taken in by us. */
  learn(uuid: number, address: NodeAddress): boolean {
    if (!this.#members.addMember(uuid)) return false
    this.#members.setAddress(uuid, address)
    this.#news.learned(uuid, this.#outbox.now.monoMs)
    this.#outbox.push({ type: 'peer-joined', uuid, address })
    return true
  }

  addToBook(uuid: number, peer: ReadyLink): void {
    const known = this.#links.peer(this.#members.book.get(uuid))
    if (known !== undefined) return
    peer.uuid = uuid
    peer.isConstant = true
    if (this.#isIsolated) this.#returningUntilMs = this.#outbox.now.monoMs + returnMs
    this.#isIsolated = false
    this.#members.setBookEntry(uuid, peer.link)
    this.#members.setAddress(uuid, peer.address)
    if (peer.isOurs) this.#tellNews(uuid)
    else this.#deadlines.set(`news ${uuid}`, this.#outbox.now.monoMs + newsDelayMs)
  }

  /** To be called when this node leaves its network. */
  reset(): void {
    this.#news.clear()
    this.#back.clear()
    this.#toRedial.clear()
    this.#isIsolated = false
    this.#returningUntilMs = -Infinity
    this.#deadlines.delete('repair')
  }

  onReady(peer: ReadyLink): void {
    const { uuid } = peer
    if (uuid === null || this.#members.uuid === null) return
    const holder = this.#links.peer(this.#members.book.get(uuid))
    if (peer.isOurs && holder !== undefined && !isSame(holder.address, peer.address)) {
      // It was away, and its UUID was given to somebody else.
      this.#links.send(peer, encodeMessage(newPeer(uuid, holder.address)))
      return
    }
    // Declared gone by mistake: he is at his old address under his old UUID.
    if (this.#isAt(uuid, peer.address)) this.#takeBack(uuid, peer)
    if (this.#members.wants(uuid)) this.addToBook(uuid, peer)
  }

  /** True when another node has our UUID by now, since we were away. */
  onNewPeer(peer: ReadyLink, message: Response): boolean {
    const news = readNewPeer(message)
    if (news === undefined || !this.#mayAnnounce(peer)) return false
    if (news.uuid === this.#members.uuid) {
      const isReturning = this.#outbox.now.monoMs < this.#returningUntilMs
      return isReturning && !isSame(news.address, this.#address)
    }
    if (!this.#members.book.has(news.uuid)) this.#members.setAddress(news.uuid, news.address)
    if (!this.learn(news.uuid, news.address)) return false
    this.announce(newPeer(news.uuid, news.address), [peer.uuid, news.uuid])
    if (this.#members.wants(news.uuid)) this.#meetLater(news.uuid)
    return false
  }

  onPeerLeft(peer: ReadyLink, message: Response): void {
    const uuid = readPeerLeft(message)
    if (uuid === undefined || !this.#mayAnnounce(peer)) return
    if (uuid === this.#members.uuid) this.#contradict(uuid)
    else if (this.#links.peer(this.#members.book.get(uuid)) !== undefined) this.#vouchLater(uuid)
    else this.#depart(uuid, { isSure: false, heardFrom: peer.uuid })
  }

  onGone(peer: ReadyLink, saidGoodbye: boolean): void {
    const { uuid } = peer
    if (uuid === null || this.#members.book.get(uuid) !== peer.link) return
    this.#members.deleteBookEntry(uuid)
    const twin = this.#links
      .ready()
      .find((other) => other.uuid === uuid && isSame(other.address, peer.address))
    if (twin !== undefined) {
      this.addToBook(uuid, twin)
      return
    }
    // A Python node also says good-bye to whom it does not have in its own book; look again then.
    const hadUs = peer.isOurs || areSuccessors(uuid, this.#members.uuid ?? uuid)
    if (saidGoodbye && hadUs) this.#depart(uuid, { isSure: true, heardFrom: null })
    else this.#redialLater(uuid, 1)
  }

  /** The end of a redial. */
  onVerified(uuid: number, attempt: number, result: ReadyLink | P2pError): void {
    if (!this.#members.isMember(uuid) || this.#members.book.has(uuid)) return
    if (!isP2pError(result)) {
      if (result.uuid === uuid || result.uuid === null) this.addToBook(uuid, result)
      else this.#depart(uuid, { isSure: true, heardFrom: null })
    } else if (tellsNothing.has(result.code)) {
      this.#redialLater(uuid, attempt)
    } else if (attempt < maxRedials && this.#members.addressOf(uuid) !== undefined) {
      this.#redialLater(uuid, attempt + 1)
    } else {
      const isSure = result.code === 'P2P_CONNECTION_REFUSED'
      this.#depart(uuid, { isSure, isLost: !isSure, heardFrom: null })
    }
  }

  /** The end of a look for somebody who is said to have left. */
  onLooked(uuid: number, result: ReadyLink | P2pError): void {
    if (isP2pError(result)) {
      if (!tellsNothing.has(result.code)) this.#members.missed(uuid, this.#outbox.now.monoMs)
    } else if (result.uuid === uuid) {
      this.#takeBack(uuid, result)
      if (this.#members.wants(uuid)) this.addToBook(uuid, result)
    } else {
      this.#members.missed(uuid, this.#outbox.now.monoMs)
    }
  }

  /** A member that we wanted to have a link to. */
  onMet(uuid: number, result: ReadyLink | P2pError): void {
    if (isP2pError(result) || !this.#members.wants(uuid)) return
    this.addToBook(uuid, result)
  }

  /** A member that could not be found although he should be there. */
  giveUp(uuid: number): void {
    this.#depart(uuid, { isSure: false, heardFrom: null })
  }

  startRepairs(): void {
    this.#repairWithin(this.#limits.repairIntervalMs)
  }

  /** Handles the deadlines of this part; others are nobody's. */
  handleDeadline(name: string): void {
    const [kind, uuidText, attemptText] = name.split(' ')
    const uuid = Number(uuidText)
    if (kind === 'meet') {
      if (this.#members.wants(uuid) && !this.#members.book.has(uuid)) {
        this.#reach.begin({ uuid }, { type: 'meet', uuid })
      }
    } else if (kind === 'redial') {
      const attempt = Number(attemptText)
      const address = this.#members.addressOf(uuid)
      if (!this.#toRedial.delete(uuid) || address === undefined) return
      if (!this.#members.isMember(uuid)) return
      this.#reach.begin({ address }, { type: 'verify', uuid, attempt })
    } else if (kind === 'alive') {
      this.#announceAlive(uuid)
    } else if (kind === 'news') {
      this.#tellNews(uuid)
    } else if (kind === 'repair') {
      this.#repair()
    }
  }

  /** Newcomers that this neighbour may not have heard of: they were announced before we had a link. */
  #tellNews(uuid: number): void {
    const peer = this.#links.peer(this.#members.book.get(uuid))
    if (peer === undefined) return
    const awaySinceMs = this.#back.get(uuid)
    this.#back.delete(uuid)
    const { monoMs } = this.#outbox.now
    for (const newcomer of this.#news.missedBy(uuid, { monoMs, awaySinceMs })) {
      const address = this.#members.addressOf(newcomer)
      if (address === undefined) continue
      this.#links.send(peer, encodeMessage(newPeer(newcomer, address)))
    }
  }

  #repair(): void {
    for (const uuid of this.#members.missing().slice(0, maxRepairsAtOnce)) {
      this.#reach.begin({ uuid }, { type: 'meet', uuid })
    }
    for (const uuid of this.#toLookFor().slice(0, maxLooksAtOnce)) {
      this.#reach.begin({ uuid }, { type: 'look', uuid })
    }
    this.startRepairs()
  }

  /**
   * The departed that may be there all the same, those first that were not looked for, or longest ago: neighbours
   * that could not be reached, since it may have been our own line that was down; and for whoever hands out
   * UUIDs everybody whose UUID it would use again. Others are not: a rumour must not make a whole network dial.
   */
  #toLookFor(): readonly number[] {
    const { uuid: own, highest, free } = this.#members
    const nowMs = this.#outbox.now.monoMs
    const isAdder = own === highest
    const canAsk = this.#links.ready().some(({ isOurs, isConstant }) => isOurs && isConstant)
    return [...free]
      .filter(([uuid, { isSure, isLost, leftMs, missedMs }]) => {
        if (isSure || (!canAsk && this.#members.addressOf(uuid) === undefined)) return false
        if (isLost) return nowMs - missedMs >= Math.min(missedMs - leftMs, maxLookPauseMs)
        const isQuarantined = nowMs - leftMs < this.#limits.uuidQuarantineMs
        return isAdder && !isQuarantined && !this.#members.isReusable(uuid)
      })
      .sort(([, one], [, other]) => one.missedMs - other.missedMs)
      .map(([uuid]) => uuid)
  }

  #takeBack(uuid: number, peer: ReadyLink): void {
    const departure = this.#members.free.get(uuid)
    if (departure === undefined || !this.learn(uuid, peer.address)) return
    if (this.#members.wants(uuid)) this.#back.set(uuid, departure.leftMs)
    this.announce(newPeer(uuid, peer.address), [uuid])
  }

  #depart(
    uuid: number,
    how: { readonly isSure: boolean; readonly isLost?: boolean; readonly heardFrom: number | null },
  ): void {
    const { isSure, isLost = false } = how
    const leftMs = this.#outbox.now.monoMs
    if (!this.#members.removeMember(uuid, { leftMs, isSure, isLost })) return
    this.#news.forget(uuid)
    this.#back.delete(uuid)
    this.#outbox.push({ type: 'peer-left', uuid })
    this.announce(peerLeft(uuid), [uuid, how.heardFrom])
    if (isLost) this.#noteIsolation()
    if (this.#members.missing().length > 0) this.#repairWithin(this.#limits.redialDelayMs)
  }

  #noteIsolation(): void {
    if (this.#isIsolated || this.#members.book.size > 0) return
    this.#isIsolated = true
    const error = new P2pError('P2P_ISOLATED', 'no neighbour can be reached any more')
    this.#outbox.push({ type: 'isolated', error })
  }

  #contradict(own: number): void {
    const allowedMs = this.#contradictedMs + contradictionPauseMs
    if (this.#outbox.now.monoMs >= allowedMs) this.#announceAlive(own)
    else this.#deadlines.set(`alive ${own}`, allowedMs)
  }

  /** Not at once: a neighbour who leaves may be on his way to tell us, and the rumour has to be everywhere before. */
  #vouchLater(neighbour: number): void {
    const name = `alive ${neighbour}`
    if (this.#deadlines.has(name)) return
    const delayMs = this.#limits.redialDelayMs * (1 + this.#random())
    this.#deadlines.set(name, this.#outbox.now.monoMs + delayMs)
  }

  #announceAlive(uuid: number): void {
    if (uuid === this.#members.uuid) {
      this.#contradictedMs = this.#outbox.now.monoMs
      this.announce(newPeer(uuid, this.#address), [])
      return
    }
    const peer = this.#links.peer(this.#members.book.get(uuid))
    if (peer !== undefined) this.announce(newPeer(uuid, peer.address), [uuid])
  }

  /** p2py takes announcements from its peer book only, and so do we. */
  #mayAnnounce(peer: ReadyLink): boolean {
    if (peer.uuid === null || !this.#members.book.has(peer.uuid)) return false
    return peer.announcements.take(this.#outbox.now.monoMs)
  }

  #isAt(uuid: number, address: NodeAddress): boolean {
    const known = this.#members.addressOf(uuid)
    return known !== undefined && isSame(known, address)
  }

  #meetLater(uuid: number): void {
    const delayMs = this.#limits.newcomerDelayMs * (1 + this.#random())
    this.#deadlines.set(`meet ${uuid}`, this.#outbox.now.monoMs + delayMs)
  }

  #redialLater(uuid: number, attempt: number): void {
    const delayMs = this.#limits.redialDelayMs * attempt * this.#random()
    this.#toRedial.add(uuid)
    this.#deadlines.set(`redial ${uuid} ${attempt}`, this.#outbox.now.monoMs + delayMs)
  }

  #repairWithin(durationMs: number): void {
    const delayMs = durationMs * (0.5 + this.#random() / 2)
    this.#deadlines.set('repair', this.#outbox.now.monoMs + delayMs)
  }

  /** From 0 to 1, so that nodes do not act in step. */
  #random(): number {
    return (this.#randomBytes(1)[0] ?? 0) / 255
  }
}

function isSame(one: NodeAddress, other: NodeAddress): boolean {
  return one.host === other.host && one.port === other.port
}
