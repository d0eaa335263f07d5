/**
 * Slots that old nodes own. An old node keeps them once and tells nobody what it holds; when it dies, they
 * are gone. So they are kept by nodes of ours too, and the first one behind the old owner *tends* them:
 *
 *   give    a new owner is sent what is held here and it may lack
 *   look    each slot is asked for now and then: an old node may have written there something newer, or
 *           something of which nothing is held here. Keys just announced are looked for at once.
 *   remove  a key that was taken from the list is dropped here once its owner has it no more; otherwise the
 *           copy would be given back to the owner
 *
 * What is found is copied to the other holders like any write.
 *
 * Source: spec/chord.md §4.2, §12.1, §12.2, §12.7.
 */
import type { Now } from '@p2p/base'
import { decodeValue } from '@p2p/serializer'
import type { Parcel } from './hand-overs.ts'
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import type { KeyList } from './key-list.ts'
import { storePayload } from './messages.ts'
import { covers, nodePosition } from './ring.ts'
import type { Arc } from './ring.ts'
import type { SlotStore, StoredSlot } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'

/** What tending needs of what is around it. */
export interface TendingLine {
  readonly id: string
  readonly slots: SlotStore
  readonly nodes: StoringNodes
  readonly keys: KeyList
  /** False for a node that stores nothing, and for a plain one. */
  tends(): boolean
  /** The node that owns the slot; undefined when this node does, or nobody is known to store. */
  ownerOf(slot: Slot): string | undefined
  /** `handleAnswer` is called with what the node has. */
  ask(slot: Slot, to: string, now: Now): void
  storeAt(slot: Slot, value: Uint8Array | undefined, to: string, now: Now): void
  /**
   * Takes a write of an old node, here and at the other holders; undefined deletes. `key`: whose slot it is,
   * where that is known.
   */
  keep(slot: Slot, value: Uint8Array | undefined, now: Now, key?: Uint8Array): void
}

const tendEveryMs = 30_000
const tendSoonMs = 100
/** Slots and keys looked after at a time. */
const tendedAtOnce = 256
const tendPauseMs = 250
/** A write this young may still be under way to its old owner, so what is there may be older. */
const settledMs = 10_000
/** When to look for a key after it was announced, or taken from the list. */
const looksMs = [300, 1_500, 6_000, 15_000]
/** Slots that are looked for, and how long their keys may be; others are found by the walk over all keys. */
const maxNews = 4_096
const maxNewsKeyBytes = 4_096
/** Behind an owner's id: it was sent a delete; it said once that it has nothing. */
const deletedMark = ' deleted'
const emptyMark = ' empty'

/** A key that was announced or removed a moment ago. */
interface News {
  readonly key: Uint8Array
  readonly isRemoved: boolean
  readonly heardMs: number
  looks: number
}

export class Tending {
  readonly #line: TendingLine
  /** Which old owner was given a slot, by slot. */
  readonly #given = new Map<string, string>()
  /** By slot. All slots of one key share one. */
  readonly #news = new Map<string, News>()
  /** Slots asked for of which nothing is held here, with their keys. */
  readonly #missing = new Map<string, Uint8Array>()
  #walk: Iterator<StoredSlot | Uint8Array> | undefined
  #walkDueMs = Infinity

  constructor(line: TendingLine) {
    this.#line = line
  }

