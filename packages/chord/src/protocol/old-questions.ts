/**
 * The hash table in the messages of protocol 0.7: what old nodes ask and send, and what they are asked.
 *
 * What is asked of this node and is not its own it passes to the owner; what is its own it keeps, gives a
 * version, and copies to the other holders. What an old node owns is kept by nodes of ours as well
 * (tending.ts).
 *
 * Where it is not py2p: it answers once, sends nothing back where it came from, survives messages over
 * which py2p closes the link, and does not believe a node that hands over what it did not own.
 *
 * Source: spec/chord.md §4–§7, §12.2, §12.5–§12.8.
 */
import type { Now, Peer } from '@p2p/base'
import { decodeValue, encodeValue } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { fieldsOf, mergeFields } from './fields.ts'
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import type { KeyList } from './key-list.ts'
import { deltaPayload, retrievePayload, retrievedPayload, storePayload } from './messages.ts'
import type { ChordMessage } from './messages.ts'
import { OpenQuestions } from './open-questions.ts'
import type { OpenQuestion, Waiter } from './open-questions.ts'
import type { OwnReads } from './own-reads.ts'
import type { OwnWrites } from './own-writes.ts'
import { clockwiseDistance, nodePosition } from './ring.ts'
import type { SlotStore, StoredSlot } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'
import { Tending } from './tending.ts'
import type { VersionClock } from './version.ts'
import { isSameValue } from './vote.ts'

/** What the questions need of the machine around them. */
export interface OldLine {
  readonly id: string
  readonly slots: SlotStore
  readonly clock: VersionClock
  readonly nodes: StoringNodes
  readonly keys: KeyList
  readonly peers: ReadonlyMap<string, Peer>
  isStoring(): boolean
  /** Whether this node sees to what old nodes own. */
  tends(): boolean
  /** False when the node cannot be reached. */
  send(to: string, payload: readonly Value[], now: Now): boolean
  /** Copies a slot to the other nodes of ours that should have it. */
  replicate(entry: StoredSlot, now: Now): void
  reads(): OwnReads
  writes(): OwnWrites
}

/** How long a node that stopped storing may still be sending what it had. */
const handingOverMs = 30_000
/** Ample for py2p, and below the 100 ms after which old programs look first. */
const answerDelayMs = 60
/** Slots whose key has not been told yet; beyond, the oldest is given up. */
const maxKeyless = 4_096

export class OldQuestions {
  readonly tending: Tending
  readonly #line: OldLine
  readonly #questions = new OpenQuestions()
  readonly #keyless = new Map<string, Slot>()
  /** Nodes that stopped storing, and until when they hand over. */
  readonly #leavers = new Map<string, number>()
  #invalidCount = 0
  #refusedCount = 0

  constructor(line: OldLine) {
    this.#line = line
    this.tending = new Tending({
      ...line,
      ownerOf: (slot) => this.#ownerOf(slot),
      ask: (slot, to, now) => {
        this.askOf(slot, to, { type: 'tend' }, now)
      },
      storeAt: (slot, value, to, now) => {
        this.storeAt(slot, value, to, now)
      },
      keep: (slot, value, now, key) => {
        this.#keep(slot, value, now, key)
      },
    })
  }

  get size(): number {
    return this.#questions.size
  }

  get invalidCount(): number {
    return this.#invalidCount
  }

  get refusedCount(): number {
    return this.#refusedCount
  }

