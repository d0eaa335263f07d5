/**
 * When replicas are repaired: they are compared once in a while and soon after the ring has changed nearby,
 * and refilled by a clock of their own (refill.ts). Times are drawn, so that nodes do not all act at once.
 */
import type { Now, RandomBytes } from '@p2p/base'
import type { Parcel } from './hand-overs.ts'
import { randomBelow } from './random-below.ts'
import { Refill } from './refill.ts'
import { Repair } from './repair.ts'
import type { Offer } from './repair.ts'
import type { SlotStore } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'

const defaultEveryMs = 60_000
/** After a change of the ring, which seldom comes alone. */
const soonMs = { least: 100, spread: 400 }

export interface RepairLine {
  sendParcels(parcels: readonly Parcel[], now: Now): void
  offer(offers: readonly Offer[], now: Now): void
  /** The replicas are compared now. */
  onRound(now: Now): void
}

export class RepairRounds {
  readonly repair: Repair
  readonly #refill: Refill
  readonly #random: RandomBytes
  readonly #everyMs: number
  readonly #line: RepairLine
  /** Infinity while this node does not store. */
  #dueMs = Infinity
  #isNewOnRing = false

  /** At most `everyMs`, and at least half of it, lies between two comparisons. */
  constructor(options: {
    readonly id: string
    readonly slots: SlotStore
    readonly nodes: StoringNodes
    readonly replicas: number
    readonly random: RandomBytes
    readonly everyMs: number | undefined
    readonly line: RepairLine
  }) {
    this.repair = new Repair(options)
    this.#refill = new Refill(options)
    this.#random = options.random
    this.#everyMs = options.everyMs ?? defaultEveryMs
    this.#line = options.line
  }

  /** This node stores from now on. */
  start(now: Now): void {
    this.#isNewOnRing = true
    this.#hasten(now)
    this.#refill.start(now.monoMs)
  }

  stop(): void {
    this.#dueMs = Infinity
    this.#refill.stop()
  }

  /** Another node came or went. */
  ringChanged(id: string, isStoring: boolean, now: Now): void {
    if (!isStoring) this.#refill.noteDeparture(now.monoMs)
    if (this.#dueMs !== Infinity && this.repair.isPressedBy(id)) this.#hasten(now)
  }

  nextDeadline(): number {
    return Math.min(this.#dueMs, this.#refill.nextDeadline())
  }

  handleDeadline(now: Now): void {
    if (this.#dueMs <= now.monoMs) {
      this.#dueMs = now.monoMs + this.#everyMs / 2 + randomBelow(this.#random, this.#everyMs / 2)
      this.#line.sendParcels(this.repair.comparisons(this.#isNewOnRing), now)
      this.#isNewOnRing = false
      this.#line.onRound(now)
      this.#line.offer(this.repair.offers(), now)
    }
    if (this.#refill.nextDeadline() <= now.monoMs)
      this.#line.offer(this.repair.spread(this.#refill.handleDeadline(now)), now)
  }

  #hasten({ monoMs }: Now): void {
    const atMs = monoMs + soonMs.least + randomBelow(this.#random, soonMs.spread)
    this.#dueMs = Math.min(this.#dueMs, atMs)
  }
}
