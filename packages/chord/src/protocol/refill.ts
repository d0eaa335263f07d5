/**
 * Gives a table that has lost all holders of a slot the key again. The owner of one of a key's five slots
 * sees to the other four, a few keys at a time: every ten minutes, and at once when so many nodes are gone
 * that all holders of a slot may be among them.
 *
 * Not all who die together are found out together, and a slot that is offered to a dead node waits for
 * the next time. So a refill after departures is followed by a second one, when all of them are known.
 *
 * Source: research on crashes: with half of the nodes dead one slot in 32 has lost all five holders.
 */
import type { Now, RandomBytes } from '@p2p/base'
import { slotsOf } from './hash-tables.ts'
import { randomBelow } from './random-below.ts'
import type { OfferedSlot } from './repair.ts'
import type { SlotStore, StoredSlot } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'

/** Keys seen to at a time. */
const keysAtOnce = 256
const portionPauseMs = 1_000
const everyMs = 600_000
/** This share of the ring gone since the last beginning brings the next: 3 in 10,000 slots then lost all five holders. */
const departedShare = 0.2
/** After the departure that brings it, which seldom is the last. */
const soonMs = { least: 100, spread: 400 }
/** A dead node is found out by two dials, of three seconds at most each. */
const secondMs = 10_000

export class Refill {
  readonly #id: string
  readonly #slots: SlotStore
  readonly #nodes: StoringNodes
  readonly #replicas: number
  readonly #random: RandomBytes
  #walk: Iterator<StoredSlot> | undefined
  #dueMs = Infinity
  #portionDueMs = Infinity
  /** Nodes that are no more since the last beginning. */
  #departures = 0
  #isSecond = false

  constructor(options: {
    readonly id: string
    readonly slots: SlotStore
    readonly nodes: StoringNodes
    readonly replicas: number
    readonly random: RandomBytes
  }) {
    this.#id = options.id
    this.#slots = options.slots
    this.#nodes = options.nodes
    this.#replicas = options.replicas
    this.#random = options.random
  }

  /** This node stores from now on. */
  start(nowMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, nowMs + this.#soon())
  }

  stop(): void {
    this.#walk = undefined
    this.#dueMs = Infinity
    this.#portionDueMs = Infinity
  }

  /** Another node stores no more. */
  noteDeparture(nowMs: number): void {
    this.#departures += 1
    if (this.#dueMs !== Infinity && this.#lacksMany())
      this.#dueMs = Math.min(this.#dueMs, nowMs + this.#soon())
  }

  nextDeadline(): number {
    return Math.min(this.#dueMs, this.#portionDueMs)
  }

  /** Slots that should be where they belong, as copies of those held here. */
  handleDeadline({ monoMs }: Now): readonly OfferedSlot[] {
    if (this.#dueMs <= monoMs) this.#begin(monoMs)
    return this.#portionDueMs <= monoMs ? this.#portion(monoMs) : []
  }

  #begin(nowMs: number): void {
    const isFollowed = this.#lacksMany() || (this.#departures > 0 && !this.#isSecond)
    this.#isSecond = isFollowed
    this.#dueMs = nowMs + (isFollowed ? secondMs : everyMs)
    this.#departures = 0
    this.#portionDueMs = nowMs
    const [next] = this.#nodes.ahead(this.#id, 1)
    const self = this.#nodes.get(this.#id)
    if (next === undefined || self === undefined) this.#walk = undefined
    else this.#walk = [...this.#slots.inArc({ from: self.position, to: next.position })].values()
  }

  #portion(nowMs: number): readonly OfferedSlot[] {
    const copies: OfferedSlot[] = []
    this.#portionDueMs = nowMs + portionPauseMs
    for (let count = 0; count < keysAtOnce; count += 1) {
      const step = this.#walk?.next()
      if (step === undefined || step.done === true) {
        this.#walk = undefined
        this.#portionDueMs = Infinity
        break
      }
      const { key, table, version } = step.value
      if (key === undefined) continue
      for (const slot of slotsOf(key)) {
        if (slot.table !== table) copies.push({ ...slot, version, source: step.value })
      }
    }
    return copies
  }

  #lacksMany(): boolean {
    return this.#departures >= Math.max(this.#replicas, this.#nodes.size * departedShare)
  }

  #soon(): number {
    return soonMs.least + randomBelow(this.#random, soonMs.spread)
  }
}
