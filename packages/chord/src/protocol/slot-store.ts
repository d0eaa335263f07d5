/**
 * What this node keeps of the five tables.
 *
 * A slot holds the value as the bytes it came in, and the version of the write. A delete leaves a tombstone, so that a copy which comes
 * back with a node that was away does not raise the dead; tombstones are forgotten after a day.
 *
 * Memory is bounded: at a limit a slot that is new is refused, a slot that is there is kept, because a
 * table that throws out data to take in more would let any peer erase it. Tombstones of the longest
 * standing give way first.
 *
 * Source: spec/chord.md §2, §12.2, §12.10.
 */
import { Slot } from './hash-tables.ts'
import { covers, ringBits } from './ring.ts'
import type { Arc } from './ring.ts'
import { stampOf, sumWith } from './stamp.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'

export interface SlotStoreLimits {
  /** Slots, tombstones among them. Default 500,000: what 100,000 keys need on one node alone. */
  readonly maxSlots: number
  /** Bytes of all values and of the keys that are kept with them. Default 256 MiB. */
  readonly maxValueBytes: number
  /** How long a delete is remembered, seconds. Default a day, longer than any usual absence. */
  readonly tombstoneSeconds: number
}

export const defaultSlotStoreLimits: SlotStoreLimits = {
  maxSlots: 500_000,
  maxValueBytes: 268_435_456,
  tombstoneSeconds: 86_400,
}

/** What a message about one slot has besides value and key: 350 bytes at most, with room to spare. */
export const besidesItemBytes = 1_024

/** From this share of a limit on, a node asks for nothing that it does not hold: it would be sent it in vain, again and again. */
const fullShare = 0.95

/** A slot and which write it holds. */
export class SlotHead extends Slot {
  readonly version: Version

  constructor(slot: Slot, version: Version) {
    super(slot)
    this.version = version
  }
}

/** What is kept of a slot, or sent of it. */
export interface SlotWrite {
  /** msgpack; undefined for a tombstone. What is put is borrowed; what is stored is this node's own. */
  readonly value: Uint8Array | undefined
  readonly version: Version
  /** The key whose slot it is, where that was told: from it the other four slots follow. */
  readonly key?: Uint8Array | undefined
}

export class StoredSlot extends SlotHead implements SlotWrite {
  readonly value: Uint8Array | undefined
  readonly key: Uint8Array | undefined
  #stamp: number | undefined

  constructor(slot: Slot, { value, version, key }: SlotWrite) {
    super(slot, version)
    this.value = value
    this.key = key
  }

  /** Of the slot and its version. Nodes compare sums of stamps, so all make them of the same text. */
  get stamp(): number {
    const { time, writer } = this.version
    this.#stamp ??= stampOf(`${this.name} ${time} ${writer}`)
    return this.#stamp
  }
}

/** What a stretch of the ring holds, in two numbers that differ where the contents do. */
export interface ArcSummary {
  readonly count: number
  /** Sum of the stamps of all slots and their versions, modulo 2^48. */
  readonly sum: number
}

/** Buckets by the first bits of the position, so that an arc is found without looking at every slot. */
const bucketBits = 10
const bucketShift = BigInt(ringBits - bucketBits)

/** Slots of one stretch of the ring, by name. */
interface Bucket {
  readonly slots: Map<string, StoredSlot>
  /** Of their stamps; undefined since the last change. Repair asks for the same sums again and again. */
  sum: number | undefined
}

/** `stale`: what is there is as new or newer. `full`: a limit forbids it. */
export type PutResult = 'stored' | 'stale' | 'full'

export class SlotStore {
  readonly maxFrameBytes: number
  readonly #limits: SlotStoreLimits
  /** By name. */
  readonly #slots = new Map<string, StoredSlot>()
  /** Names of the tombstones, oldest first. */
  readonly #tombstones = new Set<string>()
  /** Those that were needed yet, by number. They are filled when somebody asks for a part of the ring. */
  readonly #buckets: (Bucket | undefined)[] = []
  /** What was stored since, and may have been replaced or removed. */
  #unsorted: StoredSlot[] = []
  /** Slots that changed since they were last taken; undefined when nobody wants to know. */
  #changed: Map<string, Slot> | undefined
  /** Names of slots of which a later write was not taken. */
  readonly #outdated = new Set<string>()
  /** Names of slots that were kept while nobody told this node of writes. */
  #doubted = new Set<string>()
  #valueBytes = 0
  /** Deletes before this time are forgotten, milliseconds. */
  #forgottenBefore = 0
  /** The value and the key copied last: the slots of one write share theirs. */
  #copies: readonly { readonly source: Uint8Array; readonly copy: Uint8Array }[] = []

