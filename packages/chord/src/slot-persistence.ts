/**
 * Keeps the slots of a node in a store: one record for each slot, with its version and its key.
 *
 * Changes are gathered while a batch is being written, and go out together in the next one. A process
 * that dies at any moment leaves whole batches behind; a node that comes back stands at another place
 * of the ring, and what it kept is offered to those that hold it now, older versions losing.
 */
import { P2pError } from '@p2p/base'
import type { Store, StoreChange } from '@p2p/base'
import { decodeValue, encodeValue, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { hashTableNamed, slotNamed } from './protocol/hash-tables.ts'
import type { Slot } from './protocol/hash-tables.ts'
import type { StoredSlot } from './protocol/slot-store.ts'

interface Waiting {
  resolve(): void
  reject(error: P2pError): void
}

export class SlotPersistence {
  readonly #store: Store
  readonly #prefix: string
  readonly #onError: (error: P2pError) => void
  #read: (slot: Slot) => StoredSlot | undefined = () => undefined
  #changed = new Map<string, Slot>()
  #waiting: Waiting[] = []
  #isWriting = false

  constructor(store: Store, subnet: string, onError: (error: P2pError) => void) {
    this.#store = store
    this.#prefix = `chord/${subnet}/`
    this.#onError = onError
  }

  /** What was kept. Records that cannot be read are told as errors and left out. */
  async load(): Promise<readonly StoredSlot[]> {
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
    for (const slot of slots) this.#changed.set(`${slot.table} ${slot.slotText}`, slot)
    this.#start()
  }

  /** Resolves once everything that changed up to now is in the store. Rejects with `P2P_STORE_FAILED`. */
  async persisted(): Promise<void> {
    if (this.#changed.size > 0) this.#start()
    if (!this.#isWriting) return
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  #start(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    void this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // Let the turn of the event loop end: what is written in one turn goes out in one batch.
    await Promise.resolve()
    let isWritten = true
    // Who waits when nothing is left to write waited for what the last batch held.
    while (isWritten && (this.#changed.size > 0 || this.#waiting.length > 0)) {
      isWritten = await this.#writeBatch()
    }
    this.#isWriting = false
  }

  async #writeBatch(): Promise<boolean> {
    const changed = this.#changed
    const waiting = this.#waiting
    this.#changed = new Map()
    this.#waiting = []
    try {
      const changes = [...changed].map(([name, slot]) => this.#change(name, slot))
      if (changes.length > 0) await this.#store.batch(changes)
      for (const { resolve } of waiting) resolve()
      return true
    } catch (cause) {
      for (const [name, slot] of changed) this.#changed.set(name, slot)
      const error = new P2pError('P2P_STORE_FAILED', 'the store did not take a change', { cause })
      this.#onError(error)
      for (const { reject } of [...waiting, ...this.#waiting]) reject(error)
      this.#waiting = []
      return false
    }
  }

  #change(name: string, slot: Slot): StoreChange {
    const held = this.#read(slot)
    const key = this.#prefix + name
    if (held === undefined) return { type: 'delete', key }
    const { version, value = null, key: owner = null } = held
    return { type: 'put', key, value: encodeValue([version.time, version.writer, value, owner]) }
  }
}

/** `name`: table and slot text. The record: time, writer, value as msgpack or nil, key or nil. */
function readRecord(name: string, bytes: Uint8Array): StoredSlot | undefined {
  const [tableName = '', slotText = ''] = name.split(' ')
  const table = hashTableNamed(tableName)
  const slot = table === undefined ? undefined : slotNamed(table, slotText)
  if (slot === undefined) return undefined
  try {
    const record = decodeValue(bytes)
    if (!Array.isArray(record)) return undefined
    const [time, writer, value, key] = record as readonly Value[]
    const milliseconds = wholeNumber(time)
    if (milliseconds === undefined || typeof writer !== 'string') return undefined
    if (value instanceof Uint8Array) decodeValue(value)
    return {
      ...slot,
      version: { time: milliseconds, writer },
      value: value instanceof Uint8Array ? value : undefined,
      key: key instanceof Uint8Array ? key : undefined,
    }
  } catch {
    return undefined
  }
}
