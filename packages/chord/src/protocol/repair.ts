/**
 * Brings what this node stores into line with what the other holders store, and moves slots to where they
 * belong when the ring has changed. Every holder of a slot ends up with its newest write.
 *
 *   compare   with each of the r−1 holders behind, over the part of the ring that both hold: equal sums
 *             end it; small parts are listed, large ones split into sixteen. A node with hardly any room
 *             asks for nothing that it does not hold
 *   fill      a node that is new on the ring compares with the nearest holder behind first, and with the one ahead
 *             over what that one does not hold, and with nobody else until it has what they sent: or each
 *             of the eight would send it nearly everything
 *   offer     slots that are none of this node's any more go to the first holder they should have; they are
 *             dropped when it has them and this node is not even among the next three. What the first
 *             holder has is not offered to it again
 *   refill    the owner of one of a key's five slots sees to the other four, a few keys at a time: a table
 *             that has lost all its holders gets the key again from the other tables. Every ten minutes,
 *             and at once when so many nodes are gone that all holders of a slot may be among them; then
 *             also at the next repair, because not all who die together are found out together
 *
 * Everything is idempotent: a slot takes a write only when it is newer.
 *
 * Source: research on churn: repair every 30 to 60 s loses nothing at sessions of an hour, and a fresh
 * owner that is not handed its slots at once says "nothing" until the next repair.
 */
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import { clockwiseDistance, covers, ringSize, toPosition } from './ring.ts'
import type { Arc, Position } from './ring.ts'
import { SlotHead, StoredSlot } from './slot-store.ts'
import type { ArcSummary, SlotStore } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'
import { portionsOf } from './portions.ts'
import { comparePayload, listPayload, putPayload, wantPayload } from './table-messages.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'
import type { Parcel } from './hand-overs.ts'

/** A slot that is offered to a node, and the slot here that it is a copy of. */
export interface OfferedSlot {
  readonly head: SlotHead
  readonly source: Slot
}

export interface Offer {
  readonly to: string
  readonly slots: readonly OfferedSlot[]
}

/** Slots listed in one message; a larger part of the ring is split. All messages fit frames of 64 KiB, but for longer values. */
const maxListedSlots = 256
const splitInto = 16n
/** Holders beyond those that should have a slot which keep it all the same. */
const spareHolders = 3
/** Keys whose other tables are seen to at each repair … */
const refilledKeys = 256
/** … from one beginning of all keys to the next. */
const refillEveryMs = 600_000
/** This share of the ring gone since the last beginning brings the next: 3 in 10,000 slots then lost all five holders. */
const refillAfterShare = 0.2
/** Of one put message: of keys and values, around which an entry has 220 bytes more. */
const maxPutEntries = 64
const maxPutBytes = 49_152

export interface RepairParts {
  readonly id: string
  readonly slots: SlotStore
  readonly nodes: StoringNodes
  readonly replicas: number
}

export class Repair {
  readonly #id: string
  readonly #slots: SlotStore
  readonly #nodes: StoringNodes
  readonly #replicas: number
  /** Who fills this node, and which part of the ring. */
  readonly #fillers = new Map<string, Arc>()
  #putMs = -Infinity
  #refill: Iterator<StoredSlot> | undefined
  #refillDueMs = -Infinity
  /** Nodes that are no more since a refill began. */
  #departures = 0
  /** Slots kept as a spare, by name: who has been found to have them, and which write. */
  #settled = new Map<string, { readonly to: string; readonly version: Version }>()

  constructor(options: RepairParts) {
    this.#id = options.id
    this.#slots = options.slots
    this.#nodes = options.nodes
    this.#replicas = options.replicas
  }

