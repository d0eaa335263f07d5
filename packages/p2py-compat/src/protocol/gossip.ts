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
import type { ReadyLink } from './links.ts'
import type { ReachingParts } from './machine-parts.ts'
import { newPeer, peerLeft, readNewPeer, readPeerLeft } from './membership-messages.ts'
import { encodeMessage, type OutgoingMessage, type Response } from './messages.ts'
import type { NodeAddress } from './node-address.ts'
import { frameOf } from './outbox.ts'
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
  readonly #parts: ReachingParts
  readonly #news = new RecentNews()
  /** Neighbours that are back and were not told yet who came meanwhile, with the moment they had left. */
  readonly #back = new Map<number, number>()
  /** Neighbours that are to be dialled again. */
  readonly #toRedial = new Set<number>()
  #contradictedMs = -Infinity
  #isIsolated = false
  /** Until then we count as one who was away. */
  #returningUntilMs = -Infinity

  constructor(parts: ReachingParts) {
    this.#parts = parts
  }

  /** Sends to the peer book; one frame for all. Returns how many got it. */
  announce(message: OutgoingMessage, exclude: readonly (number | null)[]): number {
    const frame = frameOf(encodeMessage(message))
    let count = 0
    for (const [uuid, link] of this.#parts.members.book) {
      const peer = this.#parts.links.peer(link)
      if (peer === undefined || exclude.includes(uuid)) continue
      this.#parts.links.sendFrame(peer, frame)
      count += 1
    }
    return count
  }

  /** This node becomes the first of a network. */
  beginNetwork(): void {
    this.#parts.members.enter(0)
    this.startRepairs()
    this.#parts.outbox.push({ type: 'joined', uuid: 0, networkSize: 1 })
  }

  /** A new member, heard of or taken in by us. */
  learn(uuid: number, address: NodeAddress): boolean {
    if (!this.#parts.members.addMember(uuid)) return false
    this.#parts.members.setAddress(uuid, address)
    this.#news.learned(uuid, this.#parts.outbox.now.monoMs)
    this.#parts.outbox.push({ type: 'peer-joined', uuid, address })
    return true
  }

  addToBook(uuid: number, peer: ReadyLink): void {
    const known = this.#parts.links.peer(this.#parts.members.book.get(uuid))
    if (known !== undefined) return
    peer.uuid = uuid
    peer.isConstant = true
    if (this.#isIsolated) this.#returningUntilMs = this.#parts.outbox.now.monoMs + returnMs
    this.#isIsolated = false
    this.#parts.members.setBookEntry(uuid, peer.link)
    this.#parts.members.setAddress(uuid, peer.address)
    if (peer.isOurs) this.#tellNews(uuid)
    else this.#parts.deadlines.set(`news ${uuid}`, this.#parts.outbox.now.monoMs + newsDelayMs)
  }

  /** To be called when this node leaves its network. */
  reset(): void {
    this.#news.clear()
    this.#back.clear()
    this.#toRedial.clear()
    this.#isIsolated = false
    this.#returningUntilMs = -Infinity
    this.#parts.deadlines.delete('repair')
  }

  onReady(peer: ReadyLink): void {
    const { uuid } = peer
    if (uuid === null || this.#parts.members.uuid === null) return
    const holder = this.#parts.links.peer(this.#parts.members.book.get(uuid))
    if (peer.isOurs && holder !== undefined && !isSame(holder.address, peer.address)) {
      // It was away, and its UUID was given to somebody else.
      this.#parts.links.send(peer, encodeMessage(newPeer(uuid, holder.address)))
      return
    }
    // Declared gone by mistake: he is at his old address under his old UUID.
    if (this.#isAt(uuid, peer.address)) this.#takeBack(uuid, peer)
    if (this.#parts.members.wants(uuid)) this.addToBook(uuid, peer)
  }

  /** True when another node has our UUID by now, since we were away. */
  onNewPeer(peer: ReadyLink, message: Response): boolean {
    const news = readNewPeer(message)
    if (news === undefined || !this.#mayAnnounce(peer)) return false
    if (news.uuid === this.#parts.members.uuid) {
      const isReturning = this.#parts.outbox.now.monoMs < this.#returningUntilMs
      return isReturning && !isSame(news.address, this.#parts.address)
    }
    if (!this.#parts.members.book.has(news.uuid))
      this.#parts.members.setAddress(news.uuid, news.address)
    if (!this.learn(news.uuid, news.address)) return false
    this.announce(newPeer(news.uuid, news.address), [peer.uuid, news.uuid])
    if (this.#parts.members.wants(news.uuid)) this.#meetLater(news.uuid)
    return false
  }

  onPeerLeft(peer: ReadyLink, message: Response): void {
    const uuid = readPeerLeft(message)
    if (uuid === undefined || !this.#mayAnnounce(peer)) return
    if (uuid === this.#parts.members.uuid) this.#contradict(uuid)
    else if (this.#parts.links.peer(this.#parts.members.book.get(uuid)) !== undefined)
      this.#vouchLater(uuid)
    else this.#depart(uuid, { isSure: false, heardFrom: peer.uuid })
  }

  onGone(peer: ReadyLink, saidGoodbye: boolean): void {
    const { uuid } = peer
    if (uuid === null || this.#parts.members.book.get(uuid) !== peer.link) return
    this.#parts.members.deleteBookEntry(uuid)
    const twin = this.#parts.links
      .ready()
      .find((other) => other.uuid === uuid && isSame(other.address, peer.address))
    if (twin !== undefined) {
      this.addToBook(uuid, twin)
      return
    }
    // A Python node also says good-bye to whom it does not have in its own book; look again then.
    const hadUs = peer.isOurs || areSuccessors(uuid, this.#parts.members.uuid ?? uuid)
    if (saidGoodbye && hadUs) this.#depart(uuid, { isSure: true, heardFrom: null })
    else this.#redialLater(uuid, 1)
  }

  /** The end of a redial. */
  onVerified(uuid: number, attempt: number, result: ReadyLink | P2pError): void {
    if (!this.#parts.members.isMember(uuid) || this.#parts.members.book.has(uuid)) return
    if (!isP2pError(result)) {
      if (result.uuid === uuid || result.uuid === null) this.addToBook(uuid, result)
      else this.#depart(uuid, { isSure: true, heardFrom: null })
    } else if (tellsNothing.has(result.code)) {
      this.#redialLater(uuid, attempt)
    } else if (attempt < maxRedials && this.#parts.members.addressOf(uuid) !== undefined) {
      this.#redialLater(uuid, attempt + 1)
    } else {
      const isSure = result.code === 'P2P_CONNECTION_REFUSED'
      this.#depart(uuid, { isSure, isLost: !isSure, heardFrom: null })
    }
  }

  /** The end of a look for somebody who is said to have left. */
  onLooked(uuid: number, result: ReadyLink | P2pError): void {
    if (isP2pError(result)) {
      if (!tellsNothing.has(result.code))
        this.#parts.members.missed(uuid, this.#parts.outbox.now.monoMs)
    } else if (result.uuid === uuid) {
      this.#takeBack(uuid, result)
      if (this.#parts.members.wants(uuid)) this.addToBook(uuid, result)
    } else {
      this.#parts.members.missed(uuid, this.#parts.outbox.now.monoMs)
    }
  }

  /** A member that we wanted to have a link to. */
  onMet(uuid: number, result: ReadyLink | P2pError): void {
    if (isP2pError(result) || !this.#parts.members.wants(uuid)) return
    this.addToBook(uuid, result)
  }

  /** A member that could not be found although he should be there. */
  giveUp(uuid: number): void {
    this.#depart(uuid, { isSure: false, heardFrom: null })
  }

  startRepairs(): void {
    this.#repairWithin(this.#parts.limits.repairIntervalMs)
  }

  /** Handles the deadlines of this part; others are nobody's. */
  handleDeadline(name: string): void {
    const [kind, uuidText, attemptText] = name.split(' ')
    const uuid = Number(uuidText)
    if (kind === 'meet') {
      if (this.#parts.members.wants(uuid) && !this.#parts.members.book.has(uuid)) {
        this.#parts.reach.begin({ uuid }, { type: 'meet', uuid })
      }
    } else if (kind === 'redial') {
      const attempt = Number(attemptText)
      const address = this.#parts.members.addressOf(uuid)
      if (!this.#toRedial.delete(uuid) || address === undefined) return
      if (!this.#parts.members.isMember(uuid)) return
      this.#parts.reach.begin({ address }, { type: 'verify', uuid, attempt })
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
    const peer = this.#parts.links.peer(this.#parts.members.book.get(uuid))
    if (peer === undefined) return
    const awaySinceMs = this.#back.get(uuid)
    this.#back.delete(uuid)
    const { monoMs } = this.#parts.outbox.now
    for (const newcomer of this.#news.missedBy(uuid, { monoMs, awaySinceMs })) {
      const address = this.#parts.members.addressOf(newcomer)
      if (address === undefined) continue
      this.#parts.links.send(peer, encodeMessage(newPeer(newcomer, address)))
    }
  }

  #repair(): void {
    for (const uuid of this.#parts.members.missing().slice(0, maxRepairsAtOnce)) {
      this.#parts.reach.begin({ uuid }, { type: 'meet', uuid })
    }
    for (const uuid of this.#toLookFor().slice(0, maxLooksAtOnce)) {
      this.#parts.reach.begin({ uuid }, { type: 'look', uuid })
    }
    this.startRepairs()
  }

  /**
   * The departed that may be there all the same, those first that were not looked for, or longest ago: neighbours
   * that could not be reached, since it may have been our own line that was down; and for whoever hands out
   * UUIDs everybody whose UUID it would use again. Others are not: a rumour must not make a whole network dial.
   */
  #toLookFor(): readonly number[] {
    const { uuid: own, highest, free } = this.#parts.members
    const nowMs = this.#parts.outbox.now.monoMs
    const isAdder = own === highest
    const canAsk = this.#parts.links.ready().some(({ isOurs, isConstant }) => isOurs && isConstant)
    return [...free]
      .filter(([uuid, { isSure, isLost, leftMs, missedMs }]) => {
        if (isSure || (!canAsk && this.#parts.members.addressOf(uuid) === undefined)) return false
        if (isLost) return nowMs - missedMs >= Math.min(missedMs - leftMs, maxLookPauseMs)
        const isQuarantined = nowMs - leftMs < this.#parts.limits.uuidQuarantineMs
        return isAdder && !isQuarantined && !this.#parts.members.isReusable(uuid)
      })
      .sort(([, one], [, other]) => one.missedMs - other.missedMs)
      .map(([uuid]) => uuid)
  }

  #takeBack(uuid: number, peer: ReadyLink): void {
    const departure = this.#parts.members.free.get(uuid)
    if (departure === undefined || !this.learn(uuid, peer.address)) return
    if (this.#parts.members.wants(uuid)) this.#back.set(uuid, departure.leftMs)
    this.announce(newPeer(uuid, peer.address), [uuid])
  }

  #depart(
    uuid: number,
    how: { readonly isSure: boolean; readonly isLost?: boolean; readonly heardFrom: number | null },
  ): void {
    const { isSure, isLost = false } = how
    const leftMs = this.#parts.outbox.now.monoMs
    if (!this.#parts.members.removeMember(uuid, { leftMs, isSure, isLost })) return
    this.#news.forget(uuid)
    this.#back.delete(uuid)
    this.#parts.outbox.push({ type: 'peer-left', uuid })
    this.announce(peerLeft(uuid), [uuid, how.heardFrom])
    if (isLost) this.#noteIsolation()
    if (this.#parts.members.missing().length > 0)
      this.#repairWithin(this.#parts.limits.redialDelayMs)
  }

  #noteIsolation(): void {
    if (this.#isIsolated || this.#parts.members.book.size > 0) return
    this.#isIsolated = true
    const error = new P2pError('P2P_ISOLATED', 'no neighbour can be reached any more')
    this.#parts.outbox.push({ type: 'isolated', error })
  }

  #contradict(own: number): void {
    const allowedMs = this.#contradictedMs + contradictionPauseMs
    if (this.#parts.outbox.now.monoMs >= allowedMs) this.#announceAlive(own)
    else this.#parts.deadlines.set(`alive ${own}`, allowedMs)
  }

  /** Not at once: a neighbour who leaves may be on his way to tell us, and the rumour has to be everywhere before. */
  #vouchLater(neighbour: number): void {
    const name = `alive ${neighbour}`
    if (this.#parts.deadlines.has(name)) return
    const delayMs = this.#parts.limits.redialDelayMs * (1 + this.#random())
    this.#parts.deadlines.set(name, this.#parts.outbox.now.monoMs + delayMs)
  }

  #announceAlive(uuid: number): void {
    if (uuid === this.#parts.members.uuid) {
      this.#contradictedMs = this.#parts.outbox.now.monoMs
      this.announce(newPeer(uuid, this.#parts.address), [])
      return
    }
    const peer = this.#parts.links.peer(this.#parts.members.book.get(uuid))
    if (peer !== undefined) this.announce(newPeer(uuid, peer.address), [uuid])
  }

  /** p2py takes announcements from its peer book only, and so do we. */
  #mayAnnounce(peer: ReadyLink): boolean {
    if (peer.uuid === null || !this.#parts.members.book.has(peer.uuid)) return false
    return peer.announcements.take(this.#parts.outbox.now.monoMs)
  }

  #isAt(uuid: number, address: NodeAddress): boolean {
    const known = this.#parts.members.addressOf(uuid)
    return known !== undefined && isSame(known, address)
  }

  #meetLater(uuid: number): void {
    const delayMs = this.#parts.limits.newcomerDelayMs * (1 + this.#random())
    this.#parts.deadlines.set(`meet ${uuid}`, this.#parts.outbox.now.monoMs + delayMs)
  }

  #redialLater(uuid: number, attempt: number): void {
    const delayMs = this.#parts.limits.redialDelayMs * attempt * this.#random()
    this.#toRedial.add(uuid)
    this.#parts.deadlines.set(`redial ${uuid} ${attempt}`, this.#parts.outbox.now.monoMs + delayMs)
  }

  #repairWithin(durationMs: number): void {
    const delayMs = durationMs * (0.5 + this.#random() / 2)
    this.#parts.deadlines.set('repair', this.#parts.outbox.now.monoMs + delayMs)
  }

  /** From 0 to 1, so that nodes do not act in step. */
  #random(): number {
    return (this.#parts.randomBytes(1)[0] ?? 0) / 255
  }
}

function isSame(one: NodeAddress, other: NodeAddress): boolean {
  return one.host === other.host && one.port === other.port
}
