/**
 * Addresses at which this node has reached a peer, kept in its store, so that a restarted node finds its
 * network again when its bootstrap nodes are gone.
 *
 * Only what was dialled and answered with a valid handshake gets in: hearsay never does. One group of
 * hosts (/16) has so many places, so that its owner cannot push everybody else out.
 */
import { hostGroup, parseAddress } from './protocol/address.ts'
import type { Store, StoreChange } from './store.ts'

const keyPrefix = 'base/address/'
const maxPerGroup = 64

interface Entry {
  readonly address: string
  readonly group: string
  readonly reachedSeconds: number
}

export class AddressBook {
  readonly #store: Store
  readonly #maxAddresses: number
  readonly #onError: (error: unknown) => void
  /** The longest unreached first. */
  readonly #entries = new Map<string, Entry>()
  #writing: Promise<void> = Promise.resolve()

  constructor(options: {
    readonly store: Store
    readonly maxAddresses: number
    readonly onError: (error: unknown) => void
  }) {
    this.#store = options.store
    this.#maxAddresses = options.maxAddresses
    this.#onError = options.onError
  }

  /** Reads what an earlier process kept. To be called first: what was not read is never forgotten. */
  async load(): Promise<void> {
    const entries: Entry[] = []
    try {
      for await (const [key, value] of this.#store.iterate(keyPrefix)) {
        const entry = entryOf(key.slice(keyPrefix.length), decodeSeconds(value))
        if (entry !== undefined) entries.push(entry)
      }
    } catch (error) {
      this.#onError(error)
    }
    entries.sort((a, b) => a.reachedSeconds - b.reachedSeconds)
    for (const entry of entries) this.#entries.set(entry.address, entry)
  }

  /** Up to so many addresses, the latest reached first. */
  latest(count: number): readonly string[] {
    return [...this.#entries.keys()].reverse().slice(0, count)
  }

  /** This address was just reached. */
  remember(address: string, utcSeconds: number): void {
    const entry = entryOf(address, utcSeconds)
    if (entry === undefined) return
    this.#entries.delete(address)
    this.#entries.set(address, entry)
    const value = encodeSeconds(utcSeconds)
    const changes: StoreChange[] = [{ type: 'put', key: keyPrefix + address, value }]
    const evicted = this.#evict(entry.group)
    if (evicted !== undefined) changes.push({ type: 'delete', key: keyPrefix + evicted })
    this.#writing = this.#writing.then(() => this.#store.batch(changes)).catch(this.#onError)
  }

  /** Resolves when everything has been written. */
  flush(): Promise<void> {
    return this.#writing
  }

  /** The longest unreached of a group that is too large, or of all, when they are too many. */
  #evict(group: string): string | undefined {
    const ofGroup = [...this.#entries.values()].filter((entry) => entry.group === group)
    const candidates = ofGroup.length > maxPerGroup ? ofGroup : [...this.#entries.values()]
    const isFull = candidates === ofGroup || candidates.length > this.#maxAddresses
    const [oldest] = candidates
    if (!isFull || oldest === undefined) return undefined
    this.#entries.delete(oldest.address)
    return oldest.address
  }
}

function entryOf(address: string, reachedSeconds: number | undefined): Entry | undefined {
  const parsed = parseAddress(address)
  if (parsed === undefined || reachedSeconds === undefined) return undefined
  return { address, group: hostGroup(parsed.host), reachedSeconds }
}

function encodeSeconds(utcSeconds: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, utcSeconds)
  return bytes
}

function decodeSeconds(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 8) return undefined
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
  return Number.isFinite(seconds) ? seconds : undefined
}
