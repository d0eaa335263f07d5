/**
 * The hash table as programs use it: like a Map whose methods return promises, with text or bytes as
 * keys. Text and its UTF-8 bytes are one key.
 *
 * Every value handed out is decoded anew: it is the caller's own, and changing it changes nothing here.
 */
import { cancelled, P2pError, throwIfCancelled, timerDelay } from '@p2p/base'
import type { WaitOptions } from '@p2p/base'
import { EncodeError, decodeValue, encodeValue, toHex, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { fieldsOf, mergeFields } from './protocol/fields.ts'
import type { KeyList } from './protocol/key-list.ts'
import type { ReadResult } from './protocol/read.ts'
import { besidesItemBytes } from './protocol/slot-store.ts'

/** Text, or bytes for keys that are no text. */
export type Key = string | Uint8Array

export interface TableLink {
  readonly keys: KeyList
  readonly maxFrameBytes: number
  read(key: Uint8Array, wait: WaitOptions): Promise<ReadResult>
  /** `value`: msgpack; null deletes. */
  write(key: Uint8Array, value: Uint8Array | null, wait: WaitOptions): Promise<void>
}

/** Entries read at a time while the table is walked through. */
const readAhead = 32
/** Keys under way of one update: each asks up to 25 nodes, and while one is dialled 1,024 messages wait for it. */
const writtenAtOnce = 512

export class SharedTable {
  readonly #link: TableLink
  /** The last delta to each key that is under way, by hexadecimal text. */
  readonly #deltas = new Map<string, Promise<unknown>>()

  constructor(link: TableLink) {
    this.#link = link
  }

  get size(): number {
    return this.#link.keys.size
  }

  async get(key: Key, fallback: unknown, wait: WaitOptions): Promise<unknown> {
    const bytes = await this.#read(readKey(key), wait)
    return bytes === undefined ? fallback : decodeValue(bytes)
  }

  async set(key: Key, value: Value, wait: WaitOptions): Promise<void> {
    const name = readKey(key)
    await this.#link.write(name, this.#encoded(name, value), wait)
  }

  async delete(key: Key, wait: WaitOptions): Promise<boolean> {
    const name = readKey(key)
    const wasThere = (await this.#read(name, wait)) !== undefined
    // Written all the same: a table that did not take part in the vote may still hold it.
    await this.#link.write(name, null, wait)
    return wasThere
  }

  async update(
    entries: Iterable<readonly [Key, Value]> | { readonly [key: string]: Value },
    wait: WaitOptions,
  ): Promise<void> {
    const pairs = Symbol.iterator in entries ? [...entries] : Object.entries(entries)
    const checked = pairs.map(([key, value]) => {
      const name = readKey(key)
      return [name, this.#encoded(name, value)] as const
    })
    const rest = checked.values()
    const lane = async (): Promise<void> => {
      for (const [name, value] of rest) await this.#link.write(name, value, wait)
    }
    await Promise.all(Array.from({ length: writtenAtOnce }, lane))
  }

  async applyDelta(key: Key, delta: Value, wait: WaitOptions): Promise<Value> {
    const name = readKey(key)
    const fields = fieldsOf(decodeValue(encodeValue(delta)))
    if (fields === undefined) throw new TypeError('a delta is a mapping of fields')
    if (wait.timeoutMs !== undefined) timerDelay(wait.timeoutMs)
    throwIfCancelled(wait.signal)
    return this.#afterOthers(toHex(name), () => this.#merge(name, fields, wait), wait.signal)
  }

  /** Reads and then writes, so two at a time would both start from the same value: one after the other. */
  async #afterOthers(
    name: string,
    work: () => Promise<Value>,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    const before = this.#deltas.get(name) ?? Promise.resolve()
    const done = before.then(work, work)
    this.#deltas.set(name, done)
    let onAbort: () => void = () => undefined
    try {
      return await new Promise<Value>((resolve, reject) => {
        // What waits for its turn finds the signal aborted then, and does nothing.
        onAbort = () => {
          reject(cancelled(signal))
        }
        signal?.addEventListener('abort', onAbort)
        done.then(resolve, reject)
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
      if (this.#deltas.get(name) === done) this.#deltas.delete(name)
    }
  }

  async #merge(
    name: Uint8Array,
    fields: ReadonlyMap<Value, Value>,
    wait: WaitOptions,
  ): Promise<Value> {
    const held = await this.#read(name, wait)
    const base = held === undefined ? new Map<Value, Value>() : fieldsOf(decodeValue(held))
    if (base === undefined) {
      throw new TypeError('the value is no mapping of fields')
    }
    const merged = this.#encoded(name, mergeFields(base, fields))
    await this.#link.write(name, merged, wait)
    return decodeValue(merged)
  }

  async pop(key: Key, fallback: unknown, wait: WaitOptions): Promise<unknown> {
    const name = readKey(key)
    const bytes = await this.#read(name, wait)
    if (bytes === undefined) return fallback
    await this.#link.write(name, null, wait)
    return decodeValue(bytes)
  }

  async popItem(wait: WaitOptions): Promise<[Key, Value] | undefined> {
    for (const name of [...this.#link.keys.values()]) {
      const bytes = await this.#readIfReadable(name, wait)
      if (bytes === undefined) continue
      await this.#link.write(name, null, wait)
      return [keyOf(name), decodeValue(bytes)]
    }
    return undefined
  }

  async *keys(): AsyncGenerator<Key> {
    for (const name of [...this.#link.keys.values()]) yield keyOf(name)
  }

  async *entries(wait: WaitOptions): AsyncGenerator<[Key, Value]> {
    const names = [...this.#link.keys.values()]
    for (let start = 0; start < names.length; start += readAhead) {
      const portion = names.slice(start, start + readAhead)
      const values = await Promise.all(portion.map((name) => this.#readIfReadable(name, wait)))
      for (const [index, name] of portion.entries()) {
        const bytes = values[index]
        if (bytes !== undefined) yield [keyOf(name), decodeValue(bytes)]
      }
    }
  }

  /** Of many keys, one that cannot be read is left out. */
  async #readIfReadable(name: Uint8Array, wait: WaitOptions): Promise<Uint8Array | undefined> {
    const result = await this.#link.read(name, wait)
    return result.type === 'found' ? result.value : undefined
  }

  /** As it is at the call: what becomes of it later is the caller's affair. Tells what cannot be sent before anything is. */
  #encoded(name: Uint8Array, value: Value): Uint8Array {
    if (value === undefined) throw new TypeError('a value is needed; delete() removes a key')
    if (value === null) throw new TypeError('null means deleted in protocol 0.7; use delete()')
    const bytes = encodeValue(value)
    const got = name.length + bytes.length + besidesItemBytes
    const limit = this.#link.maxFrameBytes
    if (got <= limit) return bytes
    const text = `frame of ${got} bytes exceeds maxFrameBytes ${limit}`
    throw new EncodeError('P2P_ENCODE_TOO_LARGE', text, { got, limit })
  }

  async #read(name: Uint8Array, wait: WaitOptions): Promise<Uint8Array | undefined> {
    const result = await this.#link.read(name, wait)
    switch (result.type) {
      case 'found':
        return result.value
      case 'absent':
        return undefined
      case 'unknown':
        throw new P2pError(
          'P2P_NOT_READABLE',
          'no holder of the key has answered, or the clock here is wrong',
        )
      case 'no-agreement': {
        const facts = { candidates: result.candidates.length }
        throw new P2pError('P2P_NO_AGREEMENT', 'fewer than three tables agree on the value', {
          facts,
        })
      }
    }
  }
}

/** The bytes of a key, in a copy: a caller may use its buffer again. Text that is no Unicode has none. */
export function readKey(key: Key): Uint8Array {
  if (key instanceof Uint8Array) return new Uint8Array(key)
  if (typeof key === 'string') return utf8Encode(key)
  throw new TypeError('a key is text or bytes')
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text where the bytes are UTF-8. */
export function keyOf(name: Uint8Array): Key {
  try {
    return strictText.decode(name)
  } catch {
    return name.slice()
  }
}
