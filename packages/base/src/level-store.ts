/**
 * A store on disk: an adapter for `classic-level`, or any other abstract-level database. The database
 * package is the application's choice; this file imports none.
 */
import type { Store, StoreChange } from './store.ts'

/** What is used of an abstract-level database with text keys and bytes as values. */
export interface LevelDatabase {
  get(key: string, options: LevelEncodings): Promise<Uint8Array | undefined>
  batch(
    operations: readonly (
      | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
      | { readonly type: 'del'; readonly key: string }
    )[],
    options: LevelEncodings & { readonly sync?: boolean },
  ): Promise<void>
  iterator(
    options: LevelEncodings & { readonly gte: string; readonly lt: string },
  ): AsyncIterable<readonly [string, Uint8Array]>
  close(): Promise<void>
}

interface LevelEncodings {
  readonly keyEncoding: 'utf8'
  readonly valueEncoding: 'view'
}

const encodings: LevelEncodings = { keyEncoding: 'utf8', valueEncoding: 'view' }

/**
 * @example
 * import { ClassicLevel } from 'classic-level'
 * const store = new LevelStore(new ClassicLevel('./dictionary'))
 * const dictionary = await SyncNode.open({ store, listen: 'tcp://127.0.0.1:0' })
 */
export class LevelStore implements Store {
  readonly #database: LevelDatabase
  readonly #syncsToDisk: boolean

  /**
   * @param options.syncsToDisk true waits for the disk at each batch, so that a power cut loses nothing
   *   either; the default survives the end of the process, however it comes
   */
  constructor(database: LevelDatabase, options: { readonly syncsToDisk?: boolean } = {}) {
    this.#database = database
    this.#syncsToDisk = options.syncsToDisk ?? false
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#database.get(key, encodings)
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.batch([{ type: 'put', key, value }])
  }

  async delete(key: string): Promise<void> {
    await this.batch([{ type: 'delete', key }])
  }

  async batch(changes: readonly StoreChange[]): Promise<void> {
    const operations = changes.map((change) =>
      change.type === 'put'
        ? { type: 'put' as const, key: change.key, value: change.value }
        : { type: 'del' as const, key: change.key },
    )
    await this.#database.batch(operations, { ...encodings, sync: this.#syncsToDisk })
  }

  async *iterate(prefix: string): AsyncGenerator<readonly [key: string, value: Uint8Array]> {
    // No text that starts with the prefix comes after the prefix and the last code point.
    const range = { gte: prefix, lt: `${prefix}\u{10ffff}` }
    for await (const [key, value] of this.#database.iterator({ ...encodings, ...range })) {
      yield [key, value]
    }
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}
