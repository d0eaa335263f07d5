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
 * Source: research/reliability.md, 3.4 rule 4. Its longest hold of 300 ms is 500 here: our own messages go to
 * few old neighbours (old-groups.ts), and from there the others need that long to flood.
 */
import type { RandomBytes } from '@p2p/base'
import type { RecentMessage } from './recent-messages.ts'
import type { Tree } from './sender-trees.ts'
import type { TreeNeighbour } from './tree-dissemination.ts'

const minHoldMs = 20
const maxHoldMs = 500
/** The first hold is drawn from here on, … */
const minFirstHoldMs = 200
/** … up to so much more. */
const firstHoldSpreadMs = 100
/** Each hold varies by this share, so that two of us do not stay in step. */
const holdJitter = 0.1
/** A held copy holds on to its message, so their number is bounded; beyond it the oldest goes at once. */
const maxHeldCopies = 16_384
/** Copies whose return is timed, per neighbour. */
const maxTimedCopies = 64
/** A copy that comes back in less than this share of the round trip crossed ours. */
const crossedShare = 0.8
/** The round trip is forgotten this slowly, so that one delayed answer does not stand for ever. */
const roundTripDecay = 0.99

/** A copy of a message for one neighbour. */
export interface HeldCopy {
  /** Of the message, among the recent ones … */
  readonly number: number
  /** … and the message, should it no longer be one of them. */
  readonly entry: RecentMessage<TreeNeighbour, Tree<TreeNeighbour>>
  readonly neighbour: TreeNeighbour
}

/** What was learned about one old neighbour. */
interface Learned {
  holdMs: number
  roundTripMs: number
  /** What is held, in the order in which it leaves. */
  readonly waiting: { readonly copy: HeldCopy; dueMs: number }[]
  /** When copies went to it that have not come back, by message, oldest first. */
  readonly sentMs: Map<number, number>
}

export class HeldCopies {
  readonly #random: RandomBytes
  readonly #holds: (number: number, neighbour: TreeNeighbour) => boolean
  readonly #learned = new Map<TreeNeighbour, Learned>()
  /** Copies that are held now, and those that were and turned out not to be needed. */
  count = 0
  cancelled = 0

  /** `holds` tells whether a neighbour has a message by now. */
  constructor(random: RandomBytes, holds: (number: number, neighbour: TreeNeighbour) => boolean) {
    this.#random = random
    this.#holds = holds
  }

  hold(copy: HeldCopy, monoMs: number): void {
    const { holdMs, waiting } = this.#learnedOf(copy.neighbour)
    const delayMs = holdMs * (1 - holdJitter * this.#share())
    const held = { copy, dueMs: Math.max(waiting.at(-1)?.dueMs ?? 0, monoMs + delayMs) }
    waiting.push(held)
    this.count += 1
    if (this.count > maxHeldCopies) (waiting[0] ?? held).dueMs = monoMs
  }

  /** An old neighbour sent a message that was here: learns how that relates to our copy. */
  noteDelivery(number: number, neighbour: TreeNeighbour, monoMs: number): void {
    const learned = this.#learnedOf(neighbour)
    if (!this.#holds(number, neighbour)) {
      noteSpared(learned)
      return
    }
    const sentMs = learned.sentMs.get(number)
    if (sentMs === undefined) return
    learned.sentMs.delete(number)
    const tookMs = monoMs - sentMs
    if (tookMs < crossedShare * learned.roundTripMs) noteSpared(learned)
    else noteNeeded(learned)
    learned.roundTripMs = Math.max(learned.roundTripMs * roundTripDecay, tookMs)
  }

  /** The copies whose time is up and that are still needed. */
  takeDue(monoMs: number): readonly HeldCopy[] {
    const due: HeldCopy[] = []
    for (const { waiting, sentMs } of this.#learned.values()) {
      for (let held = waiting[0]; held !== undefined && held.dueMs <= monoMs; held = waiting[0]) {
        const { number, neighbour } = held.copy
        waiting.shift()
        this.count -= 1
        if (this.#holds(number, neighbour)) {
          this.cancelled += 1
        } else {
          sentMs.set(number, monoMs)
          for (const oldest of sentMs.keys()) {
            if (sentMs.size > maxTimedCopies) sentMs.delete(oldest)
            else break
          }
          due.push(held.copy)
        }
      }
    }
    return due
  }

  forgetNeighbour(neighbour: TreeNeighbour): void {
    this.count -= this.#learned.get(neighbour)?.waiting.length ?? 0
    this.#learned.delete(neighbour)
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { waiting } of this.#learned.values()) {
      next = Math.min(next, waiting[0]?.dueMs ?? Infinity)
    }
    return next
  }

  #learnedOf(neighbour: TreeNeighbour): Learned {
    let learned = this.#learned.get(neighbour)
    if (learned === undefined) {
      const holdMs = minFirstHoldMs + firstHoldSpreadMs * this.#share()
      learned = { holdMs, roundTripMs: 0, waiting: [], sentMs: new Map() }
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
