/**
 * Keeps a replica in a store: one record for each key, with every write known of it, and the id of the
 * node. Leases are held under that id: a node that came back under another one would be locked out of
 * its own keys for an hour.
 *
 * When what is written: see WriteBehind of @p2p/base.
 */
import { P2pError, WriteBehind } from '@p2p/base'
import type { Store, StoreChange } from '@p2p/base'
import { encodeBase58Integer } from '@p2p/serializer'
import type { ByteText } from './protocol/byte-text.ts'
import type { WriteLog } from './protocol/fold.ts'
import { recordsOf } from './protocol/item-index.ts'
import { decodeRecords, encodeRecords } from './protocol/records.ts'

/** As long as the SHA-384 of the originals. */
const idBytes = 48

export class ReplicaStore {
  readonly #store: Store
  readonly #prefix: string
  readonly #identityKey: string
  readonly #onError: (error: P2pError) => void
  readonly #writes: WriteBehind<ByteText>
  #read: (key: ByteText) => WriteLog | undefined = () => undefined

  constructor(
    store: Store,
    network: { readonly subnet: string; readonly leasing: boolean },
    onError: (error: P2pError) => void,
  ) {
    this.#store = store
    // A subnet with a slash in it must not name records of another.
    const name = `${encodeURIComponent(network.subnet)}${network.leasing ? '1' : '0'}`
    this.#prefix = `sync/${name}/`
    this.#identityKey = `sync-identity/${name}`
    this.#onError = onError
    this.#writes = new WriteBehind(store, (key) => this.#change(key), onError)
  }

  /**
   * The id of the node, base58 text: the one it had before, or a new one. A new one also when the store
   * cannot say, which is told as an error.
   */
  async identity(): Promise<string> {
    const bytes = crypto.getRandomValues(new Uint8Array(idBytes))
    try {
      const kept = await this.#store.get(this.#identityKey)
      if (kept?.length === idBytes) return encodeBase58Integer(kept)
      await this.#store.put(this.#identityKey, bytes)
      if (kept !== undefined) {
        const facts = { got: kept.length }
        const text = 'the stored node id cannot be read; the node has a new one'
        this.#onError(new P2pError('P2P_STORE_CORRUPT', text, { facts }))
      }
    } catch (cause) {
      const text = 'the store did not keep the node id'
      this.#onError(new P2pError('P2P_STORE_FAILED', text, { cause }))
    }
    return encodeBase58Integer(bytes)
  }

  /**
   * What was kept. Records that cannot be read are told as errors and left out; rejects with
   * `P2P_STORE_FAILED` when the store cannot be read.
   */
  async load(): Promise<readonly (readonly [ByteText, WriteLog])[]> {
    try {
      return await this.#readAll()
    } catch (cause) {
      throw new P2pError('P2P_STORE_FAILED', 'the store cannot be read', { cause })
    }
  }

  async #readAll(): Promise<readonly (readonly [ByteText, WriteLog])[]> {
    const logs: (readonly [ByteText, WriteLog])[] = []
    for await (const [name, value] of this.#store.iterate(this.#prefix)) {
      const records = decodeRecords(value) ?? []
      const [first] = records
      if (first === undefined || name !== this.#prefix + first.key) {
        this.#onError(new P2pError('P2P_STORE_CORRUPT', 'a stored key cannot be read'))
        continue
      }
      logs.push([first.key, { writes: records.map(({ write }) => write), folded: first.isBase }])
    }
    return logs
  }

  /** Where to read the logs of changed keys from when a batch is made. */
  attach(read: (key: ByteText) => WriteLog | undefined): void {
    this.#read = read
  }

  changed(key: ByteText): void {
    this.#writes.changed(key, key)
  }

  /**
   * Resolves once everything that changed up to now is in the store. Rejects with `P2P_STORE_FAILED`
   * when the store refused it; it is tried again with the next change.
   */
  persisted(): Promise<void> {
    return this.#writes.persisted()
  }

  #change(key: ByteText): StoreChange {
    const log = this.#read(key)
    const name = this.#prefix + key
    if (log === undefined) return { type: 'delete', key: name }
    return { type: 'put', key: name, value: encodeRecords(recordsOf(key, log)) }
  }
}
