/**
 * This node's coming and going: it joins the ring and learns who is on it, tells old nodes of itself and
 * of each other, and leaves once others have what it stored.
 *
 * Source: spec/chord.md §4.
 */
import { P2pError } from '@p2p/base'
import type { Now, Peer, RequestId } from '@p2p/base'
import type { MeshInput } from '@p2p/mesh'
import type { Balancing } from './balancing.ts'
import type { ChordEffect, ChordInput } from './chord-contract.ts'
import { Introductions } from './introductions.ts'
import type { Introduction } from './introductions.ts'
import { Joining } from './joining.ts'
import type { EarlyRequest } from './joining.ts'
import { metaPayload } from './messages.ts'
import type { OldQuestions } from './old-questions.ts'
import type { Outbox } from './outbox.ts'
import type { RepairRounds } from './repair-rounds.ts'
import type { ReplicaTalk } from './replica-talk.ts'
import { meshedUpTo } from './ring-keeper.ts'
import type { RingKeeper } from './ring-keeper.ts'

type Input<Type extends ChordInput['type']> = Extract<ChordInput, { type: Type }>

/** What it needs of the machine around it. */
export interface MembershipLine {
  readonly peers: ReadonlyMap<string, Peer>
  /** Whether a neighbour is one of ours that speaks of the ring. */
  talksTo(peer: Peer): boolean
  tellMesh(input: MeshInput, now: Now): void
  emit(effect: ChordEffect): void
}

/** The parts of the machine that it starts, stops and tells. */
export interface MembershipParts {
  readonly ring: RingKeeper
  readonly balancing: Balancing
  readonly outbox: Outbox
  readonly old: OldQuestions
  readonly rounds: RepairRounds
  readonly talk: ReplicaTalk
}

/** Who begins to store in a meshed ring so soon after the handshake dials everybody on it, and needs no list of peers. */
const listAfterMs = 250
/** What is not at others after so many offers is offered again and again, with a pause: somebody does not answer. */
const offersAtOnce = 3
const offerPauseMs = 500

export class Membership {
  readonly #line: MembershipLine
  readonly #parts: MembershipParts
  readonly #introductions: Introductions
  readonly #joining = new Joining()
  /** Who waits for this node to leave, which it does at the end in any case. */
  #leaving: RequestId[] = []
  #leaveEndMs = Infinity
  /** How often all has been offered, and when it is again. */
  #offerCount = 0
  #offerDueMs = Infinity
  /** Neighbours of ours that are to be told of others, and when. */
  #unlisted: string[] = []
  #listDueMs = Infinity

  constructor(line: MembershipLine, parts: MembershipParts) {
    this.#line = line
    this.#parts = parts
    this.#introductions = new Introductions(parts.ring.view.nodes)
  }

  nextDeadline(): number {
    return Math.min(
      this.#leaveEndMs,
      this.#offerDueMs,
      this.#listDueMs,
      this.#joining.nextDeadline(),
      this.#parts.balancing.dueMs,
    )
  }

