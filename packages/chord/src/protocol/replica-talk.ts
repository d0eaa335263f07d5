/**
 * What nodes of ours say to each other about slots: it takes writes, answers reads, and keeps count of the
 * questions this node has asked, each of which is answered, refused, or given up in time.
 *
 * Anybody may write to a node that stores: protocol 0.7 knows no owners of data. What is bounded is how
 * much a node keeps, and how far ahead of its clock a version may lie.
 */
import type { Now, Peer } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import type { Parcel } from './hand-overs.ts'
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import type { KeyNews } from './key-news.ts'
import type { OwnReads } from './own-reads.ts'
import type { OwnWrites } from './own-writes.ts'
import type { Offer, Repair } from './repair.ts'
import type { SlotStore, SlotWrite } from './slot-store.ts'
import { copyPayload, foundPayload, offerPayload, storedPayload } from './table-messages.ts'
import type { Copy, TableMessage } from './table-messages.ts'
import { TableRequests } from './table-requests.ts'
import type { OpenRequest, TableRequest } from './table-requests.ts'
import type { VersionClock } from './version.ts'

/** What the talk needs of the machine around it. */
export interface TalkLine {
  readonly id: string
  readonly peers: ReadonlyMap<string, Peer>
  isOld(id: string): boolean
  readonly slots: SlotStore
  readonly clock: VersionClock
  reads(): OwnReads
  writes(): OwnWrites
  isStoring(): boolean
  /** False when the node cannot be reached. */
  send(to: string, payload: readonly Value[], now: Now): boolean
  /** The same for many, at a pace that leaves room for others. */
  handOver(parcels: readonly Parcel[], now: Now): void
}

export class ReplicaTalk {
  readonly #line: TalkLine
  readonly #repair: Repair
  readonly #news: KeyNews
  readonly #requests = new TableRequests()
  /** Not answered, and not yet given to the next holder. */
  #unanswered: OpenRequest[] = []
  #refusedCount = 0

  constructor(line: TalkLine, repair: Repair, news: KeyNews) {
    this.#line = line
    this.#repair = repair
    this.#news = news
  }

  /** Slots that found no room. */
  get refusedCount(): number {
    return this.#refusedCount
  }

  get requestCount(): number {
    return this.#requests.size
  }

  /** Set before offers are made: whether, once they are answered, nobody needs any of it. */
  areOffersTaken = true

  /** Whether slots were offered to somebody who has not said yet which he needs. */
  get isOffering(): boolean {
    return this.#requests.hasOffers()
  }

  nextDeadline(): number {
    return this.#requests.nextDeadline()
  }

  /** Gives up what was not answered in time; returns who did not. */
  endRequests(nowMs: number): readonly string[] {
    const due = this.#requests.takeDue(nowMs)
    this.#unanswered.push(...due)
    return due.map(({ to }) => to)
  }

  peerLeft(peer: string): void {
    this.#unanswered.push(...this.#requests.takeAskedOf(peer))
  }

  /** Goes on with what nobody will answer: the next holder is asked, who may be out of reach as well. */
  failUnanswered(now: Now): void {
    while (this.#unanswered.length > 0) {
      for (const { to, about } of this.#unanswered.splice(0)) this.#handleUnanswered(about, to, now)
    }
  }

  #handleUnanswered(about: TableRequest, to: string, now: Now): void {
    if (about.type === 'read') this.#line.reads().handleUnanswered(about, to, now)
    else if (about.type === 'write') this.#line.writes().handleUnanswered(about, to, now)
    else this.areOffersTaken = false
  }

