/**
 * The writes of this node. One asks the fewest holders with whom three tables are safe (quorum.ts, write.ts) and is
 * done when they confirm it. The other holders are told as well, and need not answer (copies.ts); they are asked for it
 * when one of the first cannot be reached, which the next one in line replaces, or is late. With too few that can be
 * reached it tries again, until its time is over: the ring soon knows who is gone, or they are back.
 */
import { P2pError } from '@p2p/base'
import type { Now, RequestId } from '@p2p/base'
import type { ChordInput } from './chord-contract.ts'
import { Copies } from './copies.ts'
import { hashTables, slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import { Patience } from './patience.ts'
import { byHolder, tablesOf } from './questions.ts'
import type { Question, RequestLine, SlotsByHolder } from './questions.ts'
import { smallestQuorum } from './quorum.ts'
import { writePayload } from './table-messages.ts'
import type { Copy } from './table-messages.ts'
import type { WriteRequest } from './table-requests.ts'
import type { Version } from './version.ts'
import { PendingWrite, leastHolders, replicasPerAcknowledgement } from './write.ts'
import type { TableHolders } from './write.ts'

type WriteInput = Extract<ChordInput, { type: 'write' }>

interface OpenWrite {
  readonly input: WriteInput
  readonly slots: readonly Slot[]
  readonly progress: PendingWrite
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly version: Version
  readonly startMs: number
  readonly endMs: number
  readonly attempt: number
  /** Those whose word is not waited for, until … */
  heldBack: SlotsByHolder
  /** Then they are asked; or all are again, where too few could be reached. */
  patienceEndMs: number
  /** A holder was asked and did not answer. */
  hasUnanswered: boolean
  /** What stands above it was written later: by this node, or by who wrote while this was under way. */
  isOvertakenRightly: boolean
}

type WriteStart = Pick<
  OpenWrite,
  'input' | 'slots' | 'endMs' | 'attempt' | 'version' | 'isOvertakenRightly'
>

/** The first sets a clock that is behind; who is overtaken after so many has others that write at the same time. */
const maxAttempts = 4
/** Until all are asked again when too few could be reached. */
const askAgainAfterMs = 500
/** Of one write, for one holder that is out of reach: each is sent the value once more. */
const maxAskedToPassOn = 2

export class OwnWrites {
  readonly #line: RequestLine
  readonly #open = new Map<RequestId, OpenWrite>()
  /** The last one of each key, by the name of its first slot. */
  readonly #latest = new Map<string, OpenWrite>()
  readonly #patience = new Patience()
  readonly #copies = new Copies()
  /** Nothing is due before; what has ended since may have set it. */
  #dueMs = Infinity

  constructor(line: RequestLine) {
    this.#line = line
  }

  get size(): number {
    return this.#open.size
  }

  nextDeadline(): number {
    return Math.min(this.#dueMs, this.#copies.nextDeadline())
  }

  handleDeadline(now: Now): void {
    if (this.#copies.nextDeadline() <= now.monoMs)
      for (const { peer, payload } of this.#copies.takeAll()) this.#line.send(peer, payload, now)
    if (this.#dueMs > now.monoMs) return
    this.#dueMs = Infinity
    for (const [request, write] of this.#open) {
      if (write.endMs <= now.monoMs) this.fail(request)
      else if (write.patienceEndMs > now.monoMs) continue
      else if (write.progress.state === 'failed') this.#begin(write, now)
      else this.#askHeldBack(request, write, now)
    }
    for (const write of this.#open.values()) this.#noteDue(write)
  }

  #noteDue({ endMs, patienceEndMs }: OpenWrite): void {
    this.#dueMs = Math.min(this.#dueMs, endMs, patienceEndMs)
  }

  cancel(request: RequestId): void {
    this.#end(request)
  }

  /** False when it had ended. */
  #end(request: RequestId): boolean {
    const write = this.#open.get(request)
    if (write === undefined) return false
    const name = nameOf(write.slots)
    if (this.#latest.get(name) === write) this.#latest.delete(name)
    return this.#open.delete(request)
  }

  begin(input: WriteInput, now: Now): void {
    const slots = slotsOf(input.key)
    const earlier = this.#latest.get(nameOf(slots))
    if (earlier !== undefined) earlier.isOvertakenRightly = true
    const endMs = now.monoMs + input.timeoutMs
    const version = this.#line.clock.next(now.utcSeconds)
    this.#begin({ input, slots, endMs, attempt: 1, version, isOvertakenRightly: false }, now)
  }

  #begin(start: WriteStart, now: Now): void {
    const { input, slots } = start
    const { request, key, value } = input
    const plan = slots.map((slot) => this.#holdersOf(slot))
    const { id, peers: neighbours } = this.#line
    const holdersEach = 1 + replicasPerAcknowledgement
    const { nodes } = smallestQuorum(plan, { id, holdersEach, neighbours })
    const { monoMs } = now
    const first = new Map<string, readonly Slot[]>()
    const heldBack = new Map<string, readonly Slot[]>()
    // Old nodes confirm nothing by themselves.
    const isForAll = this.#line.hasOld()
    for (const [holder, slots] of byHolder(plan))
      (isForAll || nodes.has(holder) ? first : heldBack).set(holder, slots)
    const open: OpenWrite = {
      ...start,
      progress: new PendingWrite(plan),
      key,
      value: value ?? undefined,
      startMs: monoMs,
      heldBack,
      patienceEndMs: heldBack.size > 0 ? monoMs + this.#patience.ms : Infinity,
      hasUnanswered: false,
    }
    this.#open.set(request, open)
    const latest = this.#latest.get(nameOf(slots))
    if (latest === undefined || latest.version.time <= open.version.time)
      this.#latest.set(nameOf(slots), open)
    this.#noteDue(open)
    if (plan.every(({ holders }) => holders.length === 0)) {
      // Nobody stores. The slots stay here, as in py2p, but nobody else will find them.
      for (const { slot } of plan) this.#keep(open, slot, now)
    }
    for (const [holder, held] of heldBack) this.#copies.add(holder, copyOf(open, held), monoMs)
    this.#tellPassedOver(open, monoMs)
    this.#sendAll(request, open, first, now)
  }

  /** Where too few are left, those that did not answer lately are asked again. */
  #holdersOf(slot: Slot): Question & TableHolders {
    const { id, peers, addressOf, hasOld, isOld } = this.#line
    // Who cannot be dialled from here at all, as from a browser, confirms nothing: those linked to it hand it the write.
    const isWithinReach = (holder: string): boolean =>
      holder === id || peers.has(holder) || addressOf(holder) !== undefined
    const reachable = this.#line.holdersOf(slot)
    const passedOver = this.#line.passedOver(slot).filter(isWithinReach)
    const holders = reachable.length < leastHolders ? [...reachable, ...passedOver] : reachable
    // An old owner often confirms nothing, and is none of those that must.
    const ours = [...reachable.filter(isWithinReach), ...passedOver]
    const wanted = ours.filter((holder) => !hasOld() || !isOld(holder)).length
    return { slot, name: slot.name, holders, wanted }
  }

  /** Who did not answer is not asked for a while; others ask it, and it should know. */
  #tellPassedOver(open: OpenWrite, monoMs: number): void {
    const passedOver: Question[] = []
    for (const slot of open.slots) {
      const holders = this.#line.passedOver(slot)
      if (holders.length > 0) passedOver.push({ slot, holders })
    }
    if (passedOver.length === 0) return
    for (const [holder, slots] of byHolder(passedOver))
      this.#tellOtherwise(open, slots, holder, monoMs)
  }

  /** A holder whose word is not to be had is told over the link that is there, or by those who have one. */
  #tellOtherwise(open: OpenWrite, slots: readonly Slot[], to: string, monoMs: number): void {
    const { isOld, id, peers } = this.#line
    if (isOld(to)) return
    const copy = copyOf(open, slots)
    if (peers.has(to)) {
      this.#copies.add(to, copy, monoMs)
      return
    }
    const near = new Set(slots.flatMap((slot) => this.#line.holdersOf(slot)))
    const others = [...near].filter((other) => other !== id && other !== to && peers.has(other))
    for (const other of others.filter((one) => !isOld(one)).slice(0, maxAskedToPassOn))
      this.#copies.add(other, { ...copy, to }, monoMs)
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
    this.#settle(request, open, now)
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
    const write = this.#open.get(request)
    if (write === undefined) return
    write.progress.settle(slot.name, holder, 'stored')
    this.#settle(request, write, now)
  }

  /**
   * A node of ours says which of the slots it was asked for it has now. `newest`: the latest version that it has of
   * them, which may be above ours: a clock is behind. The write is made anew above it; where that is too far ahead for
   * this node, nobody would read what it wrote. But once an owner has taken it as the newest, what is above it came
   * later, and to write over that would undo it.
   */
  handleStored(
    { request, attempt, slots }: WriteRequest,
    from: string,
    tables: readonly number[],
    now: Now,
    newest: number = 0,
  ): void {
    const write = this.#open.get(request)
    if (write === undefined || write.attempt !== attempt) return
    const isReadable = this.#line.clock.see({ time: newest, writer: from }, now.utcSeconds)
    const isOurs = newest === write.version.time
    if (isOurs && !write.isOvertakenRightly)
      write.isOvertakenRightly = slots.some(({ name }) => write.progress.isOwner(name, from))
    const isBehind = newest > write.version.time && !write.isOvertakenRightly
    if (isReadable && isBehind && attempt < maxAttempts) {
      const version = this.#line.clock.next(now.utcSeconds)
      this.#begin({ ...write, attempt: attempt + 1, version }, now)
      return
    }
    for (const slot of slots) {
      if (!tables.includes(hashTables.indexOf(slot.table)))
        this.handleFailed(request, slot, from, now)
      else write.progress.settle(slot.name, from, isReadable ? 'stored' : 'failed')
    }
    this.#settle(request, write, now)
  }

  /** The holder is asked no more. */
  handleUnanswered({ request, slots, attempt }: WriteRequest, to: string, now: Now): void {
    const write = this.#open.get(request)
    if (write?.attempt !== attempt) return
    write.hasUnanswered = true
    if (!this.#line.peers.has(to)) this.#tellOtherwise(write, slots, to, now.monoMs)
    for (const slot of slots)
      if (this.#open.get(request)?.attempt === attempt) this.handleFailed(request, slot, to, now)
  }

  /** A holder cannot be given one slot: the next one in line is asked, and those who were held back. */
  handleFailed(request: RequestId, slot: Slot, holder: string, now: Now): void {
    const write = this.#open.get(request)
    if (write?.progress.settle(slot.name, holder, 'failed') !== true) return
    const holders = write.progress.replan(this.#holdersOf(slot))
    this.#sendAll(request, write, byHolder([{ slot, holders }]), now)
    this.#askHeldBack(request, write, now)
  }

  #settle(request: RequestId, write: OpenWrite, { monoMs }: Now): void {
    const { slots, startMs, hasUnanswered } = write
    const { state } = write.progress
    if (state === 'failed') {
      const isAnybodyAway =
        hasUnanswered || slots.some((slot) => this.#line.passedOver(slot).length > 0)
      if (!isAnybodyAway) this.fail(request)
      write.patienceEndMs = monoMs + askAgainAfterMs
      this.#noteDue(write)
    }
    if (state !== 'acknowledged' || !this.#end(request)) return
    this.#patience.note(monoMs - startMs)
    this.#line.emit({ type: 'written', request })
  }

  fail(request: RequestId): void {
    if (!this.#end(request)) return
    const error = new P2pError(
      'P2P_WRITE_NOT_ACKNOWLEDGED',
      'fewer than three tables have the write, or the clock here is wrong',
    )
    this.#line.emit({ type: 'write-failed', request, error })
  }
}

/** Of a key, by its slots. */
function nameOf([first]: readonly Slot[]): string {
  return first?.name ?? ''
}

function copyOf({ key, version, value }: OpenWrite, slots: readonly Slot[]): Copy {
  return { key, version, value, tables: tablesOf(slots) }
}