  handleDeadline(now: Now): void {
    const { ring, balancing } = this.#parts
    const shift = balancing.handleDeadline(ring.shift, now)
    if (shift !== undefined) this.#takePlace(shift, now)
    if (this.#listDueMs > now.monoMs) return
    this.#listDueMs = Infinity
    const { nodes } = ring.view
    for (const peer of this.#unlisted.splice(0)) {
      if (nodes.size > meshedUpTo || !nodes.has(peer))
        this.#line.tellMesh({ type: 'list-peers', peer }, now)
    }
  }

  /** A neighbour has told all that it knows of the ring. */
  told(peer: string): void {
    this.#joining.told(peer, false)
  }

  peerJoined(peer: Peer, { monoMs }: Now): void {
    this.#joining.peerJoined(monoMs)
    // Who is on the ring knows everybody by now.
    if (!this.#line.talksTo(peer) || this.#parts.ring.view.nodes.has(peer.id)) return
    this.#unlisted.push(peer.id)
    this.#listDueMs = Math.min(this.#listDueMs, monoMs + listAfterMs)
  }

  peerLeft(peer: string): void {
    this.#introductions.forget(peer)
    this.#joining.peerLeft(peer)
  }

  cancel(request: RequestId): void {
    this.#joining.cancel(request)
  }

  /** Who joins while it leaves stays. */
  join({ request, timeoutMs = Infinity }: Input<'join'>, now: Now): void {
    this.#endLeaving(true)
    if (!this.#parts.ring.isStoring) {
      this.#choosePlace(now)
      this.#announceState(now)
    }
    if (request !== undefined) this.#joining.join(request, this.#line.peers.keys(), timeoutMs, now)
  }

  /**
   * What is stored is offered to those that will hold it, again until they need nothing of it, and then the node
   * says that it has left. Without another storing node the data stays: py2p destroys it (spec/chord.md §12.9).
   */
  leave({ request, timeoutMs }: Input<'leave'>, now: Now): void {
    this.#leaveEndMs = Math.min(this.#leaveEndMs, now.monoMs + timeoutMs)
    if (this.#leaving.push(request) > 1) return
    if (this.#parts.ring.isStoring) this.#offerAll(now)
    else this.#endLeaving()
  }

  #offerAll(now: Now): void {
    const { talk, rounds } = this.#parts
    this.#offerCount += 1
    this.#offerDueMs = Infinity
    talk.areOffersTaken = true
    talk.offer(rounds.repair.farewell(), now)
  }

  /** True when a read or write waits until the ring is known. */
  holds(input: EarlyRequest, now: Now): boolean {
    return !this.#knowsRing() && this.#joining.holds(input, now.monoMs)
  }

  /** Says what came of joining, when something has; returns reads and writes that need not wait any more. */
  settleJoining(now: Now): readonly EarlyRequest[] {
    const requests: EarlyRequest[] = []
    for (const { input, isKnown } of this.#joining.takeEnded(now.monoMs, () => this.#knowsRing())) {
      const { type, request } = input
      if (type !== 'join') {
        requests.push(input)
        continue
      }
      const { isStoring, shift } = this.#parts.ring
      // A place that was taken before it was known who else stores is still new to all.
      if (isKnown && isStoring && shift === 0) this.#choosePlace(now)
      this.#line.emit({ type: 'joined', request, error: isKnown ? undefined : ringUnknown() })
    }
    return requests
  }

  #choosePlace(now: Now): void {
    this.#takePlace(this.#parts.balancing.shiftForNewcomer(), now)
  }

  #takePlace(shift: number, now: Now): void {
    const { ring, rounds } = this.#parts
    if (ring.setStoring(true, now, shift)) rounds.start(now)
  }

  /** The same of leaving. */
  settleLeaving(now: Now): void {
    if (this.#leaving.length === 0) return
    const endMs = this.#leaveEndMs
    const { ring, outbox, talk, rounds, old } = this.#parts
    const isSent = !talk.isOffering && !outbox.isHandingOver
    if (!isSent && endMs > now.monoMs) {
      this.#offerDueMs = Infinity
      return
    }
    if (ring.isStoring && !talk.areOffersTaken && endMs > now.monoMs) {
      if (this.#offerDueMs === Infinity)
        this.#offerDueMs = now.monoMs + (this.#offerCount < offersAtOnce ? 0 : offerPauseMs)
      if (this.#offerDueMs <= now.monoMs) this.#offerAll(now)
      return
    }
    if (ring.isStoring) {
      ring.setStoring(false, now)
      rounds.stop(now)
      this.#announceState(now)
      outbox.handOver(old.tending.parcelsForOwners(), now)
      if (outbox.isHandingOver && endMs > now.monoMs) return
    }
    this.#endLeaving()
  }

  #endLeaving(isCancelled = false): void {
    this.#leaveEndMs = this.#offerDueMs = Infinity
    this.#offerCount = 0
    for (const request of this.#leaving.splice(0)) {
      const error = isCancelled ? new P2pError('P2P_CANCELLED', 'joined again') : undefined
      this.#line.emit({ type: 'left', request, error })
    }
  }

  /** An old neighbour says whether it stores. */
  hearMeta(peer: Peer, isStoring: boolean, now: Now): void {
    const { ring, outbox, old } = this.#parts
    this.#joining.told(peer.id, true)
    const isNews = ring.hearOld(peer, isStoring, now)
    if (isNews) outbox.whisper(peer.id, metaPayload(ring.isStoring), now)
    if (!isStoring) {
      this.#introductions.forget(peer.id)
      if (isNews) old.peerStopped(peer.id, now)
      return
    }
    if (!ring.isStoring) return
    this.#listPeers(this.#introductions.introduce(peer, isNews, this.#line.peers), now)
    if (isNews) outbox.handOver(old.tending.parcelsForNewcomer(peer.id), now)
  }

  /** Old nodes are told of each other again: a dial may have failed. */
  introduceAgain(now: Now): void {
    this.#listPeers(this.#introductions.again(this.#line.peers), now)
  }

  /** Whether enough is known of who stores to ask the right ones. */
  #knowsRing(): boolean {
    const { peers, talksTo } = this.#line
    const isUntold = !this.#joining.isTold && [...peers.values()].some(talksTo)
    return !isUntold && this.#parts.ring.view.nodes.size > 0
  }

  #announceState(now: Now): void {
    const { ring, outbox } = this.#parts
    const { peers } = this.#line
    for (const peer of peers.values()) {
      if (this.#line.talksTo(peer)) continue
      outbox.whisper(peer.id, metaPayload(ring.isStoring), now)
      if (!ring.isStoring || !ring.view.nodes.has(peer.id)) continue
      this.#listPeers(this.#introductions.introduce(peer, true, peers), now)
    }
  }

  #listPeers(introductions: readonly Introduction[], now: Now): void {
    for (const to of introductions) this.#line.tellMesh({ type: 'list-peers', ...to }, now)
  }
}

function ringUnknown(): P2pError {
  return new P2pError('P2P_RING_UNKNOWN', 'no neighbour told who stores')
}
