/**
 * Writes what changed to a store, without holding up who changed it.
 *
 * Changes are gathered while a batch is being written, and go out together in the next one: the store is
 * never more than one batch behind, and what changes often is written once per batch. A process that
 * dies at any moment leaves whole batches behind; what `persisted()` confirmed is there.
 */
import { P2pError } from './protocol/errors.ts'
import type { Store, StoreChange } from './store.ts'

interface Waiting {
  resolve(): void
  reject(error: P2pError): void
}

export class WriteBehind<Item> {
  readonly #store: Store
  readonly #changeOf: (item: Item) => StoreChange
  readonly #onError: (error: P2pError) => void
  #changed = new Map<string, Item>()
  #waiting: Waiting[] = []
  #isWriting = false

  /**
   * @param changeOf what the store is to hold of an item now; called when a batch is made
   * @param onError told of each batch that the store refused, with `P2P_STORE_FAILED`
   */
  constructor(
    store: Store,
    changeOf: (item: Item) => StoreChange,
    onError: (error: P2pError) => void,
  ) {
    this.#store = store
    this.#changeOf = changeOf
    this.#onError = onError
  }

  /** The item of this name is not what the store holds any more. */
  changed(name: string, item: Item): void {
    this.#changed.set(name, item)
    this.#start()
  }

  /**
   * Resolves once everything that changed up to now is in the store. Rejects with `P2P_STORE_FAILED`
   * when the store refused it; it is tried again with the next change.
   */
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
      const changes = Array.from(changed.values(), (item) => this.#changeOf(item))
      if (changes.length > 0) await this.#store.batch(changes)
      for (const { resolve } of waiting) resolve()
      return true
    } catch (cause) {
      for (const [name, item] of changed) this.#changed.set(name, item)
      const error = new P2pError('P2P_STORE_FAILED', 'the store did not take a change', { cause })
      this.#onError(error)
      for (const { reject } of [...waiting, ...this.#waiting]) reject(error)
      this.#waiting = []
      return false
    }
  }
}
