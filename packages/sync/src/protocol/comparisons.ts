/**
 * When this node compares its replica with which neighbour, and the comparisons under way.
 *
 * With a neighbour that has just come, with a random one every half minute, and, shortly after something
 * was learned in other ways than by a broadcast, with all others, so that it spreads. One comparison
 * per neighbour at a time; one that gets no answer is given up.
 */
import type { Now, RandomBytes } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import type { Comparable } from './item-index.ts'
import { turnFlag } from './messages.ts'
import type { FingerprintKey } from './ranges.ts'
import { Comparison, listedItems } from './reconcile.ts'
import type { WriteRecord } from './records.ts'
import { decodeTurn, encodeTurn, readWords } from './turn.ts'
import type { Turn } from './turn.ts'

/** Mean time between comparisons with a random neighbour. They cost under 400 bytes when nothing differs. */
const periodMs = 30_000
/** Wait after learning something, in which more may come. */
const spreadAfterMs = 100
/** Wait for a new neighbour to open with a short list, or to be given everything by somebody else. */
const openAfterMs = 250
/** While writes stream in, a comparison finds what is on its way: it waits for a pause this long … */
const quietMs = 200
/** … but not longer than this. */
const longestWaitMs = 5_000
/** Whoever is to give us everything and gives nothing for so long is not waited for. */
const fillingMs = 2_000
/** A comparison whose other side says nothing for so long is given up. */
const silenceMs = 30_000
/**
 * A hundred bytes that open a comparison make us look at each of our items, which takes up to a
 * microsecond for each. A neighbour has to leave ten times as long between openings …
 */
const keysPerMs = 100
/** … but is answered long before it gives up, however much we have. */
const longestPauseMs = 10_000

export interface ComparisonMessage {
  readonly peer: string
  readonly payload: readonly Value[]
}

interface Neighbour {
  /** From when on another opening is answered. */
  nextMs: number
  /** An opening turn that came too early. */
  held: readonly Value[] | undefined
}

interface Running {
  readonly comparison: Comparison
  readonly openedByUs: boolean
  deadlineMs: number
  /** When it began, or last brought something. */
  gaveMs: number
}

export class Comparisons {
  readonly #index: Comparable
  readonly #random: RandomBytes
  readonly #neighbours = new Map<string, Neighbour>()
  readonly #running = new Map<string, Running>()
  readonly #due = new Set<string>()
  #dueMs = Infinity
  #lastWriteMs = -Infinity
  /** Since when due comparisons wait for a pause; undefined when none does. */
  #waitingSinceMs: number | undefined
  #nextPeriodMs = Infinity
  readonly counters = { opened: 0, differed: 0, givenUp: 0, ignoredTurns: 0 }

  constructor(index: Comparable, random: RandomBytes) {
    this.#index = index
    this.#random = random
  }

