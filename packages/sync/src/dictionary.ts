/**
 * The dictionary as programs use it: like a Map, with text or bytes as keys. Reads are local and
 * immediate. Writes are checked, applied here and sent to everybody before the call returns; they throw
 * when somebody else leases the key.
 *
 * Every value handed out is decoded anew: it is the caller's own, and changing it changes nothing here.
 */
import { P2pError, throwIfCancelled, timerDelay } from '@p2p/base'
import type { WaitOptions } from '@p2p/base'
import type { LayerControl } from '@p2p/mesh'
import { decodeValue, encodeValue, toHex } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { byteTextToText, toByteText } from './protocol/byte-text.ts'
import type { ByteText } from './protocol/byte-text.ts'
import { isMapping } from './protocol/delta.ts'
import { LeaseError, ownerText } from './protocol/lease.ts'
import type { Lease } from './protocol/lease.ts'
import type { Batch } from './protocol/replica.ts'
import type { SyncMachine } from './protocol/sync.ts'
import type { Entry, SyncEffect, SyncInput } from './protocol/sync-contract.ts'
import type { WriteKind } from './protocol/write.ts'

/** Text, or bytes for keys that are no text. Text and its UTF-8 bytes are the same key. */
export type Key = string | Uint8Array

/** Who wrote an entry, and when. */
export interface Meta {
  /** Node id. */
  readonly owner: string
  /** UTC seconds */
  readonly timestamp: number
}

/** A value that won or lost, with its author; `value` is undefined for a delete. */
export interface WrittenValue extends Meta {
  readonly value: Value | undefined
}

type ComposedWrite = Extract<SyncInput, { type: 'write' }>

/** What the dictionary tells its machine. */
export type DictionaryCommand = Extract<SyncInput, { type: 'write' | 'compare' | 'ask-agreement' }>
type Agreed = Extract<SyncEffect, { type: 'agreement' }>

const defaultSettleMs = 30_000
const defaultClaimMs = 2_000
/** Pause between two questions whether all agree, at first and at most. */
const askEveryMs = { first: 50, most: 1_000 }

export class Dictionary {
  readonly #machine: SyncMachine
  readonly #control: LayerControl<DictionaryCommand>
  /** Where to look for the next entry to pop: the keys before are deleted or not ours, in most cases. */
  #toPop: Iterator<ByteText>
  /** Ends what waits. */
  readonly #closing = new AbortController()

  constructor(machine: SyncMachine, control: LayerControl<DictionaryCommand>) {
    this.#machine = machine
    this.#control = control
    this.#toPop = machine.replica.keys()
  }

  get size(): number {
    return this.#machine.replica.size
  }

  get(key: Key): Value | undefined
  get<Fallback>(key: Key, fallback: Fallback): Value | Fallback
  get(key: Key, fallback?: unknown): unknown {
    const bytes = this.#bytes(readKey(key))
    return bytes === undefined ? fallback : decodeValue(bytes)
  }

  has(key: Key): boolean {
    return this.#bytes(readKey(key)) !== undefined
  }

  set(key: Key, value: Value): void {
    const name = readKey(key)
    checkValue(value)
    this.#command(this.#compose(name, 'set', value))
  }

