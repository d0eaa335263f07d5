/**
 * The reads of this node. Whom one asks, and when, is described in read.ts. When its tables do not agree, the value
 * that was found is stored again where it was missing.
 */
import type { Now, RequestId } from '@p2p/base'
import type { ChordInput } from './chord-contract.ts'
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import { Patience } from './patience.ts'
import { byHolder, tablesOf } from './questions.ts'
import type { Question, RequestLine } from './questions.ts'
import { smallestQuorum } from './quorum.ts'
import { Read } from './read.ts'
import type { Answer } from './read.ts'
import { StoredSlot } from './slot-store.ts'
import { putPayload, readPayload } from './table-messages.ts'
import type { FoundSlot } from './table-messages.ts'
import type { ReadRequest } from './table-requests.ts'

interface OpenRead {
  readonly key: Uint8Array
  readonly read: Read
  readonly startMs: number
}

/** Old nodes on the way say nil before they know; a store may take as long. */
const graceMs = 1_000
const retryMs = 200

export class OwnReads {
  readonly #line: RequestLine
  readonly #open = new Map<RequestId, OpenRead>()
  readonly #patience = new Patience()
  /** Nothing is due before; what has ended since may have set it. */
  #dueMs = Infinity

  constructor(line: RequestLine) {
    this.#line = line
  }

  get size(): number {
    return this.#open.size
  }

  /** Asked for after every message: looking at all that is open would take longer than the message. */
  nextDeadline(): number {
    return this.#dueMs
  }

  handleDeadline(now: Now): void {
    if (this.#dueMs > now.monoMs) return
    this.#dueMs = Infinity
    for (const [request, open] of this.#open) {
      if (open.read.nextDeadline() > now.monoMs) this.#noteDue(open)
      else this.#ask(request, open, open.read.handleDeadline(now.monoMs), now)
    }
  }

  #noteDue({ read }: OpenRead): void {
    this.#dueMs = Math.min(this.#dueMs, read.nextDeadline())
  }

  cancel(request: RequestId): void {
    this.#open.delete(request)
  }

  begin(input: Extract<ChordInput, { type: 'read' }>, now: Now): void {
    const { request, key, timeoutMs } = input
    const all = slotsOf(key).map((slot) => ({ slot, holders: this.#readableAt(slot) }))
    const { id, peers: neighbours } = this.#line
    const { tables, first } = smallestQuorum(all, { id, holdersEach: 1, neighbours })
    const read = new Read({
      tables,
      // An old node may give its answer to somebody else who asked (spec/chord.md §6.2).
      first: this.#line.hasOld() ? tables.length : first,
      patienceMs: this.#patience.ms,
      isProvisional: (holder) => this.#line.hasOld() || this.#line.isOld(holder),
      startMs: now.monoMs,
      timeoutMs,
      graceMs,
      retryMs,
    })
    const open = { key, read, startMs: now.monoMs }
    this.#open.set(request, open)
    this.#ask(request, open, read.start(), now)
  }

  /** A node that knows nobody who stores looks at itself when it keeps something, and else asks anybody. */
  #readableAt(slot: Slot): readonly string[] {
    const holders = this.#line.holdersOf(slot)
    if (holders.length > 0) return holders
    const [neighbour] = this.#line.slots.size > 0 ? [] : this.#line.peers.keys()
    return [neighbour ?? this.#line.id]
  }

  #ask(request: RequestId, open: OpenRead, questions: readonly Question[], now: Now): void {
    const { id } = this.#line
    let own: readonly Slot[] = []
    for (const [holder, slots] of byHolder(questions)) {
      if (holder === id) own = slots
      else if (this.#line.isOld(holder)) {
        for (const slot of slots) this.#line.askOld(slot, holder, { type: 'read', request }, now)
      } else {
        const tables = tablesOf(slots)
        this.#line.ask(
          holder,
          { type: 'read', request, slots },
          (number) => readPayload(number, open.key, tables),
          now,
        )
      }
    }
    // Last, because the answers may end the read.
    const { slots } = this.#line
    for (const slot of own) {
      const held: Answer = slots.get(slot) ?? { value: undefined }
      const answer = slots.isUnsure(slot) ? { ...held, isUnsure: true } : held
      this.handleAnswer(request, slot, id, answer, now)
    }
    this.#settle(request, open, now)
  }

  handleAnswer(request: RequestId, slot: Slot, holder: string, answer: Answer, now: Now): void {
    const open = this.#open.get(request)
    if (open === undefined) return
    const next = open.read.handleAnswer(slot.name, holder, answer, now.monoMs)
    if (next.length > 0) this.#ask(request, open, next, now)
    else this.#settle(request, open, now)
  }

  /** A node of ours answered for the slots it was asked for, in their order. */
  handleFound(
    { request, slots }: ReadRequest,
    from: string,
    found: readonly (FoundSlot | undefined)[],
    now: Now,
  ): void {
    for (const [index, slot] of slots.entries()) {
      const answer = found[index] ?? { value: undefined }
      if (!('version' in answer) || this.#line.clock.see(answer.version, now.utcSeconds))
        this.handleAnswer(request, slot, from, answer, now)
      else this.handleFailed(request, slot, from, now)
    }
  }

  /** The node is asked no more. */
  handleUnanswered({ request, slots }: ReadRequest, to: string, now: Now): void {
    for (const slot of slots) this.handleFailed(request, slot, to, now)
  }

  /** A holder cannot be asked for one slot. */
  handleFailed(request: RequestId, slot: Slot, holder: string, now: Now): void {
    const open = this.#open.get(request)
    if (open === undefined) return
    const next = open.read.handleFailed(slot.name, holder, now.monoMs)
    if (next.length > 0) this.#ask(request, open, next, now)
    else this.#settle(request, open, now)
  }

  #settle(request: RequestId, open: OpenRead, now: Now): void {
    const { result } = open.read
    if (result === undefined) this.#noteDue(open)
    if (result === undefined || !this.#open.delete(request)) return
    this.#line.emit({ type: 'read-ended', request, result })
    if (result.type !== 'found') return
    this.#patience.note(now.monoMs - open.startMs)
    const { version, value, stale } = result
    for (const slot of stale) {
      const [owner] = this.#line.holdersOf(slot)
      if (owner === undefined) continue
      if (this.#line.isOld(owner)) this.#line.storeAtOld(slot, value, owner, now)
      if (version === undefined) continue
      const entry = new StoredSlot(slot, { value, version, key: open.key })
      if (owner === this.#line.id) this.#line.slots.put(slot, entry)
      else if (!this.#line.isOld(owner)) this.#line.send(owner, putPayload([entry]), now)
    }
  }
}
