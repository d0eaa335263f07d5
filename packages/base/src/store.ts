/**
 * Where a node keeps what should outlive its process: known addresses, and what the layers above add.
 *
 * Keys are text, ordered by their UTF-16 code units; values are bytes. An abstract-level database
 * (`classic-level` in Node) fits by an adapter of a few lines. An implementation passes the contract
 * suite `testStore` in `@p2p/base/testing`.
 */

export type StoreChange =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string }

export interface Store {
  /** The value, or undefined. It belongs to the caller. */
  get(key: string): Promise<Uint8Array | undefined>
  put(key: string, value: Uint8Array): Promise<void>
  /** Nothing happens when there is no such key. */
  delete(key: string): Promise<void>
  /** All of the changes or none of them. */
  batch(changes: readonly StoreChange[]): Promise<void>
  /** The entries whose key starts with the prefix, in the order of their keys. */
  iterate(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
  /** Called once, after everything else. */
  close(): Promise<void>
}

/** A store that forgets everything with the process. */
export class MemoryStore implements Store {
  readonly #values = new Map<string, Uint8Array>()

  async get(key: string): Promise<Uint8Array | undefined> {
    await Promise.resolve()
    return this.#values.get(key)?.slice()
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.batch([{ type: 'put', key, value }])
  }

  async delete(key: string): Promise<void> {
    await this.batch([{ type: 'delete', key }])
  }

  async batch(changes: readonly StoreChange[]): Promise<void> {
    for (const change of changes) {
      if (change.type === 'put') this.#values.set(change.key, change.value.slice())
      else this.#values.delete(change.key)
    }
    await Promise.resolve()
  }

  async *iterate(prefix: string): AsyncGenerator<readonly [key: string, value: Uint8Array]> {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort()
    for (const key of keys) {
      const value = await this.get(key)
      if (value !== undefined) yield [key, value]
    }
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }
}
