/**
 * Keeping the network together: who is there, who left, and which links make up the peer book.
 *
 * NEW PEER and PEER LEFT are flooded along the peer books, once per node. Where p2py believes and
 * announces at once we look first: a lost neighbour is dialled again before he counts as gone, an
 * announced departure of somebody we have a living link to is neither believed nor passed on, and
 * when we ourselves are declared gone we announce that we are here. We never announce that our
 * neighbours left when it is we who leave.
 *
 * Source: spec p2py, 4, 7 and 13; p2py 0.23 p2p.py, handle_new_peer, handle_peer_left, delete_node.
 * @compat a p2py node that leaves closes every second link and announces its neighbours as departed
 * (gossip.test.ts: "false departures").
 */
import { isP2pError } from '@p2p/base'
import type { Deadlines, P2pError, RandomBytes } from '@p2p/base'
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
/** We contradict rumours of our departure at most this often. */
const contradictionPauseMs = 5_000
/** A Python node takes announcements from its peer book only, and is slow to put us there. */
const newsDelayMs = 1_000

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
  #contradictedMs = -Infinity

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
    this.#members.setBookEntry(uuid, peer.link)
    this.#members.setAddress(uuid, peer.address)
    if (peer.isOurs) this.#tellNews(uuid)
    else this.#deadlines.set(`news ${uuid}`, this.#outbox.now.monoMs + newsDelayMs)
  }

  /** To be called when this node leaves its network. */
  reset(): void {
    this.#news.clear()
    this.#deadlines.delete('repair')
  }

  onReady(peer: ReadyLink): void {
    const { uuid } = peer
    if (uuid === null || this.#members.uuid === null) return
    if (this.#members.free.has(uuid) && this.#isAt(uuid, peer.address)) {
      // Declared gone by mistake: he is at his old address under his old UUID.
      if (this.learn(uuid, peer.address)) this.announce(newPeer(uuid, peer.address), [uuid])
    }
    if (this.#members.wants(uuid)) this.addToBook(uuid, peer)
  }

  onNewPeer(peer: ReadyLink, message: Response): void {
    const news = readNewPeer(message)
    if (news === undefined || !this.#mayAnnounce(peer)) return
    if (!this.#members.book.has(news.uuid)) this.#members.setAddress(news.uuid, news.address)
    if (!this.learn(news.uuid, news.address)) return
    this.announce(newPeer(news.uuid, news.address), [peer.uuid, news.uuid])
    if (this.#members.wants(news.uuid)) this.#meetLater(news.uuid)
  }

  onPeerLeft(peer: ReadyLink, message: Response): void {
    const uuid = readPeerLeft(message)
    if (uuid === undefined || !this.#mayAnnounce(peer)) return
    if (uuid === this.#members.uuid) {
      this.#contradict(uuid)
      return
    }
    if (this.#links.peer(this.#members.book.get(uuid)) !== undefined) return
    this.#depart(uuid, { isSure: false, heardFrom: peer.uuid })
  }

  onGone(peer: ReadyLink, saidGoodbye: boolean): void {
    const { uuid } = peer
    if (uuid === null || this.#members.book.get(uuid) !== peer.link) return
    this.#members.deleteBookEntry(uuid)
    const twin = this.#links.ready().find((other) => other.uuid === uuid)
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
    } else if (attempt < maxRedials && this.#members.addressOf(uuid) !== undefined) {
      this.#redialLater(uuid, attempt + 1)
    } else {
      this.#depart(uuid, { isSure: result.code === 'P2P_CONNECTION_REFUSED', heardFrom: null })
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
      if (address === undefined || !this.#members.isMember(uuid)) return
      this.#reach.begin({ address }, { type: 'verify', uuid, attempt })
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
    for (const newcomer of this.#news.missedBy(uuid, this.#outbox.now.monoMs)) {
      const address = this.#members.addressOf(newcomer)
      if (address === undefined) continue
      this.#links.send(peer, encodeMessage(newPeer(newcomer, address)))
    }
  }

  #repair(): void {
    for (const uuid of this.#members.missing().slice(0, maxRepairsAtOnce)) {
      this.#reach.begin({ uuid }, { type: 'meet', uuid })
    }
    this.startRepairs()
  }

  #depart(uuid: number, how: { isSure: boolean; heardFrom: number | null }): void {
    const leftMs = how.isSure ? -Infinity : this.#outbox.now.monoMs
    if (!this.#members.removeMember(uuid, leftMs)) return
    this.#news.forget(uuid)
    this.#outbox.push({ type: 'peer-left', uuid })
    this.announce(peerLeft(uuid), [uuid, how.heardFrom])
    if (this.#members.missing().length > 0) this.#repairWithin(this.#limits.redialDelayMs)
  }

  #contradict(uuid: number): void {
    const nowMs = this.#outbox.now.monoMs
    if (nowMs - this.#contradictedMs < contradictionPauseMs) return
    this.#contradictedMs = nowMs
    this.announce(newPeer(uuid, this.#address), [])
  }

  /** p2py takes announcements from its peer book only, and so do we. */
  #mayAnnounce(peer: ReadyLink): boolean {
    if (peer.uuid === null || !this.#members.book.has(peer.uuid)) return false
    return peer.announcements.take(this.#outbox.now.monoMs)
  }

  #isAt(uuid: number, address: NodeAddress): boolean {
    const known = this.#members.addressOf(uuid)
    return known?.host === address.host && known.port === address.port
  }

  #meetLater(uuid: number): void {
    const delayMs = this.#limits.newcomerDelayMs * (1 + this.#random())
    this.#deadlines.set(`meet ${uuid}`, this.#outbox.now.monoMs + delayMs)
  }

  #redialLater(uuid: number, attempt: number): void {
    const delayMs = this.#limits.redialDelayMs * attempt * this.#random()
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
