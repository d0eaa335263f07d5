/** What every store has to do, as a test suite (see transport-suite.ts for how to run it). */
import type { Store } from '../store.ts'
import type { TestFramework } from './transport-suite.ts'

export interface StoreSubject {
  readonly name: string
  /** A fresh, empty store at each call. */
  create(): Promise<Store>
}

async function entriesOf(store: Store, prefix: string): Promise<unknown[]> {
  const entries: unknown[] = []
  for await (const [key, value] of store.iterate(prefix)) entries.push([key, [...value]])
  return entries
}

/** Runs the contract of `Store` against one implementation. */
export function testStore({ describe, test, expect }: TestFramework, subject: StoreSubject): void {
  describe(`store ${subject.name}`, () => {
    test('gives back what was put, and undefined for what was not', async () => {
      const store = await subject.create()
      await store.put('a', Uint8Array.of(1, 2))
      await store.put('a', Uint8Array.of(3))
      await store.put('', Uint8Array.of())
      expect([...((await store.get('a')) ?? [])]).toEqual([3])
      expect((await store.get(''))?.length).toBe(0)
      expect(await store.get('b')).toBe(undefined)
      await store.close()
    })

    test('keeps values apart from the arrays of the caller', async () => {
      const store = await subject.create()
      const value = Uint8Array.of(1)
      await store.put('a', value)
      value[0] = 9
      const got = await store.get('a')
      if (got !== undefined) got[0] = 8
      expect([...((await store.get('a')) ?? [])]).toEqual([1])
      await store.close()
    })

    test('deletes, also what is not there', async () => {
      const store = await subject.create()
      await store.put('a', Uint8Array.of(1))
      await store.delete('a')
      await store.delete('a')
      expect(await store.get('a')).toBe(undefined)
      await store.close()
    })

    test('applies a batch in its order', async () => {
      const store = await subject.create()
      await store.batch([
        { type: 'put', key: 'a', value: Uint8Array.of(1) },
        { type: 'put', key: 'b', value: Uint8Array.of(2) },
        { type: 'delete', key: 'a' },
        { type: 'put', key: 'b', value: Uint8Array.of(3) },
      ])
      expect(await entriesOf(store, '')).toEqual([['b', [3]]])
      await store.close()
    })

    test('iterates over one prefix, in the order of the keys', async () => {
      const store = await subject.create()
      for (const key of ['b/2', 'a', 'b/1', 'b/10', 'c', 'b']) {
        await store.put(key, Uint8Array.of(key.length))
      }
      expect(await entriesOf(store, 'b/')).toEqual([
        ['b/1', [3]],
        ['b/10', [4]],
        ['b/2', [3]],
      ])
      expect((await entriesOf(store, '')).length).toBe(6)
      await store.close()
    })
  })
}
