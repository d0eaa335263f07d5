import { expect, test } from '@jest/globals'
import { MemoryStore, WriteBehind } from '../src/index.ts'
import type { P2pError, StoreChange } from '../src/index.ts'

/** Counts its batches, and refuses as many as it is told to. */
class CountingStore extends MemoryStore {
  readonly batches: number[] = []
  refusals = 0

  override async batch(changes: readonly StoreChange[]): Promise<void> {
    if (this.refusals > 0) {
      this.refusals -= 1
      throw new Error('the disk is full')
    }
    this.batches.push(changes.length)
    await super.batch(changes)
  }
}

function openWrites() {
  const store = new CountingStore()
  const values = new Map<string, number>()
  const errors: P2pError[] = []
  const change = (name: string): StoreChange => {
    const value = values.get(name)
    if (value === undefined) return { type: 'delete', key: name }
    return { type: 'put', key: name, value: Uint8Array.of(value) }
  }
  const writes = new WriteBehind<string>(store, change, (error) => void errors.push(error))
  const set = (name: string, value: number | undefined): void => {
    if (value === undefined) values.delete(name)
    else values.set(name, value)
    writes.changed(name, name)
  }
  return { store, writes, errors, set }
}

test('what changed in one turn goes out in one batch, once, as it is at its end', async () => {
  const { store, writes, set } = openWrites()
  set('a', 1)
  set('b', 1)
  set('a', 2)
  await writes.persisted()
  expect(store.batches).toEqual([2])
  expect(await store.get('a')).toEqual(Uint8Array.of(2))
})

test('what is gone is deleted', async () => {
  const { store, writes, set } = openWrites()
  set('a', 1)
  await writes.persisted()
  set('a', undefined)
  await writes.persisted()
  expect(await store.get('a')).toBeUndefined()
})

test('what changes while a batch is written goes out in the next one, and persisted() waits for it', async () => {
  const { store, writes, set } = openWrites()
  set('a', 1)
  const first = writes.persisted()
  await Promise.resolve()
  set('b', 1)
  set('c', 1)
  await Promise.all([first, writes.persisted()])
  expect(store.batches).toEqual([1, 2])
})

test('a refused batch is told, and goes out with the next change', async () => {
  const { store, writes, errors, set } = openWrites()
  store.refusals = 1
  set('a', 1)
  await expect(writes.persisted()).rejects.toMatchObject({ code: 'P2P_STORE_FAILED' })
  expect(errors.map(({ code }) => code)).toEqual(['P2P_STORE_FAILED'])
  set('b', 1)
  await writes.persisted()
  expect(store.batches).toEqual([2])
  expect(await store.get('a')).toEqual(Uint8Array.of(1))
})

test('persisted() without changes resolves at once', async () => {
  const { store, writes } = openWrites()
  await writes.persisted()
  expect(store.batches).toEqual([])
})