  /**
   * For a node that is new on the ring: questions to as few as hold all that it is to hold. Until `endFilling` it
   * compares with nobody else.
   */
  beginFilling(nowMs: number): readonly Parcel[] {
    this.#putMs = nowMs
    this.#fillers.clear()
    const own = this.#nodes.arcOf(this.#id, this.#replicas)
    const [behind] = this.#nodes.behind(this.#id, 1)
    if (own === undefined || behind === undefined) return []
    const theirs = this.#nodes.arcOf(behind.id, this.#replicas)
    const isWhole = theirs === undefined || theirs.from === theirs.to
    const end = isWhole ? own.from : theirs.to
    this.#fillers.set(behind.id, { from: own.from, to: end })
    const [ahead] = this.#nodes.ahead(this.#id, 1)
    if (end !== own.to && ahead) this.#fillers.set(ahead.id, { from: end, to: own.to })
    return [...this.#fillers].map(([id, arc]) => this.#compare(id, arc))
  }

  endFilling(nowMs: number): void {
    this.#putMs = nowMs
    this.#fillers.clear()
  }

  /** When the last slots came; undefined when nobody is awaited, or somebody who is gone. */
  get filledMs(): number | undefined {
    const ids = [...this.#fillers.keys()]
    return ids.length > 0 && ids.every((id) => this.#nodes.has(id)) ? this.#putMs : undefined
  }

  /** When the last slots came, or the filling ended. */
  get putMs(): number {
    return this.#putMs
  }

  notePut(from: string, nowMs: number): void {
    if (this.#fillers.size === 0 || this.#fillers.has(from)) this.#putMs = nowMs
  }

  /** Questions to the holders behind; with `isNew`, to those ahead as well, whose slots are now held here too. */
  comparisons(isNew: boolean): readonly Parcel[] {
    const others = this.#replicas - 1
    const own = this.#nodes.arcOf(this.#id, this.#replicas)
    if (own === undefined) return []
    const parcels = this.#nodes.behind(this.#id, others).map(({ id }) => {
      const theirs = this.#nodes.arcOf(id, this.#replicas)
      const isWhole = theirs === undefined || theirs.from === theirs.to
      return this.#compare(id, { from: own.from, to: isWhole ? own.from : theirs.to })
    })
    // Of a ring in which all hold everything, those behind are all there are.
    if (!isNew || own.from === own.to) return parcels
    const ahead = this.#nodes
      .ahead(this.#id, others)
      .map(({ id, position }) => this.#compare(id, { from: position, to: own.to }))
    return [...parcels, ...ahead]
  }

  /** A node stores no more. */
  noteDeparture(): void {
    this.#departures += 1
  }

  /**
   * Whether it is a reason to repair soon that somebody came or went here: what this node or a neighbour of
   * its holds may change, or so many are gone that it is time for a refill.
   */
  isPressedBy(position: Position | undefined): boolean {
    if (position === undefined) return false
    if (this.#lacksMany()) return true
    const count = this.#replicas + spareHolders
    const from = this.#nodes.behind(this.#id, count).at(-1)
    const to = this.#nodes.ahead(this.#id, count).at(-1)
    if (!from || !to || this.#nodes.size <= 2 * count + 1) return true
    return covers({ from: from.position, to: to.position }, position)
  }

  #lacksMany(): boolean {
    return this.#departures >= Math.max(this.#replicas, this.#nodes.size * refillAfterShare)
  }

  /** Slots for other nodes: those that are not held here any more, and the next keys to refill. */
  offers(monoMs: number): readonly Offer[] {
    const offered = [...this.#surplus(), ...this.#nextRefill(monoMs)]
    return this.#byHolder(offered, (slot) => this.#firstKeepers(slot, 1))
  }

  /** What is not held here any more, except for spares that the first holder has. */
  #surplus(): readonly OfferedSlot[] {
    const own = this.#nodes.arcOf(this.#id, this.#replicas)
    const before = this.#settled
    this.#settled = new Map()
    if (own === undefined || own.from === own.to) return []
    const spare = this.#nodes.arcOf(this.#id, this.#replicas + spareHolders) ?? own
    const offered: OfferedSlot[] = []
    for (const slot of this.#slots.inArc({ from: own.to, to: own.from })) {
      const { name } = slot
      const settled = before.get(name)
      const isKept = covers(spare, slot.position)
      if (isKept && settled !== undefined && this.#isSettled(slot, settled))
        this.#settled.set(name, settled)
      else offered.push({ head: slot, source: slot })
    }
    return offered
  }

  #isSettled(
    slot: StoredSlot,
    { to, version }: { readonly to: string; readonly version: Version },
  ): boolean {
    return compareVersions(slot.version, version) === 0 && this.#firstKeepers(slot, 1).includes(to)
  }

  /** Everything that is stored here, for those that will hold it without this node. */
  farewell(): readonly Offer[] {
    const all: OfferedSlot[] = []
    const whole = { from: 0n, to: 0n }
    for (const slot of this.#slots.inArc(whole)) all.push({ head: slot, source: slot })
    return this.#byHolder(all, (slot) =>
      this.#nodes
        .holdersOf(slot.position, this.#replicas + 1)
        .filter(({ id, isOld }) => id !== this.#id && !isOld)
        .slice(0, this.#replicas)
        .map(({ id }) => id),
    )
  }

  handleCompare(from: string, arc: Arc, theirs: ArcSummary): readonly Parcel[] {
    const filled = this.#fillers.get(from)
    if (this.#fillers.size > 0 && !(filled && isInside(filled, arc))) return []
    const ours = this.#slots.summaryOf(arc)
    if (ours.count === theirs.count && ours.sum === theirs.sum) return []
    // To whom it says what it holds, it is sent the rest.
    if (this.#slots.isFull && ours.count <= theirs.count) return []
    if (ours.count <= maxListedSlots)
      return [{ peer: from, payload: listPayload(arc, [...this.#slots.inArc(arc)]) }]
    return splitArc(arc).map((part) => this.#compare(from, part))
  }

  /** Asks for what is newer there, and sends what is newer here. */
  handleList(from: string, arc: Arc, heads: readonly SlotHead[]): readonly Parcel[] {
    const { wanted, newer, names } = this.#judge(heads)
    for (const slot of this.#slots.inArc(arc)) {
      if (!names.has(slot.name)) newer.push(slot)
    }
    const puts = this.#puts(from, newer)
    const missed = this.#slots.isFull ? wanted.filter((slot) => this.#slots.get(slot)) : wanted
    return missed.length === 0 ? puts : [{ peer: from, payload: wantPayload(0, missed) }, ...puts]
  }

  handleOffer(from: string, request: number, heads: readonly SlotHead[]): readonly Parcel[] {
    const { wanted, newer } = this.#judge(heads)
    return [{ peer: from, payload: wantPayload(request, wanted) }, ...this.#puts(from, newer)]
  }

  /** Sends what is wanted, and lets go of what nobody needs here any more. */
  handleWant(
    from: string,
    wanted: readonly Slot[],
    offered: readonly OfferedSlot[],
  ): readonly Parcel[] {
    const names = new Set(wanted.map(({ name }) => name))
    const sources = new Map(offered.map(({ head, source }) => [head.name, source]))
    for (const { head, source } of offered) {
      const { name, version } = head
      if (name !== source.name) continue
      // What was wanted is on its way, and settled at the next offer.
      if (!names.has(name)) {
        this.#settled.set(name, { to: from, version })
        this.#release(head)
      }
    }
    const entries = wanted.flatMap((slot): StoredSlot[] => {
      const source = this.#slots.get(sources.get(slot.name) ?? slot)
      return source === undefined ? [] : [new StoredSlot(slot, source)]
    })
    return this.#puts(from, entries)
  }

  #release(slot: SlotHead): void {
    const held = this.#slots.get(slot)
    if (held === undefined || compareVersions(held.version, slot.version) !== 0) return
    const keepers = this.#firstKeepers(slot, this.#replicas + spareHolders)
    if (keepers.length >= this.#replicas && !keepers.includes(this.#id)) this.#slots.forget(slot)
  }

  #judge(heads: readonly SlotHead[]): {
    readonly wanted: Slot[]
    readonly newer: StoredSlot[]
    readonly names: ReadonlySet<string>
  } {
    const wanted: Slot[] = []
    const newer: StoredSlot[] = []
    const names = new Set<string>()
    for (const head of heads) {
      names.add(head.name)
      const held = this.#slots.get(head)
      const order = held === undefined ? -1 : compareVersions(held.version, head.version)
      if (order < 0) wanted.push(head)
      else if (order > 0 && held !== undefined) newer.push(held)
    }
    return { wanted, newer, names }
  }

  /** Copies of slots held here for other tables. Those that belong here are taken at once. */
  #nextRefill(monoMs: number): readonly OfferedSlot[] {
    const own = this.#nodes.size > 1 ? this.#nodes.arcOf(this.#id, 1) : undefined
    if (own === undefined) return []
    if (this.#refill === undefined) {
      if (monoMs < this.#refillDueMs && !this.#lacksMany()) return []
      this.#refillDueMs = this.#lacksMany() ? monoMs : monoMs + refillEveryMs
      this.#departures = 0
      this.#refill = [...this.#slots.inArc(own)].values()
    }
    const offered: OfferedSlot[] = []
    for (let count = 0; count < refilledKeys; count += 1) {
      const step = this.#refill.next()
      if (step.done === true) {
        this.#refill = undefined
        break
      }
      const { key, table, version } = step.value
      if (key === undefined) continue
      for (const slot of slotsOf(key)) {
        if (slot.table === table) continue
        if (this.#firstKeepers(slot, 1).includes(this.#id)) this.#slots.put(slot, step.value)
        else offered.push({ head: new SlotHead(slot, version), source: step.value })
      }
    }
    return offered
  }

  #firstKeepers(slot: Slot, count: number): readonly string[] {
    return this.#nodes
      .holdersOf(slot.position, count)
      .filter(({ isOld }) => !isOld)
      .map(({ id }) => id)
  }

  #byHolder(
    offered: readonly OfferedSlot[],
    holdersOf: (slot: Slot) => readonly string[],
  ): readonly Offer[] {
    const byHolder = new Map<string, OfferedSlot[]>()
    for (const one of offered) {
      for (const id of holdersOf(one.head)) {
        if (id === this.#id) continue
        const list = byHolder.get(id) ?? []
        list.push(one)
        byHolder.set(id, list)
      }
    }
    const offers: Offer[] = []
    for (const [to, slots] of byHolder) {
      for (const portion of portionsOf(slots, maxListedSlots)) offers.push({ to, slots: portion })
    }
    return offers
  }

  #compare(peer: string, arc: Arc): Parcel {
    return { peer, payload: comparePayload(arc, this.#slots.summaryOf(arc)) }
  }

  #puts(peer: string, entries: readonly StoredSlot[]): Parcel[] {
    const portions = [...portionsOf(entries, maxPutEntries, maxPutBytes, sizeOf)]
    return portions.map((portion) => ({
      peer,
      payload: putPayload(portion),
      bytes: portion.reduce((sum, entry) => sum + sizeOf(entry), 0),
    }))
  }
}

function sizeOf({ value, key }: StoredSlot): number {
  return (value?.length ?? 0) + (key?.length ?? 0)
}

function lengthOf({ from, to }: Arc): bigint {
  return from === to ? ringSize : clockwiseDistance({ from, to })
}

function isInside(outer: Arc, arc: Arc): boolean {
  return clockwiseDistance({ from: outer.from, to: arc.from }) + lengthOf(arc) <= lengthOf(outer)
}

function splitArc({ from, to }: Arc): readonly Arc[] {
  const length = lengthOf({ from, to })
  const ends = Array.from({ length: Number(splitInto) + 1 }, (_, part) =>
    toPosition(from + (length * BigInt(part)) / splitInto),
  )
  return ends.slice(1).flatMap((end, index) => {
    const start = ends[index] ?? from
    return start === end ? [] : [{ from: start, to: end }]
  })
}