  nextDeadline(): number {
    let next = this.#walkDueMs
    for (const news of this.#news.values()) next = Math.min(next, lookDueMs(news))
    return next
  }

  handleDeadline(now: Now): void {
    const { monoMs } = now
    for (const news of this.#news.values())
      if (lookDueMs(news) <= monoMs) this.#lookForNews(news, now)
    if (this.#walkDueMs <= monoMs) this.#goOn(now)
  }

  /** The ring has changed: slots may have a new old owner. */
  tendSoon(now: Now): void {
    this.#walk = undefined
    this.#walkDueMs = Math.min(this.#walkDueMs, now.monoMs + tendSoonMs)
  }

  /** A key is announced that was not in the list. */
  noteKey(key: Uint8Array, now: Now): void {
    this.#note(key, false, now)
  }

  noteRemoval(key: Uint8Array, now: Now): void {
    this.#note(key, true, now)
  }

  #note(key: Uint8Array, isRemoved: boolean, now: Now): void {
    const arc = this.#arc()
    if (arc === undefined || this.#news.size >= maxNews || key.length > maxNewsKeyBytes) return
    const tended = slotsOf(key).filter(({ position }) => covers(arc, position))
    if (tended.length === 0) return
    const news = { key: key.slice(), isRemoved, heardMs: now.monoMs, looks: 0 }
    for (const slot of tended) this.#news.set(slot.name, news)
  }

  #lookForNews(news: News, now: Now): void {
    news.looks += 1
    const isLast = news.looks >= looksMs.length
    const sought = slotsOf(news.key).filter((slot) => this.#lookForSlot(slot, news, now))
    if (!isLast && sought.length > 0) return
    for (const slot of slotsOf(news.key)) {
      if (this.#news.get(slot.name) === news) this.#news.delete(slot.name)
    }
  }

  /** False when nothing is left to be found out about the slot. */
  #lookForSlot(slot: Slot, { key, isRemoved }: News, now: Now): boolean {
    const arc = this.#arc()
    const owner = this.#line.ownerOf(slot)
    if (arc === undefined || owner === undefined || !covers(arc, slot.position)) return false
    const hasValue = this.#line.slots.get(slot)?.value !== undefined
    if (hasValue !== isRemoved) return false
    this.#ask(slot, key, owner, now)
    return true
  }

  #ask(slot: Slot, key: Uint8Array, owner: string, now: Now): void {
    const name = slot.name
    if (this.#missing.size < maxNews) this.#missing.set(name, key)
    this.#line.ask(slot, owner, now)
  }

  #goOn(now: Now): void {
    const arc = this.#arc()
    if (arc === undefined) {
      this.#given.clear()
      this.#missing.clear()
      this.#walkDueMs = Infinity
      return
    }
    this.#walk ??= this.#everything(arc)
    for (let count = 0; count < tendedAtOnce; count += 1) {
      const step = this.#walk.next()
      if (step.done === true) {
        this.#walk = undefined
        this.#missing.clear()
        for (const name of this.#given.keys())
          if (!this.#line.slots.get({ name })) this.#given.delete(name)
        this.#walkDueMs = now.monoMs + tendEveryMs
        return
      }
      if (step.value instanceof Uint8Array) this.#tendKey(step.value, arc, now)
      else this.#tendSlot(step.value, now)
    }
    this.#walkDueMs = now.monoMs + tendPauseMs
  }

  /** First what is held, then all keys, of which some slots may not be. */
  *#everything(arc: Arc): Generator<StoredSlot | Uint8Array> {
    yield* [...this.#line.slots.inArc(arc)]
    yield* this.#line.keys.values()
  }

  #tendKey(key: Uint8Array, arc: Arc, now: Now): void {
    for (const slot of slotsOf(key)) {
      if (!covers(arc, slot.position) || this.#line.slots.get(slot) !== undefined) continue
      const owner = this.#line.ownerOf(slot)
      if (owner !== undefined) this.#ask(slot, key, owner, now)
    }
  }

  #tendSlot(slot: StoredSlot, now: Now): void {
    const owner = this.#line.ownerOf(slot)
    if (owner === undefined) return
    const name = slot.name
    const isGiven = this.#given.get(name)?.startsWith(owner) === true
    if (isGiven || slot.value === undefined) this.#line.ask(slot, owner, now)
    else {
      this.#given.set(name, owner)
      this.#line.storeAt(slot, slot.value, owner, now)
    }
  }

  /** What an old owner has; undefined when it has nothing. */
  handleAnswer(slot: Slot, value: Uint8Array | undefined, owner: string, now: Now): void {
    const { slots, keep, storeAt } = this.#line
    const name = slot.name
    const held = slots.get(slot)
    const news = this.#news.get(name)
    const key = this.#missing.get(name)
    this.#missing.delete(name)
    if (held === undefined) {
      if (value === undefined || news?.isRemoved === true) return
      this.#given.set(name, owner)
      keep(slot, value, now, key)
      return
    }
    if (value === undefined && news?.isRemoved === true) {
      if (held.value !== undefined) keep(slot, undefined, now)
      return
    }
    if (held.version.time > now.utcSeconds * 1_000 - settledMs) return
    if (value === undefined) {
      if (held.value !== undefined) this.#giveBack(slot, held.value, owner, now)
      return
    }
    const isSetAnew = news?.isRemoved === false
    const isTold = this.#given.get(name) === owner + deletedMark
    if (held.value === undefined && !isSetAnew && !isTold) {
      this.#given.set(name, owner + deletedMark)
      storeAt(slot, undefined, owner, now)
    } else keep(slot, value, now)
  }

  /** At the second time only: of a delete, the nil may be here before the notice. */
  #giveBack(slot: Slot, value: Uint8Array, owner: string, now: Now): void {
    const name = slot.name
    const isSure = this.#given.get(name) === owner + emptyMark
    this.#given.set(name, isSure ? owner : owner + emptyMark)
    if (isSure) this.#line.storeAt(slot, value, owner, now)
  }

  /** Slots that a newcomer of the old kind owns from now on; the first keeper behind it sends them. */
  parcelsForNewcomer(peer: string): readonly Parcel[] {
    const { id, nodes, slots } = this.#line
    const [from, to] = [nodePosition(peer), nodes.get(id)?.position]
    if (from === undefined || to === undefined) return []
    return this.#storesFor(
      [...slots.inArc({ from, to })].filter(
        ({ position }) => nodes.holdersOf(position, 1).at(-1)?.id === id,
      ),
    )
  }

  /** Everything, when no node of ours is left to keep it: for the old owners. */
  parcelsForOwners(): readonly Parcel[] {
    const { nodes, slots } = this.#line
    return nodes.keeperCount > 0 ? [] : this.#storesFor([...slots.values()])
  }

  #storesFor(slots: readonly StoredSlot[]): readonly Parcel[] {
    return slots.flatMap((slot) => {
      const owner = this.#line.ownerOf(slot)
      if (owner === undefined || slot.value === undefined) return []
      this.#given.set(slot.name, owner)
      const payload = storePayload(slot, decodeValue(slot.value))
      return [{ peer: owner, payload, bytes: slot.value.length }]
    })
  }

  /** What this node tends; undefined when no old node follows it on the ring. */
  #arc(): Arc | undefined {
    return this.#line.tends() ? this.#line.nodes.tendedArcOf(this.#line.id) : undefined
  }
}

function lookDueMs({ heardMs, looks }: News): number {
  return heardMs + (looksMs[looks] ?? Infinity)
}
