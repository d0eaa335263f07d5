/**
 * The writes of a replica as a sorted set of items, for comparing two replicas.
 *
 * An item stands for one known write; its id is the first 16 bytes of SHA-256 over key, stamp, kind and
 * value. Sorted by id the items spread evenly, so the ranges of a comparison are simply the ids that
 * begin with the same hexadecimal digits, and nobody has to send where a range ends.
 *
 * The index is brought up to date when a comparison begins, not at every write: writing stays cheap,
 * and a comparison works on a snapshot that does not change under it.
 */
import { sha256 } from '@p2p/serializer'
import { writeByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import type { WriteLog } from './fold.ts'
import type { WriteRecord } from './records.ts'
import type { KeyState } from './replay.ts'
import type { Replica } from './replica.ts'
import type { Write } from './write.ts'

/** An item id: four unsigned 32-bit words, most significant first. */
export type ItemId = readonly [number, number, number, number]

export interface Item {
  readonly id: ItemId
  readonly record: WriteRecord
}

/** Items in the order of their ids. */
export type Snapshot = readonly Item[]

interface IndexedKey {
  readonly items: readonly Item[]
  /** Id of what the key shows as if it had been set at once; undefined when it has no value. */
  readonly visible: ItemId | undefined
}

const idWords = 4

/** What a comparison needs of this side. */
export interface Comparable {
  /** Keys of which anything is known. */
  readonly keyCount: number
  /** All items as they are now. The array is never changed afterwards. */
  snapshot(): Snapshot
  /** Everything that is known, without the work of putting it in order. */
  records(): Iterator<WriteRecord, undefined>
}

export class ItemIndex implements Comparable {
  readonly #replica: Replica
  readonly #keys = new Map<ByteText, IndexedKey>()
  readonly #visibleSum = new Uint32Array(idWords)
  #sorted: Snapshot = []

  constructor(replica: Replica) {
    this.#replica = replica
  }

  get keyCount(): number {
    return this.#replica.knownCount
  }

  *records(): Generator<WriteRecord, undefined> {
    for (const key of this.#replica.knownKeys()) {
      const log = this.#replica.log(key)
      if (log !== undefined) yield* recordsOf(key, log)
    }
    return undefined
  }

  snapshot(): Snapshot {
    const touched = this.#replica.takeTouched()
    if (touched.size === 0) return this.#sorted
    const gone = new Set<Item>()
    const added: Item[] = []
    for (const key of touched) {
      const before = this.#keys.get(key)
      const after = indexKey(this.#replica, key)
      for (const item of before?.items ?? []) gone.add(item)
      if (after === undefined) this.#keys.delete(key)
      else this.#keys.set(key, after)
      added.push(...(after?.items ?? []))
      this.#addVisible(before?.visible, -1)
      this.#addVisible(after?.visible, 1)
    }
    const kept = gone.size === 0 ? this.#sorted : this.#sorted.filter((item) => !gone.has(item))
    // What is in order already costs the engine one look at each item.
    this.#sorted = kept.concat(added).sort(compareItems)
    return this.#sorted
  }

  /**
   * A hash of what the dictionary holds, 32 bytes: the same on two nodes exactly when all their keys,
   * values, holders and times are. The order in which keys were written does not matter.
   */
  digest(): Uint8Array {
    this.snapshot()
    const sum = new DataView(new ArrayBuffer(4 * (idWords + 1)))
    this.#visibleSum.forEach((word, at) => sum.setUint32(4 * at, word))
    sum.setUint32(4 * idWords, this.#replica.size)
    return sha256(new Uint8Array(sum.buffer))
  }

  #addVisible(id: ItemId | undefined, sign: 1 | -1): void {
    for (let at = 0; at < idWords; at++) {
      this.#visibleSum[at] = (this.#visibleSum[at] ?? 0) + sign * (id?.[at] ?? 0)
    }
  }
}

function indexKey(replica: Replica, key: ByteText): IndexedKey | undefined {
  const log = replica.log(key)
  if (log === undefined) return undefined
  const items = recordsOf(key, log).map((record) => ({ id: itemId(key, record.write), record }))
  return { items, visible: visibleId(key, replica.state(key), items) }
}

/** What others are told, and the store, of a key. */
export function recordsOf(key: ByteText, { writes, folded }: WriteLog): readonly WriteRecord[] {
  return writes.map((write, at) => ({ key, isBase: at === 0 && folded, write }))
}

function visibleId(
  key: ByteText,
  { holder, value }: KeyState,
  items: readonly Item[],
): ItemId | undefined {
  if (holder === undefined || value === undefined) return undefined
  // Nearly every value is one write, whose id is there already.
  const item = items.find(({ record }) => record.write === holder)
  if (item !== undefined && holder.kind === 'set') return item.id
  return itemId(key, { ...holder, kind: 'set', value })
}

const kindCodes = { set: 0, delete: 1, delta: 2 } as const
const fixedBytes = 4 + 4 + 1 + 8 + 4
const seenBytes = 4 + 8 + 4
let scratch = new Uint8Array(1_024)

/**
 * Hash of a write with its key. Whether older writes are folded into it does not count: nodes fold at
 * slightly different times. What its author knew does, since it decides what a delete ends: two copies
 * that differ in it have to meet (`joinCopies`). Of a value that was folded together it tells nothing more.
 *
 *   u32 key length | key | u32 owner length | owner | u8 kind | f64 time | u32 sequence | value
 *   and for each write that was known: u32 owner length | owner | f64 time | u32 sequence
 */
export function itemId(key: ByteText, write: Write): ItemId {
  const { kind, owner, time, sequence, value } = write
  const knew = write.holds === undefined ? (write.knew ?? []) : []
  let length = fixedBytes + key.length + owner.length + value.length
  for (const seen of knew) length += seenBytes + seen.owner.length
  if (length > scratch.length) scratch = new Uint8Array(2 * length)
  const view = new DataView(scratch.buffer)
  view.setUint32(0, key.length)
  let at = writeByteText(key, scratch, 4)
  view.setUint32(at, owner.length)
  at = writeByteText(owner, scratch, at + 4)
  view.setUint8(at, kindCodes[kind])
  view.setFloat64(at + 1, time)
  view.setUint32(at + 9, sequence)
  scratch.set(value, at + 13)
  at += 13 + value.length
  for (const seen of knew) {
    view.setUint32(at, seen.owner.length)
    at = writeByteText(seen.owner, scratch, at + 4)
    view.setFloat64(at, seen.time)
    view.setUint32(at + 8, seen.sequence)
    at += 12
  }
  const digest = sha256(scratch.subarray(0, length))
  const words = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  return [words.getUint32(0), words.getUint32(4), words.getUint32(8), words.getUint32(12)]
}

export function compareItems(a: Item, b: Item): number {
  return compareIds(a.id, b.id)
}

export function compareIds(a: ItemId, b: ItemId): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]
}