  /**
   * @param opens true on one of the two sides. It begins after a moment; a side that knows little
   *   begins at once, because its list saves both the search.
   */
  addNeighbour(peer: string, opens: boolean, now: Now): readonly ComparisonMessage[] {
    this.#neighbours.set(peer, { nextMs: 0, held: undefined })
    if (this.#nextPeriodMs === Infinity) this.#schedule(now)
    const isShort = this.#index.keyCount <= listedItems
    if (isShort && this.#running.size === 0) return this.#open(peer, now)
    // A list that is on its way to another neighbour brings all that this one could tell, in most cases.
    if (!opens && !isShort) return []
    this.#due.add(peer)
    this.#dueMs = Math.min(this.#dueMs, now.monoMs + openAfterMs)
    return []
  }

  removeNeighbour(peer: string): void {
    this.#neighbours.delete(peer)
    this.#running.delete(peer)
    this.#due.delete(peer)
    if (this.#neighbours.size === 0) this.#nextPeriodMs = Infinity
  }

  /** A write was made or came as a broadcast. */
  noteWrite(now: Now): void {
    this.#lastWriteMs = now.monoMs
  }

  /** Something was learned that the neighbours other than `from` may not have heard. */
  spread(from: string | undefined, now: Now): void {
    for (const peer of this.#neighbours.keys()) if (peer !== from) this.#due.add(peer)
    if (this.#due.size > 0) this.#dueMs = Math.min(this.#dueMs, now.monoMs + spreadAfterMs)
  }

  /** Takes a message with the sub-flag of turns. What comes too early is handed back by `takeHeld`. */
  handle(
    payload: readonly Value[],
    from: string,
    now: Now,
  ): { readonly messages: readonly ComparisonMessage[]; readonly records: readonly WriteRecord[] } {
    const turn = decodeTurn(payload.slice(1))
    if (turn?.key !== undefined && this.#isTooEarly(payload, from, now)) {
      return { messages: [], records: [] }
    }
    const running = turn === undefined ? undefined : this.#runningFor(turn, from, now)
    if (turn === undefined || running === undefined) {
      this.counters.ignoredTurns++
      return { messages: [], records: [] }
    }
    const { turn: reply, records } = running.comparison.answer(turn)
    running.deadlineMs = now.monoMs + silenceMs
    if (records === undefined) this.counters.ignoredTurns++
    else if (records.length > 0) running.gaveMs = now.monoMs
    if (reply === undefined || (isLast(reply) && !turn.more)) this.#end(from, running)
    return {
      messages: reply === undefined ? [] : [message(from, reply)],
      records: records ?? [],
    }
  }

  /** The openings whose time has come: each is to be handled as if it came now. */
  takeHeld(now: Now): readonly ComparisonMessage[] {
    const due: ComparisonMessage[] = []
    for (const [peer, neighbour] of this.#neighbours) {
      const { held } = neighbour
      if (held === undefined || neighbour.nextMs > now.monoMs) continue
      neighbour.held = undefined
      due.push({ peer, payload: held })
    }
    return due
  }

  handleDeadline(now: Now): readonly ComparisonMessage[] {
    for (const [peer, running] of this.#running) {
      if (running.deadlineMs > now.monoMs) continue
      this.counters.givenUp++
      this.#running.delete(peer)
    }
    if (this.#nextPeriodMs <= now.monoMs) {
      this.#schedule(now)
      const peer = this.#pickNeighbour()
      if (peer !== undefined) this.#due.add(peer)
      this.#dueMs = now.monoMs
    }
    if (this.#dueMs > now.monoMs) return []
    if (now.monoMs - this.#lastWriteMs < quietMs && this.#due.size > 0) {
      this.#waitingSinceMs ??= now.monoMs
      if (now.monoMs - this.#waitingSinceMs < longestWaitMs) {
        this.#dueMs = this.#lastWriteMs + quietMs
        return []
      }
    }
    this.#waitingSinceMs = undefined
    const due = [...this.#due]
    this.#due.clear()
    this.#dueMs = Infinity
    return due.flatMap((peer) => this.#open(peer, now))
  }

  nextDeadline(): number {
    let next = Math.min(this.#dueMs, this.#nextPeriodMs)
    for (const { deadlineMs } of this.#running.values()) next = Math.min(next, deadlineMs)
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.held !== undefined) next = Math.min(next, neighbour.nextMs)
    }
    return next
  }

  #open(peer: string, now: Now): readonly ComparisonMessage[] {
    if (this.#running.has(peer) || this.#isFilling(now)) {
      // What is new since that comparison began is left for one after it.
      this.#due.add(peer)
      this.#dueMs = Math.min(this.#dueMs, now.monoMs + 10 * spreadAfterMs)
      return []
    }
    // Random, so that two sides that open at once can tell whose comparison goes on.
    const [number] = this.#words()
    const comparison = new Comparison(number, this.#words(), this.#index)
    this.#start(peer, comparison, true, now)
    this.counters.opened++
    return [message(peer, comparison.open())]
  }

  /** True while one neighbour gives us all it has: what we lack is not worth asking others for. */
  #isFilling({ monoMs }: Now): boolean {
    for (const { comparison, gaveMs } of this.#running.values()) {
      if (comparison.isFilling && monoMs - gaveMs < fillingMs) return true
    }
    return false
  }

  /** Whether this opening has to wait, and then keeps it; otherwise the next one will have to. */
  #isTooEarly(payload: readonly Value[], from: string, { monoMs }: Now): boolean {
    const neighbour = this.#neighbours.get(from)
    if (neighbour === undefined) return false
    const isEarly = neighbour.nextMs > monoMs
    neighbour.held = isEarly ? payload : undefined
    const pauseMs = Math.min(this.#index.keyCount / keysPerMs, longestPauseMs)
    if (!isEarly) neighbour.nextMs = monoMs + pauseMs
    return isEarly
  }

  #runningFor(turn: Turn, from: string, now: Now): Running | undefined {
    const running = this.#running.get(from)
    if (turn.key === undefined) {
      return running?.comparison.number === turn.comparison ? running : undefined
    }
    // Both opened at once: the smaller number of the two keeps it, whichever side counts it.
    if (!this.#neighbours.has(from)) return undefined
    if (running?.openedByUs === true && running.comparison.number < turn.comparison)
      return undefined
    this.#due.delete(from)
    const comparison = new Comparison(turn.comparison, turn.key, this.#index)
    return this.#start(from, comparison, false, now)
  }

  #start(peer: string, comparison: Comparison, openedByUs: boolean, now: Now): Running {
    const { monoMs } = now
    const running = { comparison, openedByUs, deadlineMs: monoMs + silenceMs, gaveMs: monoMs }
    this.#running.set(peer, running)
    return running
  }

  #end(peer: string, running: Running): void {
    if (running.comparison.differed) this.counters.differed++
    this.#running.delete(peer)
  }

  #schedule(now: Now): void {
    const [jitter = 0] = this.#random(1)
    this.#nextPeriodMs = now.monoMs + periodMs * (0.75 + jitter / 512)
  }

  #pickNeighbour(): string | undefined {
    const [high = 0, low = 0] = this.#random(2)
    const all = [...this.#neighbours.keys()]
    return all[(high * 256 + low) % Math.max(1, all.length)]
  }

  #words(): FingerprintKey {
    return readWords(this.#random(16))
  }
}

/** A turn that asks for nothing is not answered. */
function isLast({ compare, list, want, more }: Turn): boolean {
  return compare.length + list.length + want.length === 0 && !more
}

function message(peer: string, turn: Turn): ComparisonMessage {
  return { peer, payload: [turnFlag, ...encodeTurn(turn)] }
}