  ask(
    to: string,
    about: TableRequest,
    build: (request: number) => readonly Value[],
    now: Now,
  ): void {
    const request = this.#requests.add(to, about, now.monoMs)
    if (request !== undefined) {
      if (this.#line.send(to, build(request), now)) return
      this.#requests.take(request, to)
      // No room here is nothing against the node; without its word a write is not done.
    } else if (about.type === 'write') this.#line.writes().fail(about.request)
    this.#unanswered.push({ to, about, endMs: now.monoMs })
  }

  offer(offers: readonly Offer[], now: Now): void {
    for (const { to, slots } of offers) {
      this.ask(
        to,
        { type: 'offer', slots },
        (number) =>
          offerPayload(
            number,
            slots.map(({ head }) => head),
          ),
        now,
      )
    }
  }

  handle(message: TableMessage, from: string, now: Now): void {
    switch (message.type) {
      case 'write':
        this.#onWrite(message, from, now)
        return
      case 'copy':
        for (const copy of message.copies) {
          this.#takeCopy(copy, now)
          this.#passOn(copy, now)
        }
        return
      case 'read':
        this.#onRead(message, from, now)
        return
      case 'stored': {
        const about = this.#requests.take(message.request, from)
        if (about?.type === 'write')
          this.#line.writes().handleStored(about, from, message.tables, now, message.newest)
        return
      }
      case 'found': {
        const about = this.#requests.take(message.request, from)
        if (about?.type === 'read') this.#line.reads().handleFound(about, from, message.slots, now)
        return
      }
      case 'want': {
        const about = this.#requests.take(message.request, from)
        const offered = about?.type === 'offer' ? about.slots : []
        if (message.slots.length > 0) this.areOffersTaken = false
        this.#line.handOver(this.#repair.handleWant(from, message.slots, offered), now)
        return
      }
      default:
        // Who stores nothing needs nothing; its silence is no confirmation.
        if (this.#line.isStoring()) this.#onRepair(message, from, now)
    }
  }

  /** To who could not be reached by the writer, over the link that this node has. */
  #passOn({ to, ...copy }: Copy, now: Now): void {
    if (to === undefined || to === this.#line.id || this.#line.isOld(to)) return
    if (this.#line.peers.has(to)) this.#line.send(to, copyPayload([copy]), now)
  }

  #onWrite(message: Extract<TableMessage, { type: 'write' }>, from: string, now: Now): void {
    const { taken, newest } = this.#takeCopy(message, now)
    this.#line.send(from, storedPayload(message.request, taken, newest), now)
  }

  /** Says which tables have the write now, or a newer one, and of when the newest is. */
  #takeCopy(copy: Copy, now: Now): { readonly taken: readonly number[]; readonly newest: number } {
    const { key, value, tables } = copy
    let newest = 0
    const slots = this.#line.isStoring() ? slotsOf(key) : []
    const taken = tables.filter((table) => {
      const slot = slots[table]
      if (slot === undefined || !this.#take(slot, copy, now)) return false
      newest = Math.max(newest, this.#line.slots.get(slot)?.version.time ?? 0)
      return true
    })
    if (taken.length > 0 && value !== undefined) this.#news.held(key, now)
    return { taken, newest }
  }

  /** False when it is too far ahead, or there is no room. */
  #take(slot: Slot, write: SlotWrite, { utcSeconds }: Now): boolean {
    if (!this.#line.clock.see(write.version, utcSeconds)) {
      this.#line.slots.miss(slot)
      return false
    }
    const isFull = this.#line.slots.put(slot, write) === 'full'
    if (isFull) this.#refusedCount += 1
    return !isFull
  }

  #onRead(message: Extract<TableMessage, { type: 'read' }>, from: string, now: Now): void {
    const slots = slotsOf(message.key)
    const unsure: number[] = []
    const found = message.tables.map((table, place) => {
      const slot = slots[table]
      if (slot && this.#line.slots.isUnsure(slot)) unsure.push(place)
      return slot && this.#line.slots.get(slot)
    })
    this.#line.send(from, foundPayload(message.request, found, unsure), now)
  }

  #onRepair(
    message: Extract<TableMessage, { type: 'put' | 'offer' | 'compare' | 'list' }>,
    from: string,
    now: Now,
  ): void {
    switch (message.type) {
      case 'put':
        this.#repair.notePut(from, now.monoMs)
        for (const entry of message.entries) {
          const { key } = entry
          this.#take(entry, entry, now)
          // The removal may not have been heard here.
          if (key && this.#line.slots.isDeleted(entry)) this.#news.heardRemoval(key, now)
        }
        return
      case 'offer':
        this.#line.handOver(this.#repair.handleOffer(from, message.request, message.heads), now)
        return
      case 'compare':
        this.#line.handOver(this.#repair.handleCompare(from, message.arc, message.summary), now)
        return
      default:
        this.#line.handOver(this.#repair.handleList(from, message.arc, message.heads), now)
    }
  }
}
