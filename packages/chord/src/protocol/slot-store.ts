/**
 * What this node keeps of the five tables.
 *
 * A slot is named by its table and the base58 text of its full integer. It holds the value as the bytes
 * it came in, and the version of the write. A delete leaves a tombstone, so that a copy which comes
 * back with a node that was away does not raise the dead; tombstones are forgotten after a day.
 *
 * Memory is bounded: at a limit a slot that is new is refused, a slot that is there is kept, because a
 * table that throws out data to take in more would let any peer erase it. Tombstones of the longest
 * standing give way first.
 *
 * Source: spec/chord.md §2, §12.2, §12.10.
 */
import type { HashTable, Slot } from './hash-tables.ts'
import { clockwiseDistance } from './ring.ts'
import type { Position } from './ring.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'

export interface SlotStoreLimits {
  /** Slots, tombstones among them. Default 500,000: what 100,000 keys need on one node alone. */
  readonly maxSlots: number
  /** Bytes of all values. Default 256 MiB. */
  readonly maxValueBytes: number
  /** How long a delete is remembered, seconds. Default a day, longer than any usual absence. */
  readonly tombstoneSeconds: number
}

export const defaultSlotStoreLimits: SlotStoreLimits = {
  maxSlots: 500_000,
  maxValueBytes: 268_435_456,
  tombstoneSeconds: 86_400,
}

export interface StoredSlot extends Slot {
  /** msgpack; undefined for a tombstone. Borrowed from the message it came in. */
  readonly value: Uint8Array | undefined
  readonly version: Version
}

/** `stale`: what is there is as new or newer. `full`: a limit forbids it. */
export type PutResult = 'stored' | 'stale' | 'full'

export class SlotStore {
  readonly #limits: SlotStoreLimits
  /** By table and slot text, joined. */
  readonly #slots = new Map<string, StoredSlot>()
  /** Names of the tombstones, oldest first. */
  readonly #tombstones = new Set<string>()
  #valueBytes = 0

  constructor(limits: Partial<SlotStoreLimits> = {}) {
    this.#limits = { ...defaultSlotStoreLimits, ...limits }
  }

  /** Slots that hold a value. */
  get size(): number {
    return this.#slots.size - this.#tombstones.size
  }

  get tombstoneCount(): number {
    return this.#tombstones.size
  }

  get valueBytes(): number {
    return this.#valueBytes
  }

  /** What is known of a slot, a tombstone too; undefined when nothing is. */
  get(slot: Slot): StoredSlot | undefined {
    return this.#slots.get(nameOf(slot.table, slot.slotText))
  }

  /** Takes a write when it is newer than what is there. An undefined value deletes. */
  put(slot: Slot, write: Pick<StoredSlot, 'value' | 'version'>): PutResult {
    const name = nameOf(slot.table, slot.slotText)
    const before = this.#slots.get(name)
    if (before !== undefined && compareVersions(write.version, before.version) <= 0) return 'stale'
    const added = (write.value?.length ?? 0) - (before?.value?.length ?? 0)
    if (added > 0 && this.#valueBytes + added > this.#limits.maxValueBytes) return 'full'
    if (before === undefined && !this.#makeRoom()) return 'full'
    this.#valueBytes += added
    // Taken out first, so that both collections stay in the order of the writes.
    this.#slots.delete(name)
    this.#tombstones.delete(name)
    const { table, slotText, position } = slot
    this.#slots.set(name, { table, slotText, position, value: write.value, version: write.version })
    if (write.value === undefined) this.#tombstones.add(name)
    return 'stored'
  }

  /** Drops a slot without a trace: somebody else keeps it now. */
  forget(slot: Slot): void {
    const name = nameOf(slot.table, slot.slotText)
    this.#valueBytes -= this.#slots.get(name)?.value?.length ?? 0
    this.#slots.delete(name)
    this.#tombstones.delete(name)
  }

  /** Every slot with a value, oldest write first. */
  *values(): Generator<StoredSlot & { readonly value: Uint8Array }> {
    for (const slot of this.#slots.values()) {
      const { value } = slot
      if (value !== undefined) yield { ...slot, value }
    }
  }

  /**
   * The slots of the arc that begins at `from` and ends before `to`: what a node at `from` owns when
   * the next node ahead stands at `to`, and what it is handed when the node at `to` learns of it.
   * Nothing when both are one place.
   */
  *valuesBetween(arc: Arc): Generator<StoredSlot & { readonly value: Uint8Array }> {
    for (const slot of this.values()) if (isInArc(slot.position, arc)) yield slot
  }

  /** Forgets deletes that are old enough; returns how many. */
  sweep(utcSeconds: number): number {
    const before = (utcSeconds - this.#limits.tombstoneSeconds) * 1_000
    let swept = 0
    for (const name of this.#tombstones) {
      if ((this.#slots.get(name)?.version.time ?? 0) >= before) continue
      this.#slots.delete(name)
      this.#tombstones.delete(name)
      swept += 1
    }
    return swept
  }

  #makeRoom(): boolean {
    if (this.#slots.size < this.#limits.maxSlots) return true
    const [oldest] = this.#tombstones
    if (oldest === undefined) return false
    this.#slots.delete(oldest)
    this.#tombstones.delete(oldest)
    return true
  }
}

export interface Arc {
  readonly from: Position
  readonly to: Position
}

/**
 * Whether a position is nearer ahead of `from` than of `to`. This is the originals' test for what to
 * hand over, and what their `dump_data(start, end)` selects.
 */
export function isInArc(position: Position, { from, to }: Arc): boolean {
  return clockwiseDistance({ from, to: position }) < clockwiseDistance({ from: to, to: position })
}

/** No table name holds a space. */
function nameOf(table: HashTable, slotText: string): string {
  return `${table} ${slotText}`
}