  /** `maxFrameBytes`: what fits no frame is refused, as nobody could be sent it. */
  constructor(limits: Partial<SlotStoreLimits> = {}, maxFrameBytes: number = Infinity) {
    this.maxFrameBytes = maxFrameBytes
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

  /** Whether hardly any room is left, which is kept for writes. */
  get isFull(): boolean {
    const { maxSlots, maxValueBytes } = this.#limits
    return this.#valueBytes > maxValueBytes * fullShare || this.size > maxSlots * fullShare
  }

  /** What is known of a slot, a tombstone too; undefined when nothing is. */
  get({ name }: Pick<Slot, 'name'>): StoredSlot | undefined {
    return this.#slots.get(name)
  }

  /** Whether a later write may be missing here: it was not taken, or nobody told this node for a while. */
  isUnsure({ name }: Slot): boolean {
    return this.#hasDoubts && (this.#outdated.has(name) || this.#doubted.has(name))
  }

  /** Mostly there are none: then no name is looked up. */
  get #hasDoubts(): boolean {
    return this.#outdated.size > 0 || this.#doubted.size > 0
  }

  #clear(name: string): void {
    if (!this.#hasDoubts) return
    this.#outdated.delete(name)
    this.#doubted.delete(name)
  }

  /** A later write was not taken. */
  miss({ name }: Slot): void {
    if (this.#slots.has(name)) this.#outdated.add(name)
  }

  /** What is kept was not kept up to date until now. */
  doubt(): void {
    this.#doubted = new Set(this.#slots.keys())
  }

  /** Others have said what is newer. */
  trust(): void {
    this.#doubted = new Set()
  }

  /** False where nothing is known. */
  isDeleted(slot: Slot): boolean {
    return this.#tombstones.has(slot.name)
  }

  /** Takes a write when it is newer than what is there. An undefined value deletes. */
  put(slot: Slot, write: SlotWrite): PutResult {
    const { name } = slot
    const before = this.#slots.get(name)
    const { version } = write
    if (before !== undefined && compareVersions(version, before.version) <= 0) return 'stale'
    // Or holders that forget at different times would give it back to each other for ever.
    if (!before && write.value === undefined && version.time < this.#forgottenBefore) return 'stale'
    const value = this.#owned(write.value)
    const stored = new StoredSlot(slot, {
      value,
      version,
      key: this.#owned(write.key ?? before?.key),
    })
    const size = sizeOf(stored)
    const added = size - sizeOf(before)
    const isOver = added > 0 && this.#valueBytes + added > this.#limits.maxValueBytes
    if (isOver || size + besidesItemBytes > this.maxFrameBytes) {
      this.miss(slot)
      return 'full'
    }
    if (before === undefined && !this.#makeRoom()) return 'full'
    this.#valueBytes += added
    if (before !== undefined) {
      // Taken out first, so that both collections stay in the order of the writes.
      this.#slots.delete(name)
      this.#tombstones.delete(name)
      this.#clear(name)
    }
    this.#set(stored)
    if (value === undefined) this.#tombstones.add(name)
    this.#changed?.set(name, slot)
    return 'stored'
  }

  /** Says whose slot it is, where that was not known. */
  nameKey(slot: Slot, key: Uint8Array): void {
    const { name } = slot
    const held = this.#slots.get(name)
    if (held === undefined || held.key !== undefined) return
    this.#valueBytes += key.length
    this.#set(new StoredSlot(held, { ...held, key: key.slice() }))
    this.#changed?.set(name, slot)
  }

  #set(stored: StoredSlot): void {
    this.#slots.set(stored.name, stored)
    this.#unsorted.push(stored)
    // Of slots that are written again and again.
    if (this.#unsorted.length > this.#slots.size) this.#sort()
  }

  #sort(): void {
    for (const slot of this.#unsorted) {
      if (this.#slots.get(slot.name) === slot) this.#bucketOf(slot).slots.set(slot.name, slot)
    }
    this.#unsorted = []
  }

  /** Drops a slot without a trace: somebody else keeps it now. */
  forget(slot: Slot): void {
    const { name } = slot
    this.#valueBytes -= sizeOf(this.#slots.get(name))
    this.#slots.delete(name)
    this.#tombstones.delete(name)
    this.#clear(name)
    this.#bucketOf(slot).slots.delete(name)
    this.#changed?.set(name, slot)
  }

  /** The bytes in a buffer of their own when that is much larger: a small value must not keep a whole message. */
  #owned(bytes: Uint8Array | undefined): Uint8Array | undefined {
    if (bytes === undefined || bytes.length * 2 >= bytes.buffer.byteLength) return bytes
    const known = this.#copies.find(({ source }) => source === bytes)
    if (known !== undefined) return known.copy
    const copy = bytes.slice()
    this.#copies = [...this.#copies.slice(-1), { source: bytes, copy }]
    return copy
  }

  /** From now on, changes are noted for `takeChanged`. */
  watchChanges(): void {
    this.#changed ??= new Map()
  }

  /** The slots that changed since the last call; `get` tells what they hold now. */
  takeChanged(): readonly Slot[] {
    if (this.#changed === undefined || this.#changed.size === 0) return []
    const changed = [...this.#changed.values()]
    this.#changed.clear()
    return changed
  }

  /**
   * Every slot of an arc, tombstones too: what a node at its beginning owns when the next node ahead stands
   * at its end, and what it is handed when that one learns of it.
   */
  *inArc(arc: Arc): Generator<StoredSlot> {
    for (const { bucket, isWhole } of this.#bucketsIn(arc)) {
      for (const slot of bucket.slots.values())
        if (isWhole || covers(arc, slot.position)) yield slot
    }
  }

  summaryOf(arc: Arc): ArcSummary {
    let count = 0
    let sum = 0
    for (const { bucket, isWhole } of this.#bucketsIn(arc)) {
      if (isWhole) {
        count += bucket.slots.size
        sum = sumWith(sum, (bucket.sum ??= sumOf(bucket.slots.values())))
        continue
      }
      for (const slot of bucket.slots.values()) {
        if (!covers(arc, slot.position)) continue
        count += 1
        sum = sumWith(sum, slot.stamp)
      }
    }
    return { count, sum }
  }

  /** `isWhole`: the arc has all of the bucket, and not a part of it. */
  *#bucketsIn(arc: Arc): Generator<{ readonly bucket: Bucket; readonly isWhole: boolean }> {
    this.#sort()
    const first = Number(arc.from >> bucketShift)
    const last = Number(arc.to >> bucketShift)
    const all = 2 ** bucketBits
    // An arc that ends in its first bucket is either inside of it or goes once around.
    const isAround = first === last && arc.from >= arc.to
    const steps = isAround ? all - 1 : (last - first + all) % all
    for (let step = 0; step <= steps; step += 1) {
      const index = (first + step) % all
      const bucket = this.#buckets[index]
      if (bucket !== undefined) yield { bucket, isWhole: index !== first && index !== last }
    }
  }

  /** The bucket of a slot that changes. */
  #bucketOf({ position }: Slot): Bucket {
    const bucket = (this.#buckets[Number(position >> bucketShift)] ??= {
      slots: new Map<string, StoredSlot>(),
      sum: undefined,
    })
    bucket.sum = undefined
    return bucket
  }

  /** Every slot with a value, oldest write first. */
  *values(): Generator<StoredSlot & { readonly value: Uint8Array }> {
    for (const slot of this.#slots.values()) if (hasValue(slot)) yield slot
  }

  /** Forgets deletes that are old enough. */
  sweep(utcSeconds: number): void {
    this.#forgottenBefore = (utcSeconds - this.#limits.tombstoneSeconds) * 1_000
    for (const name of this.#tombstones) {
      const slot = this.#slots.get(name)
      if (slot && slot.version.time < this.#forgottenBefore) this.forget(slot)
    }
  }

  #makeRoom(): boolean {
    if (this.#slots.size < this.#limits.maxSlots) return true
    const [oldest = ''] = this.#tombstones
    const slot = this.#slots.get(oldest)
    if (slot === undefined) return false
    this.forget(slot)
    return true
  }
}

function sumOf(slots: Iterable<StoredSlot>): number {
  let sum = 0
  for (const { stamp } of slots) sum = sumWith(sum, stamp)
  return sum
}

function hasValue(slot: StoredSlot): slot is StoredSlot & { readonly value: Uint8Array } {
  return slot.value !== undefined
}

function sizeOf(slot: StoredSlot | undefined): number {
  return (slot?.value?.length ?? 0) + (slot?.key?.length ?? 0)
}
