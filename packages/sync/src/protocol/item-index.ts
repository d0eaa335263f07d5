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
import { encodeValue, sha256 } from '@p2p/serializer'
import { byteTextToBytes } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import type { WriteRecord } from './records.ts'
import type { Replica } from './replica.ts'
import type { KeyState } from './replay.ts'

/** An item id: four unsigned 32-bit words, most significant first. */
export type ItemId = readonly [number, number, number, number]

export interface Item {
  readonly id: ItemId
  readonly record: WriteRecord
}

/** Items in the order of their ids. */
export type Snapshot = readonly Item[]

export class ItemIndex {
  readonly #replica: Replica
  readonly #itemsByKey = new Map<ByteText, readonly Item[]>()
  #sorted: Snapshot = []
  readonly #visibleByKey = new Map<ByteText, Uint32Array>()
  readonly #visibleSum = new Uint32Array(digestWords)

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** All items as they are now. The array is never changed afterwards. */
  snapshot(): Snapshot {
    const touched = this.#replica.takeTouched()
    if (touched.size === 0) return this.#sorted
    const gone = new Set<Item>()
    const added: Item[] = []
    for (const key of touched) {
      for (const item of this.#itemsByKey.get(key) ?? []) gone.add(item)
      const items = itemsOf(this.#replica, key)
      if (items.length === 0) this.#itemsByKey.delete(key)
      else this.#itemsByKey.set(key, items)
      added.push(...items)
      this.#addVisible(key)
    }
    added.sort(compareItems)
    const kept = gone.size === 0 ? this.#sorted : this.#sorted.filter((item) => !gone.has(item))
    this.#sorted = mergeSorted(kept, added)
    return this.#sorted
  }

  /**
   * A hash of what the dictionary holds, 32 bytes: the same on two nodes exactly when all their keys,
   * values, holders and times are. The order in which keys were written does not matter.
   */
  digest(): Uint8Array {
    this.snapshot()
    const sum = new DataView(new ArrayBuffer(4 * digestWords))
    this.#visibleSum.forEach((word, at) => sum.setUint32(4 * at, word))
    return sha256(encodeValue([this.#replica.size, new Uint8Array(sum.buffer)]))
  }

  #addVisible(key: ByteText): void {
    const before = this.#visibleByKey.get(key)
    const after = visibleWords(key, this.#replica.state(key))
    if (after === undefined) this.#visibleByKey.delete(key)
    else this.#visibleByKey.set(key, after)
    for (let at = 0; at < digestWords; at++) {
      const sum = (this.#visibleSum[at] ?? 0) - (before?.[at] ?? 0) + (after?.[at] ?? 0)
      this.#visibleSum[at] = sum
    }
  }
}

const digestWords = 8

/** SHA-256 over an entry as everybody sees it: key, value, holder and time. */
function visibleWords(key: ByteText, { holder, value }: KeyState): Uint32Array | undefined {
  if (holder === undefined || value === undefined) return undefined
  const { owner, time } = holder
  const hash = sha256(encodeValue([byteTextToBytes(key), value, byteTextToBytes(owner), time]))
  const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
  return Uint32Array.from({ length: digestWords }, (_, at) => view.getUint32(4 * at))
}

function itemsOf(replica: Replica, key: ByteText): readonly Item[] {
  const log = replica.log(key)
  if (log === undefined) return []
  return log.writes.map((write, at) => {
    const record = { key, isBase: at === 0 && log.folded, write }
    return { id: itemId(record), record }
  })
}

/** Whether older writes are folded into it does not count: nodes fold at slightly different times. */
export function itemId({ key, write }: WriteRecord): ItemId {
  const { kind, owner, time, sequence, value } = write
  const parts = [byteTextToBytes(key), kind, byteTextToBytes(owner), time, sequence, value]
  const digest = sha256(encodeValue(parts))
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}

export function compareItems(a: Item, b: Item): number {
  return compareIds(a.id, b.id)
}

export function compareIds(a: ItemId, b: ItemId): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]
}

function mergeSorted(a: Snapshot, b: Snapshot): Snapshot {
  if (b.length === 0) return a
  const merged: Item[] = []
  let i = 0
  for (const next of b) {
    for (let item = a[i]; item !== undefined && compareItems(item, next) < 0; item = a[++i]) {
      merged.push(item)
    }
    merged.push(next)
  }
  for (; i < a.length; i++) {
    const item = a[i]
    if (item !== undefined) merged.push(item)
  }
  return merged
}
