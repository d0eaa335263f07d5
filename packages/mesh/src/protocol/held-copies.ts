/**
 * Copies for old neighbours, held back for a moment: an old program sends everything to everyone, so
 * in a mixed network it mostly has the message already and is about to send it to us. When it does,
 * the copy is dropped.
 *
 * How long a copy is held is learned per neighbour, between `minHoldMs` and `maxHoldMs`. It grows when
 * our copy turned out not to be needed and shrinks when it was. So a neighbour that others
 * serve is left to them, one that hears things only from us hears them soon, and of several of us
 * around one old peer that nobody else serves, one becomes quick and the others wait for it. The
 * first hold is drawn at random, so that they do not all start at the same place.
 *
 * Copies for one neighbour leave in the order in which they came: py2p closes the link over a delete
 * that comes before what it deletes, and keeps the older of two values that overtook each other.
 *
 * Whether a copy that we did send was needed shows in the time until the old peer floods the message
 * back: a whole round trip when ours was its first copy, less when it had it from somebody else and
 * the two crossed. The longest such time is the round trip.
 *
 * Source: research/reliability.md, 3.4 rule 4.
 */
import type { RandomBytes } from '@p2p/base'
import type { RecentMessage } from './recent-messages.ts'
import type { Tree } from './sender-trees.ts'
import { TimedQueue } from './timed-queue.ts'
import type { TreeNeighbour } from './tree-dissemination.ts'

const minHoldMs = 20
const maxHoldMs = 300
/** The first hold is drawn from here to `maxHoldMs`. */
const minFirstHoldMs = 200
/** Each hold varies by this share, so that two of us do not stay in step. */
const holdJitter = 0.1
/** A held copy holds on to its message, so their number is bounded; more are sent at once. */
const maxHeldCopies = 16_384
/** Copies whose return is timed, per neighbour. */
const maxTimedCopies = 64
/** A copy that comes back in less than this share of the round trip crossed ours. */
const crossedShare = 0.8
/** The round trip is forgotten this slowly, so that one delayed answer does not stand for ever. */
const roundTripDecay = 0.99

type Recent = RecentMessage<TreeNeighbour, Tree<TreeNeighbour>>

interface HeldCopy {
  readonly entry: Recent
  readonly neighbour: TreeNeighbour
}

/** What was learned about one old neighbour. */
interface Learned {
  holdMs: number
  roundTripMs: number
  /** When the last copy that is held leaves: a later one never does before it. */
  lastDueMs: number
  /** When copies went to it that have not come back, oldest first. */
  readonly sentMs: Map<Recent, number>
}

export class HeldCopies {
  readonly #random: RandomBytes
  readonly #waiting = new TimedQueue<HeldCopy>()
  readonly #learned = new Map<TreeNeighbour, Learned>()
  cancelled = 0

  constructor(random: RandomBytes) {
    this.#random = random
  }

  get count(): number {
    return this.#waiting.size
  }

  hold(entry: Recent, neighbour: TreeNeighbour, monoMs: number): void {
    const isFull = this.#waiting.size >= maxHeldCopies
    const learned = this.#learnedOf(neighbour)
    const delayMs = learned.holdMs * (1 - holdJitter * this.#share())
    learned.lastDueMs = isFull ? monoMs : Math.max(learned.lastDueMs, monoMs + delayMs)
    this.#waiting.add(learned.lastDueMs, { entry, neighbour })
  }

  /** An old neighbour sent a message that was here: learns how that relates to our copy. */
  noteDelivery(entry: Recent, neighbour: TreeNeighbour, monoMs: number): void {
    const learned = this.#learnedOf(neighbour)
    if (!entry.holders.has(neighbour)) {
      noteSpared(learned)
      return
    }
    const sentMs = learned.sentMs.get(entry)
    if (sentMs === undefined) return
    learned.sentMs.delete(entry)
    const tookMs = monoMs - sentMs
    if (tookMs < crossedShare * learned.roundTripMs) noteSpared(learned)
    else noteNeeded(learned)
    learned.roundTripMs = Math.max(learned.roundTripMs * roundTripDecay, tookMs)
  }

  /** The copies whose time is up and that are still needed. */
  takeDue(monoMs: number): readonly HeldCopy[] {
    const due: HeldCopy[] = []
    for (;;) {
      const held = this.#waiting.takeDue(monoMs)
      if (held === undefined) return due
      const learned = this.#learned.get(held.neighbour)
      if (learned === undefined) continue
      if (held.entry.holders.has(held.neighbour)) {
        this.cancelled += 1
        continue
      }
      learned.sentMs.set(held.entry, monoMs)
      if (learned.sentMs.size > maxTimedCopies) forgetOldest(learned.sentMs)
      due.push(held)
    }
  }

  forgetNeighbour(neighbour: TreeNeighbour): void {
    this.#learned.delete(neighbour)
  }

  nextDeadline(): number {
    return this.#waiting.next()
  }

  #learnedOf(neighbour: TreeNeighbour): Learned {
    let learned = this.#learned.get(neighbour)
    if (learned === undefined) {
      const holdMs = minFirstHoldMs + (maxHoldMs - minFirstHoldMs) * this.#share()
      learned = { holdMs, roundTripMs: 0, lastDueMs: -Infinity, sentMs: new Map() }
      this.#learned.set(neighbour, learned)
    }
    return learned
  }

  /** A random number from 0 to 1. */
  #share(): number {
    return (this.#random(1)[0] ?? 0) / 255
  }
}

function noteSpared(learned: Learned): void {
  learned.holdMs += (maxHoldMs - learned.holdMs) / 2
}

function noteNeeded(learned: Learned): void {
  learned.holdMs -= (learned.holdMs - minHoldMs) / 12
}

function forgetOldest(sentMs: Map<Recent, number>): void {
  for (const entry of sentMs.keys()) {
    sentMs.delete(entry)
    return
  }
}
