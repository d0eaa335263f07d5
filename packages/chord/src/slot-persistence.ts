/**
 * Keeps the slots of a node in a store: one record for each slot, with its version and its key.
 *
 * When what is written: see WriteBehind of @p2p/base. A node that comes back stands at another place of
 * the ring, and what it kept is offered to those that hold it now, older versions losing.
 */
import { P2pError, WriteBehind } from '@p2p/base'
import type { Store, StoreChange } from '@p2p/base'
import { decodeValue, encodeValue } from '@p2p/serializer'
import { hashTableNamed, slotNamed } from './protocol/hash-tables.ts'
import type { Slot } from './protocol/hash-tables.ts'
import type { StoredSlot } from './protocol/slot-store.ts'
import { itemsOf, readVersion, storedSlot } from './protocol/table-messages.ts'

export class SlotPersistence {
  readonly #store: Store
  readonly #prefix: string
  readonly #onError: (error: P2pError) => void
  readonly #writes: WriteBehind<Slot>
  #read: (slot: Slot) => StoredSlot | undefined = () => undefined

  constructor(store: Store, subnet: string, onError: (error: P2pError) => void) {
    this.#store = store
    // A subnet with a slash in it must not name records of another.
    this.#prefix = `chord/${encodeURIComponent(subnet)}/`
    this.#onError = onError
    this.#writes = new WriteBehind(store, (slot) => this.#change(slot), onError)
  }

  /**
   * What was kept. Records that cannot be read are told as errors and left out; rejects with
   * `P2P_STORE_FAILED` when the store cannot be read.
   */
  async load(): Promise<readonly StoredSlot[]> {
    try {
      return await this.#readAll()
    } catch (cause) {
      throw new P2pError('P2P_STORE_FAILED', 'the store cannot be read', { cause })
    }
  }

  async #readAll(): Promise<readonly StoredSlot[]> {
    const slots: StoredSlot[] = []
    for await (const [name, bytes] of this.#store.iterate(this.#prefix)) {
      const slot = readRecord(name.slice(this.#prefix.length), bytes)
      if (slot !== undefined) slots.push(slot)
      else this.#onError(new P2pError('P2P_STORE_CORRUPT', 'a stored slot cannot be read'))
    }
    return slots
  }

  /** Where to read changed slots from when a batch is made. */
  attach(read: (slot: Slot) => StoredSlot | undefined): void {
    this.#read = read
  }

  changed(slots: readonly Slot[]): void {
    for (const slot of slots) this.#writes.changed(slot.name, slot)
  }

  /** Resolves once everything that changed up to now is in the store. Rejects with `P2P_STORE_FAILED`. */
  persisted(): Promise<void> {
    return this.#writes.persisted()
  }

  #change(slot: Slot): StoreChange {
    const held = this.#read(slot)
    const key = `${this.#prefix}${slot.table} ${slot.slotText}`
    if (held === undefined) return { type: 'delete', key }
    const { version, value = null, key: owner = null } = held
    return { type: 'put', key, value: encodeValue([version.time, version.writer, value, owner]) }
  }
}

/** `name`: table and slot text. The record: time, writer, value as msgpack or nil, key or nil. */
function readRecord(name: string, bytes: Uint8Array): StoredSlot | undefined {
  const [tableName = '', slotText = ''] = name.split(' ')
  const table = hashTableNamed(tableName)
  const slot = table && slotNamed(table, slotText)
  try {
    const [time, writer, value, key] = itemsOf(decodeValue(bytes))
    return slot && storedSlot(slot, readVersion(time, writer), value, key)
  } catch {
    return undefined
  }
}
