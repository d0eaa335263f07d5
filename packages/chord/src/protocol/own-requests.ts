/**
 * The reads and writes of this node: whom they ask, and when they are done. A question to a node of ours
 * carries all that is asked of it for one key; an old node is asked slot by slot.
 *
 * A write asks the fewest holders with whom three tables are safe (quorum.ts, write.ts) and is done when they confirm
 * it. The other holders are told a moment later and need not answer (copies.ts); they are asked as well when one of
 * the first cannot be reached, which the next one in line replaces, or is late.
 *
 * A read is described in read.ts. When its tables do not agree, the value that was found is stored again
 * where it was missing.
 */
import { P2pError } from '@p2p/base'
import type { Now, Peer, RequestId } from '@p2p/base'
import { encodeValue } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import type { ChordEffect, ChordInput } from './chord-contract.ts'
import { Copies } from './copies.ts'
import { hashTables, slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import type { Waiter } from './open-questions.ts'
import { Patience } from './patience.ts'
import { smallestQuorum } from './quorum.ts'
import type { HeldTable, Quorum } from './quorum.ts'
import { Read } from './read.ts'
import type { Answer, Question } from './read.ts'
import { StoredSlot } from './slot-store.ts'
import type { SlotStore } from './slot-store.ts'
import { putPayload, readPayload, writePayload } from './table-messages.ts'
import type { Copy, FoundSlot } from './table-messages.ts'
import type { TableRequest } from './table-requests.ts'
import type { Version, VersionClock } from './version.ts'
import { PendingWrite, replicasPerAcknowledgement } from './write.ts'

/** What the requests need of the machine around them. */
export interface RequestLine {
  readonly id: string
  readonly slots: SlotStore
  readonly clock: VersionClock
  /** Ids, the owner first; without those that could not be reached lately. */
  holdersOf(slot: Slot): readonly string[]
  /** The neighbours: one is asked where nobody is known to store. */
  readonly peers: ReadonlyMap<string, Peer>
  /** A program of protocol 0.7, which is asked in its own words. */
  isOld(id: string): boolean
  /** Whether old programs store: what they send may come after a question about it. */
  hasOld(): boolean
  askOld(slot: Slot, to: string, waiter: Waiter, now: Now): void
  storeAtOld(slot: Slot, value: Uint8Array | undefined, to: string, now: Now): void
  /** Asks a node of ours; `handleUnanswered` is called when no answer comes. */
  ask(to: string, about: TableRequest, build: (request: number) => readonly Value[], now: Now): void
  send(to: string, payload: readonly Value[], now: Now): void
  emit(effect: ChordEffect): void
}

type WriteInput = Extract<ChordInput, { type: 'write' }>

interface OpenWrite {
  readonly input: WriteInput
  readonly progress: PendingWrite
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly version: Version
  readonly startMs: number
  readonly endMs: number
  readonly attempt: number
  /** Those whose word is not waited for, until … */
  heldBack: SlotsByHolder
  patienceEndMs: number
}

type SlotsByHolder = ReadonlyMap<string, readonly Slot[]>

interface OpenRead {
  readonly key: Uint8Array
  readonly read: Read
  readonly startMs: number
}

/** Old nodes on the way say nil before they know; a store may take as long. */
const readGraceMs = 1_000
const readRetryMs = 200
/** The first sets a clock that is behind; who is overtaken after so many has others that write at the same time. */
const maxAttempts = 4

export class OwnRequests {
  readonly #line: RequestLine
  readonly #reads = new Map<RequestId, OpenRead>()
  readonly #writes = new Map<RequestId, OpenWrite>()
  readonly #readPatience = new Patience()
  readonly #writePatience = new Patience()
  readonly #copies = new Copies()
  /** Nothing is due before; what has ended since may have set it. */
  #dueMs = Infinity

  constructor(line: RequestLine) {
    this.#line = line
  }

  get readCount(): number {
    return this.#reads.size
  }

  get writeCount(): number {
    return this.#writes.size
  }

  /** Asked for after every message: looking at all that is open would take longer than the message. */
  nextDeadline(): number {
    return Math.min(this.#dueMs, this.#copies.nextDeadline())
  }

  /** Sends what waits to be sent with others. */
  flush(now: Now): void {
    for (const { peer, payload } of this.#copies.takeAll()) this.#line.send(peer, payload, now)
  }

  handleDeadline(now: Now): void {
    if (this.#copies.nextDeadline() <= now.monoMs) this.flush(now)
    if (this.#dueMs > now.monoMs) return
    this.#dueMs = Infinity
    for (const [request, open] of this.#reads) {
      if (open.read.nextDeadline() > now.monoMs) continue
      this.#askAll(request, open, open.read.handleDeadline(now.monoMs), now)
    }
    for (const [request, write] of this.#writes) {
      if (write.endMs <= now.monoMs) this.failWrite(request)
      else if (write.patienceEndMs <= now.monoMs) this.#askHeldBack(request, write, now)
    }
    for (const { read } of this.#reads.values()) this.#noteDue(read.nextDeadline())
    for (const { endMs, patienceEndMs } of this.#writes.values())
      this.#noteDue(Math.min(endMs, patienceEndMs))
  }

  #noteDue(ms: number): void {
    this.#dueMs = Math.min(this.#dueMs, ms)
  }

  cancel(request: RequestId): void {
    this.#reads.delete(request)
    this.#writes.delete(request)
  }

  // ---- reads

  read(input: Extract<ChordInput, { type: 'read' }>, now: Now): void {
    const { request, key, timeoutMs } = input
    const all = slotsOf(key).map((slot) => ({ slot, holders: this.#readableAt(slot) }))
    const { tables, first } = this.#quorum(all, 1)
    const read = new Read({
      tables,
      // An old node may give its answer to somebody else who asked (spec/chord.md §6.2).
      first: this.#line.hasOld() ? tables.length : first,
      patienceMs: this.#readPatience.ms,
      isProvisional: (holder) => this.#line.hasOld() || this.#line.isOld(holder),
      startMs: now.monoMs,
      timeoutMs,
      graceMs: readGraceMs,
      retryMs: readRetryMs,
    })
    const open = { key, read, startMs: now.monoMs }
    this.#reads.set(request, open)
    this.#askAll(request, open, read.start(), now)
  }

  #quorum<Table extends HeldTable>(tables: readonly Table[], holdersEach: number): Quorum<Table> {
    const { id, peers } = this.#line
    return smallestQuorum(tables, { id, holdersEach, isNeighbour: (peer) => peers.has(peer) })
  }

  /** A node that knows nobody who stores looks at itself when it keeps something, and else asks anybody. */
  #readableAt(slot: Slot): readonly string[] {
    const holders = this.#line.holdersOf(slot)
    if (holders.length > 0) return holders
    const [neighbour] = this.#line.slots.size > 0 ? [] : this.#line.peers.keys()
    return [neighbour ?? this.#line.id]
  }

  #askAll(request: RequestId, open: OpenRead, questions: readonly Question[], now: Now): void {
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
    for (const slot of own) {
      this.answerRead(request, slot, id, this.#line.slots.get(slot) ?? { value: undefined }, now)
    }
    this.#settleRead(request, open, now)
  }

  answerRead(request: RequestId, slot: Slot, holder: string, answer: Answer, now: Now): void {
    const open = this.#reads.get(request)
    if (open === undefined) return
    const next = open.read.handleAnswer(slot.name, holder, answer, now.monoMs)
    if (next.length > 0) this.#askAll(request, open, next, now)
    else this.#settleRead(request, open, now)
  }

  /** A node of ours answered for the slots it was asked for, in their order. */
  handleFound(
    about: TableRequest,
    from: string,
    found: readonly (FoundSlot | undefined)[],
    now: Now,
  ): void {
    if (about.type !== 'read') return
    for (const [index, slot] of about.slots.entries()) {
      const answer = found[index] ?? { value: undefined }
      if (!('version' in answer) || this.#line.clock.see(answer.version, now.utcSeconds))
        this.answerRead(about.request, slot, from, answer, now)
      else this.failRead(about.request, slot, from, now)
    }
  }

  #settleRead(request: RequestId, { key, read, startMs }: OpenRead, now: Now): void {
    const { result } = read
    if (result === undefined) this.#noteDue(read.nextDeadline())
    if (result === undefined || !this.#reads.delete(request)) return
    this.#line.emit({ type: 'read-ended', request, result })
    if (result.type !== 'found') return
    this.#readPatience.note(now.monoMs - startMs)
    const { version, value, stale } = result
    for (const slot of stale) {
      const [owner] = this.#line.holdersOf(slot)
      if (owner === undefined) continue
      if (this.#line.isOld(owner)) this.#line.storeAtOld(slot, value, owner, now)
      if (version === undefined) continue
      const entry = new StoredSlot(slot, { value, version, key })
      if (owner === this.#line.id) this.#line.slots.put(slot, entry)
      else if (!this.#line.isOld(owner)) this.#line.send(owner, putPayload([entry]), now)
    }
  }

  // ---- writes

  write(input: WriteInput, now: Now, attempt: number = 1): void {
    const { request, key, value, timeoutMs } = input
    const plan = slotsOf(key).map((slot) => ({
      slot,
      name: slot.name,
      holders: this.#line.holdersOf(slot),
    }))
    const { nodes } = this.#quorum(plan, 1 + replicasPerAcknowledgement)
    const { monoMs } = now
    const first = new Map<string, readonly Slot[]>()
    const heldBack = new Map<string, readonly Slot[]>()
    // Old nodes confirm nothing by themselves.
    const isForAll = this.#line.hasOld()
    for (const [holder, slots] of byHolder(plan))
      (isForAll || nodes.has(holder) ? first : heldBack).set(holder, slots)
    const open: OpenWrite = {
      input,
      progress: new PendingWrite(plan),
      key,
      value: value === null ? undefined : encodeValue(value),
      version: this.#line.clock.next(now.utcSeconds),
      startMs: monoMs,
      endMs: monoMs + timeoutMs,
      attempt,
      heldBack,
      patienceEndMs: heldBack.size > 0 ? monoMs + this.#writePatience.ms : Infinity,
    }
    this.#writes.set(request, open)
    this.#noteDue(Math.min(open.endMs, open.patienceEndMs))
    if (plan.every(({ holders }) => holders.length === 0)) {
      // Nobody stores. The slots stay here, as in py2p, but nobody else will find them.
      for (const { slot } of plan) this.#keep(open, slot, now)
    }
    for (const [holder, slots] of heldBack) this.#copies.add(holder, copyOf(open, slots), monoMs)
    this.#sendAll(request, open, first, now)
  }

  #sendAll(request: RequestId, open: OpenWrite, questions: SlotsByHolder, now: Now): void {
    for (const [holder, slots] of questions) {
      if (holder === this.#line.id) for (const slot of slots) this.#keep(open, slot, now)
      else if (this.#line.isOld(holder)) {
        for (const slot of slots) this.#writeAtOld(request, open, slot, holder, now)
      } else {
        this.#line.ask(
          holder,
          { type: 'write', request, slots, attempt: open.attempt },
          (number) => writePayload(number, copyOf(open, slots)),
          now,
        )
      }
    }
    this.#settleWrite(request, open, now)
  }

  /** Those who were asked first are late, or cannot do it. */
  #askHeldBack(request: RequestId, write: OpenWrite, now: Now): void {
    const { heldBack } = write
    write.heldBack = new Map()
    write.patienceEndMs = Infinity
    this.#sendAll(request, write, heldBack, now)
  }

  /** An old owner confirms nothing: it is asked for what was sent to it. */
  #writeAtOld(request: RequestId, open: OpenWrite, slot: Slot, to: string, now: Now): void {
    const { value } = open
    if (value === undefined) {
      this.#line.askOld(slot, to, { type: 'delete', request }, now)
      return
    }
    this.#line.storeAtOld(slot, value, to, now)
    this.#line.askOld(slot, to, { type: 'write', request, sent: value }, now)
  }

  #keep(write: OpenWrite, slot: Slot, { utcSeconds }: Now): void {
    const { progress } = write
    const { slots, clock } = this.#line
    const held = slots.get(slot)
    // Written when the clock was far ahead, it would stand above all writes to come; nobody else has taken it.
    if (held && !clock.see(held.version, utcSeconds)) slots.forget(slot)
    // A delete of what is not there leaves a trace all the same: other holders may have it.
    const isFull = slots.put(slot, write) === 'full'
    progress.settle(slot.name, this.#line.id, isFull ? 'failed' : 'stored')
  }

  /** A holder has the slot. */
  confirm(request: RequestId, slot: Slot, holder: string, now: Now): void {
    const write = this.#writes.get(request)
    if (write === undefined) return
    write.progress.settle(slot.name, holder, 'stored')
    this.#settleWrite(request, write, now)
  }

  /**
   * A node of ours says which of the slots it was asked for it has now. `newest`: the latest version that it has of
   * them, which may be above ours: a clock is behind. The write is made anew above it; where that is too far ahead for
   * this node, nobody would read what it wrote.
   */
  handleStored(
    about: TableRequest,
    from: string,
    tables: readonly number[],
    now: Now,
    newest: number = 0,
  ): void {
    if (about.type !== 'write') return
    const { request, attempt, slots } = about
    const write = this.#writes.get(request)
    if (write === undefined || write.attempt !== attempt) return
    const isReadable = this.#line.clock.see({ time: newest, writer: from }, now.utcSeconds)
    if (isReadable && newest > write.version.time && attempt < maxAttempts) {
      this.write(write.input, now, attempt + 1)
      return
    }
    for (const slot of slots) {
      if (!tables.includes(hashTables.indexOf(slot.table)))
        this.failHolder(request, slot, from, now)
      else write.progress.settle(slot.name, from, isReadable ? 'stored' : 'failed')
    }
    this.#settleWrite(request, write, now)
  }

  /** A question that was not answered: the holder is asked no more. */
  handleUnanswered(about: TableRequest, to: string, now: Now): void {
    if (about.type === 'offer') return
    for (const slot of about.slots) {
      if (about.type === 'read') this.failRead(about.request, slot, to, now)
      else if (this.#writes.get(about.request)?.attempt === about.attempt)
        this.failHolder(about.request, slot, to, now)
    }
  }

  failRead(request: RequestId, slot: Slot, holder: string, now: Now): void {
    const open = this.#reads.get(request)
    if (open === undefined) return
    const next = open.read.handleFailed(slot.name, holder, now.monoMs)
    if (next.length > 0) this.#askAll(request, open, next, now)
    else this.#settleRead(request, open, now)
  }

  failHolder(request: RequestId, slot: Slot, holder: string, now: Now): void {
    const write = this.#writes.get(request)
    if (write?.progress.settle(slot.name, holder, 'failed') !== true) return
    const holders = write.progress.replan(slot.name, this.#line.holdersOf(slot))
    this.#sendAll(request, write, byHolder([{ slot, holders }]), now)
    this.#askHeldBack(request, write, now)
  }

  #settleWrite(request: RequestId, { progress, startMs }: OpenWrite, { monoMs }: Now): void {
    const { state } = progress
    if (state === 'failed') this.failWrite(request)
    if (state !== 'acknowledged' || !this.#writes.delete(request)) return
    this.#writePatience.note(monoMs - startMs)
    this.#line.emit({ type: 'written', request })
  }

  failWrite(request: RequestId): void {
    if (!this.#writes.delete(request)) return
    const error = new P2pError(
      'P2P_WRITE_NOT_ACKNOWLEDGED',
      'fewer than three tables have the write',
    )
    this.#line.emit({ type: 'write-failed', request, error })
  }
}

function copyOf({ key, version, value }: OpenWrite, slots: readonly Slot[]): Copy {
  return { key, version, value, tables: tablesOf(slots) }
}

function tablesOf(slots: readonly Slot[]): readonly number[] {
  return slots.map(({ table }) => hashTables.indexOf(table))
}

function byHolder(questions: readonly Question[]): SlotsByHolder {
  const slotsByHolder = new Map<string, Slot[]>()
  for (const { slot, holders } of questions) {
    for (const holder of holders) {
      const slots = slotsByHolder.get(holder)
      if (slots === undefined) slotsByHolder.set(holder, [slot])
      else slots.push(slot)
    }
  }
  return slotsByHolder
}
