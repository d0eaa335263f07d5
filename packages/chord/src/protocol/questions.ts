/**
 * What the reads and the writes of this node have in common: what they need of the machine, and how questions are put.
 * One to a node of ours carries all that is asked of it for one key; an old node is asked slot by slot.
 */
import type { Now, Peer } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import type { ChordEffect } from './chord-contract.ts'
import { hashTables } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import type { Waiter } from './open-questions.ts'
import type { SlotStore } from './slot-store.ts'
import type { TableRequest } from './table-requests.ts'
import type { VersionClock } from './version.ts'

/** What the requests need of the machine around them. */
export interface RequestLine {
  readonly id: string
  readonly slots: SlotStore
  readonly clock: VersionClock
  /** Ids, the owner first; without those that could not be reached lately. */
  holdersOf(slot: Slot): readonly string[]
  /** Those that are left out of these. */
  passedOver(slot: Slot): readonly string[]
  /** The neighbours: one is asked where nobody is known to store. */
  readonly peers: ReadonlyMap<string, Peer>
  /** Where this node can dial another; undefined for one it has no transport for, as a browser has for most. */
  addressOf(id: string): string | undefined
  /** A program of protocol 0.7, which is asked in its own words. */
  isOld(id: string): boolean
  /** Whether old programs store: what they send may come after a question about it. */
  hasOld(): boolean
  askOld(slot: Slot, to: string, waiter: Waiter, now: Now): void
  storeAtOld(slot: Slot, value: Uint8Array | undefined, to: string, now: Now): void
  /** Asks a node of ours; the reads or the writes are told when no answer comes. */
  ask(to: string, about: TableRequest, build: (request: number) => readonly Value[], now: Now): void
  send(to: string, payload: readonly Value[], now: Now): void
  emit(effect: ChordEffect): void
}

/** Holders to be asked for a slot. */
export interface Question {
  readonly slot: Slot
  readonly holders: readonly string[]
}

export type SlotsByHolder = ReadonlyMap<string, readonly Slot[]>

export function tablesOf(slots: readonly Slot[]): readonly number[] {
  return slots.map(({ table }) => hashTables.indexOf(table))
}

export function byHolder(questions: readonly Question[]): SlotsByHolder {
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
