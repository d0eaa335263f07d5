/**
 * When replicas are repaired: once in a while, and soon after the ring has changed nearby. Times are
 * drawn, so that nodes do not all act at once.
 */
import type { Now, RandomBytes } from '@p2p/base'
import type { Parcel } from './hand-overs.ts'
import { randomBelow } from './random-below.ts'
import { Repair } from './repair.ts'
import type { Offer, RepairParts } from './repair.ts'
import type { Position } from './ring.ts'

const defaultRepairMs = 60_000
/** After a change of the ring, which seldom comes alone. */
const soonMs = { least: 100, spread: 400 }

/**
 * A newcomer compares with all once nothing more has come for so long, or in any case; and believes what it keeps
 * once nothing more has come of that either.
 */
const fillPauseMs = 1_000
const longestFillMs = 60_000
/** From one start to the next that others bring about. */
const againPauseMs = 30_000

export interface RepairLine {
  sendParcels(parcels: readonly Parcel[], now: Now): void
  offer(offers: readonly Offer[], now: Now): void
  /** Replicas are compared now. */
  onRound(now: Now): void
}

export interface RoundsParts extends RepairParts {
  readonly random: RandomBytes
  /** At most so long, and at least half of it, lies between two repairs; default 60,000. */
  readonly repairMs?: number | undefined
  /** False for a plain node, which repairs nothing. */
  readonly isTalking: boolean
  readonly line: RepairLine
}

export class RepairRounds {
  readonly repair: Repair
  readonly #parts: RoundsParts
  #dueMs = Infinity
  /** `filling`: it has asked for all that it is to hold; `comparing`: it has asked everybody for what it lacks. */
  #state: 'new' | 'filling' | 'comparing' | 'settled' = 'settled'
  #fillEndMs = Infinity
  #againMs = -Infinity

  constructor(parts: RoundsParts) {
    this.repair = new Repair(parts)
    this.#parts = parts
  }

  /** Infinity while this node does not store. */
  get dueMs(): number {
    return this.#dueMs
  }

  /** Others took this node for gone, and told it nothing. One that says so again and again changes nothing. */
  startAgain(now: Now): void {
    if (this.#state === 'settled' && this.#againMs <= now.monoMs) this.start(now)
  }

  /** This node stores from now on, or does so at another place. */
  start(now: Now): void {
    if (!this.#parts.isTalking) return
    this.#againMs = now.monoMs + againPauseMs
    this.#state = 'new'
    this.#parts.slots.doubt()
    this.#hasten(now)
  }

  stop({ monoMs }: Now): void {
    this.#dueMs = Infinity
    this.#state = 'settled'
    this.#parts.slots.trust()
    this.repair.endFilling(monoMs)
  }

  /** Another node came, went or moved: from where and to where. */
  ringChanged(
    { from, to }: { readonly from: Position | undefined; readonly to: Position | undefined },
    now: Now,
  ): void {
    if (to === undefined) this.repair.noteDeparture()
    if (this.#dueMs === Infinity) return
    if (this.repair.isPressedBy(from) || this.repair.isPressedBy(to)) this.#hasten(now)
  }

  handleDeadline(now: Now): void {
    const { line, random, repairMs = defaultRepairMs } = this.#parts
    const { monoMs } = now
    if (this.#state === 'new') {
      this.#state = 'filling'
      this.#fillEndMs = monoMs + longestFillMs
      line.sendParcels(this.repair.beginFilling(monoMs), now)
    }
    const isNew = this.#state === 'filling'
    const { filledMs = -Infinity, putMs } = this.repair
    const quietMs = (isNew ? filledMs : putMs) + fillPauseMs
    if (this.#state !== 'settled' && monoMs < Math.min(this.#fillEndMs, quietMs)) {
      this.#dueMs = quietMs
      return
    }
    const parcels = this.repair.comparisons(isNew)
    this.repair.endFilling(monoMs)
    line.sendParcels(parcels, now)
    line.onRound(now)
    line.offer(this.repair.offers(monoMs), now)
    if (isNew && parcels.length > 0) {
      this.#state = 'comparing'
      this.#dueMs = monoMs + fillPauseMs
      return
    }
    this.#state = 'settled'
    this.#parts.slots.trust()
    this.#dueMs = monoMs + repairMs / 2 + randomBelow(random, repairMs / 2)
  }

  #hasten({ monoMs }: Now): void {
    if (this.#dueMs <= monoMs + soonMs.least + soonMs.spread) return
    const atMs = monoMs + soonMs.least + randomBelow(this.#parts.random, soonMs.spread)
    this.#dueMs = atMs
  }
}