  delete(key: Key): boolean {
    const name = readKey(key)
    if (this.#bytes(name) === undefined) return false
    this.#command(this.#compose(name, 'delete'))
    return true
  }

  update(entries: Iterable<readonly [Key, Value]> | { readonly [key: string]: Value }): void {
    const pairs = isIterable(entries) ? [...entries] : Object.entries(entries)
    const { replica } = this.#machine
    // Of several values of one key, the last.
    const values = new Map<ByteText, Value>()
    for (const [key, value] of pairs) {
      checkValue(value)
      values.set(readKey(key), value)
    }
    const batch: Batch = { newKeys: 0, bytes: 0 }
    const writes: ComposedWrite[] = []
    for (const [name, value] of values) {
      if (replica.log(name) === undefined) batch.newKeys++
      writes.push(this.#compose(name, 'set', value, batch))
    }
    for (const write of writes) this.#command(write)
  }

  applyDelta(key: Key, delta: Value): void {
    const name = readKey(key)
    const write = this.#compose(name, 'delta', delta)
    if (!isMapping(write.value)) throw new TypeError('a delta is a mapping of fields')
    const bytes = this.#bytes(name)
    if (bytes !== undefined && !isMapping(bytes)) {
      throw new TypeError('a delta applies to a mapping, and this value is none')
    }
    this.#command(write)
  }

  pop(key: Key): Value | undefined
  pop<Fallback>(key: Key, fallback: Fallback): Value | Fallback
  pop(key: Key, fallback?: unknown): unknown {
    const bytes = this.#bytes(readKey(key))
    if (bytes === undefined) return fallback
    this.delete(key)
    return decodeValue(bytes)
  }

  popItem(): [Key, Value] | undefined {
    const machine = this.#machine
    for (let rounds = 0; rounds < 2; rounds++) {
      for (let next = this.#toPop.next(); next.done !== true; next = this.#toPop.next()) {
        if (machine.refusal(next.value, this.#control.now()) !== undefined) continue
        const key = byteTextToText(next.value)
        const value = this.pop(key)
        if (value !== undefined) return [key, value]
      }
      this.#toPop = machine.replica.keys()
    }
    return undefined
  }

  *keys(): IterableIterator<Key> {
    for (const name of this.#machine.replica.keys()) yield byteTextToText(name)
  }

  *values(): IterableIterator<Value> {
    for (const [, value] of this.entries()) yield value
  }

  *entries(): IterableIterator<[Key, Value]> {
    for (const name of this.#machine.replica.keys()) {
      const bytes = this.#bytes(name)
      if (bytes !== undefined) yield [byteTextToText(name), decodeValue(bytes)]
    }
  }

  toMap(): Map<Key, Value> {
    return new Map(this.entries())
  }

  meta(key: Key): Meta | undefined {
    const { holder, value } = this.#machine.replica.state(readKey(key))
    if (holder === undefined || value === undefined) return undefined
    return { owner: ownerText(holder.owner), timestamp: holder.time }
  }

  lease(key: Key): Lease | undefined {
    return this.#machine.lease(readKey(key), this.#control.now())
  }

  async claim(key: Key, options: { readonly value?: Value } & WaitOptions = {}): Promise<Lease> {
    const { value = this.get(key) ?? true, signal, timeoutMs = defaultClaimMs } = options
    const waitMs = timerDelay(timeoutMs)
    throwIfCancelled(signal)
    this.set(key, value)
    await this.#pause(waitMs, signal)
    const lease = this.lease(key)
    if (lease?.owner === this.#machine.id) return lease
    if (lease !== undefined) throw new LeaseError(lease, this.#control.now().utcSeconds)
    throw new P2pError('P2P_NOT_LEASED', 'the key was deleted, or the network has no leases')
  }

  digest(): string {
    return toHex(this.#machine.digest())
  }

  async settled({ signal, timeoutMs = defaultSettleMs }: WaitOptions): Promise<number> {
    const untilMs = this.#control.now().monoMs + timerDelay(timeoutMs)
    for (let pauseMs = askEveryMs.first; ; pauseMs = Math.min(2 * pauseMs, askEveryMs.most)) {
      // A timer may have gone off a little late.
      const leftMs = Math.max(1, untilMs - this.#control.now().monoMs)
      const wait = { timeoutMs: leftMs, ...(signal !== undefined && { signal }) }
      const { equal, nodes } = await this.#control.request<Agreed>(
        (request, waitMs) => ({ type: 'ask-agreement', request, timeoutMs: waitMs }),
        wait,
      )
      if (equal) return nodes
      if (this.#control.now().monoMs + pauseMs >= untilMs) {
        const text = `the dictionaries still differed after ${timeoutMs} ms`
        throw new P2pError('P2P_NOT_SETTLED', text, { facts: { nodes } })
      }
      this.#command({ type: 'compare' })
      await this.#pause(pauseMs, signal)
    }
  }

  /** Who waits for a lease, or for agreement, is told so. */
  close(): void {
    this.#closing.abort(new P2pError('P2P_CLOSED', 'the node was closed'))
  }

  async #pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])]
    const check = (): void => {
      this.#closing.signal.throwIfAborted()
      throwIfCancelled(signal)
    }
    check()
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        for (const one of signals) one.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, milliseconds)
      for (const one of signals) one.addEventListener('abort', end)
    })
    check()
  }

  #command(command: DictionaryCommand): void {
    this.#closing.signal.throwIfAborted()
    this.#control.command(command)
  }

  #bytes(name: ByteText): Uint8Array | undefined {
    return this.#machine.replica.value(name)
  }

  /** Tells about values that cannot be sent, and about what is refused, before anything is changed. */
  #compose(key: ByteText, kind: WriteKind, value?: Value, batch?: Batch): ComposedWrite {
    const bytes = value === undefined ? new Uint8Array(0) : encodeValue(value)
    const write = { type: 'write', key, kind, value: bytes } as const
    const refusal = this.#machine.refusal(key, this.#control.now(), write, batch)
    if (refusal !== undefined) throw refusal
    return write
  }
}

/** An entry of the machine as events show it. */
export function writtenValue({ value, owner, timestamp }: Entry): WrittenValue {
  return { value: value === undefined ? undefined : decodeValue(value), owner, timestamp }
}

function checkValue(value: Value | undefined): void {
  if (value === undefined || value === null) {
    throw new TypeError('a value is needed, and null means deleted: use delete()')
  }
}

function readKey(key: unknown): ByteText {
  const name = toByteText(key)
  if (name === undefined) throw new TypeError('a key is text or bytes')
  return name
}

function isIterable(
  entries: Iterable<readonly [Key, Value]> | { readonly [key: string]: Value },
): entries is Iterable<readonly [Key, Value]> {
  return Symbol.iterator in entries
}