  nextDeadline(): number {
    return Math.min(this.#questions.nextDeadline(), this.tending.nextDeadline())
  }

  handleDeadline(now: Now): void {
    for (const question of this.#questions.takeDue(now.monoMs)) this.#endQuestion(question, now)
    this.tending.handleDeadline(now)
  }

  handle(
    message: Extract<ChordMessage, { type: 'store' | 'delta' | 'retrieve' | 'retrieved' }>,
    from: string,
    now: Now,
  ): void {
    switch (message.type) {
      case 'store':
        if (!this.#isStaleHandOver(message.slot, from, now))
          this.#routeStore(message.slot, message.value, from, now)
        return
      case 'delta':
        this.#routeDelta(message.slot, message.fields, from, now)
        return
      case 'retrieve':
        this.#answer(
          message.slot,
          { type: 'peer', peer: from, wording: message.wording },
          [from],
          now,
        )
        return
      default:
        this.#onRetrieved(message.slot, message.value, from, now)
    }
  }

  /** A neighbour is gone, or cannot be reached. */
  peerLeft(peer: string, now: Now): void {
    for (const { slot, waiters } of this.#questions.takeAskedOf(peer)) {
      for (const waiter of waiters) {
        if (waiter.type === 'peer') this.#answer(slot, waiter, [waiter.peer, peer], now)
        else this.#fail(waiter, slot, peer, now)
      }
    }
  }

  /** A neighbour does not store any more, and sends what it had to those that do. */
  peerStopped(peer: string, now: Now): void {
    for (const [id, untilMs] of this.#leavers) {
      if (untilMs <= now.monoMs) this.#leavers.delete(id)
    }
    this.#leavers.set(peer, now.monoMs + handingOverMs)
  }

  /** A key is said to be in the network: the name of slots that came without one, and maybe of others to be kept. */
  noteKey(key: Uint8Array, isNew: boolean, now: Now): void {
    if (isNew) this.tending.noteKey(key, now)
    if (this.#keyless.size === 0) return
    for (const slot of slotsOf(key)) {
      if (this.#keyless.delete(slot.name)) this.#line.slots.nameKey(slot, key)
    }
  }

  // ---- stores and deltas

  /** Never back to where it came from: who sent it believes that we are nearer. */
  #routeStore(slot: Slot, value: Uint8Array | undefined, from: string, now: Now): void {
    const owner = this.#ownerOf(slot)
    if (owner === undefined || owner === from) this.#keep(slot, value, now)
    else this.storeAt(slot, value, owner, now)
  }

  /** js2p closes the link over a nil. */
  storeAt(slot: Slot, value: Uint8Array | undefined, to: string, now: Now): void {
    if (value === undefined && this.#line.peers.get(to)?.kind === 'js2p') return
    this.#line.send(to, storePayload(slot, value === undefined ? null : decodeValue(value)), now)
  }

  #routeDelta(slot: Slot, fields: ReadonlyMap<Value, Value>, from: string, now: Now): void {
    const owner = this.#ownerOf(slot)
    if (owner !== undefined && owner !== from) {
      this.#line.send(owner, deltaPayload(slot, fields), now)
      return
    }
    const held = this.#line.slots.get(slot)?.value
    const base = held === undefined ? new Map<Value, Value>() : fieldsOf(decodeValue(held))
    if (base === undefined) this.#invalidCount += 1
    else this.#keep(slot, encodeValue(mergeFields(base, fields)), now)
  }

  #keep(slot: Slot, value: Uint8Array | undefined, now: Now, key?: Uint8Array): void {
    const { slots, clock } = this.#line
    const held = slots.get(slot)
    if (value === undefined && held?.value === undefined) return
    // What is the same already keeps its version: a node that hands over is no writer.
    if (value !== undefined && held?.value !== undefined && isSameValue(held.value, value)) return
    const version = clock.next(now.utcSeconds)
    if (slots.put(slot, { value, version, key }) === 'full') {
      this.#refusedCount += 1
      return
    }
    const entry = slots.get(slot)
    if (entry === undefined) return
    if (entry.key === undefined) this.#noteKeyless(slot)
    if (this.#line.isStoring()) this.#line.replicate(entry, now)
  }

  #noteKeyless(slot: Slot): void {
    this.#keyless.set(slot.name, slot)
    const [oldest = ''] = this.#keyless.size > maxKeyless ? this.#keyless.keys() : []
    this.#keyless.delete(oldest)
  }

  /**
   * A py2p that leaves sends everything it has, also copies of slots that went to another owner long
   * ago; those would come back to life (spec/chord.md §12.2).
   */
  #isStaleHandOver(slot: Slot, from: string, now: Now): boolean {
    if ((this.#leavers.get(from) ?? -Infinity) < now.monoMs) return false
    const leaver = nodePosition(from)
    const owner = this.#line.nodes.ownerOf(slot.position)
    if (leaver === undefined || owner === undefined) return false
    if (this.#line.slots.get(slot) === undefined) return false
    const to = slot.position
    return clockwiseDistance({ from: owner.position, to }) < clockwiseDistance({ from: leaver, to })
  }

  /** The node that owns the slot; undefined when this node does, or nobody is known to store. */
  #ownerOf(slot: Slot): string | undefined {
    const owner = this.#line.nodes.ownerOf(slot.position)
    return owner === undefined || owner.id === this.#line.id ? undefined : owner.id
  }

  // ---- questions

  /**
   * Asks the owner, or answers a waiter from here, a moment later: py2p sends its question from the thread
   * that reads, and notes only then that it asked. An answer that its network thread takes in before is
   * dropped, and a read that loses three of five comes to nothing. Both originals look at what has come
   * every 100 ms, so that waiting costs them nothing (py2p 0.7.870 chord.py, observed; spec/chord.md §6.1).
   * `others`: those that are not asked, though they own it.
   */
  #answer(slot: Slot, waiter: Waiter, others: readonly string[], now: Now): void {
    const owner = this.#ownerOf(slot)
    const isAsked = owner !== undefined && !others.includes(owner)
    this.askOf(slot, isAsked ? owner : this.#line.id, waiter, now)
  }

  /** Asks one node, in the words of protocol 0.7. */
  askOf(slot: Slot, to: string, waiter: Waiter, now: Now): void {
    const isOwn = to === this.#line.id
    const timeoutMs = isOwn ? answerDelayMs : undefined
    const added = this.#questions.add(slot, to, waiter, now.monoMs, timeoutMs)
    if (added === 'full') this.#endQuestion({ slot, to, waiters: [waiter] }, now)
    if (added === 'ask' && !isOwn && !this.#line.send(to, retrievePayload(slot), now))
      this.peerLeft(to, now)
  }

  #onRetrieved(slot: Slot, value: Uint8Array | undefined, from: string, now: Now): void {
    const question = this.#questions.find(slot, from)
    if (question === undefined) return
    if (value !== undefined) {
      for (const waiter of this.#questions.takeWaiters(question, value)) {
        this.#tell(waiter, slot, { value, from }, now)
      }
      return
    }
    this.#questions.shorten(question, now.monoMs)
    for (const waiter of [...question.waiters]) {
      if (waiter.type === 'peer') continue
      this.#tell(waiter, slot, { value, from }, now)
    }
  }

  /** Nothing came: peers that wait are told so. Or it is time to answer from here. */
  #endQuestion({ slot, to, waiters }: Omit<OpenQuestion, 'endMs'>, now: Now): void {
    for (const waiter of waiters) {
      const value = to === this.#line.id ? this.#line.slots.get(slot)?.value : undefined
      if (waiter.type === 'peer') this.#tell(waiter, slot, { value, from: to }, now)
      else this.#fail(waiter, slot, to, now)
    }
  }

  #fail(waiter: Waiter, slot: Slot, to: string, now: Now): void {
    if (waiter.type === 'read') this.#line.reads().handleFailed(waiter.request, slot, to, now)
    // What was sent to a node that is gone is not at its heir.
    else if (waiter.type === 'write' || waiter.type === 'delete')
      this.#line.writes().handleFailed(waiter.request, slot, to, now)
  }

  #tell(waiter: Waiter, slot: Slot, answer: SlotAnswer, now: Now): void {
    const { value, from } = answer
    switch (waiter.type) {
      case 'peer':
        this.#line.send(
          waiter.peer,
          retrievedPayload(waiter.wording, value === undefined ? null : decodeValue(value)),
          now,
        )
        return
      case 'read':
        this.#line.reads().handleAnswer(waiter.request, slot, from, { value }, now)
        return
      case 'write':
        if (value !== undefined && isSameValue(value, waiter.sent))
          this.#line.writes().confirm(waiter.request, slot, from, now)
        return
      case 'delete':
        if (value !== undefined) this.storeAt(slot, undefined, from, now)
        this.#line.writes().confirm(waiter.request, slot, from, now)
        return
      case 'tend':
        this.tending.handleAnswer(slot, value, from, now)
    }
  }
}

interface SlotAnswer {
  readonly value: Uint8Array | undefined
  /** Who holds it. */
  readonly from: string
}
