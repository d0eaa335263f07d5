/** The hash table as programs use it: how much of what is asked for is under way at a time. */
import { expect, test } from '@jest/globals'
import { encodeValue, utf8Encode } from '@p2p/serializer'
import { KeyList } from '../src/protocol/key-list.ts'
import { SharedTable } from '../src/shared-table.ts'

test('writes many keys a part at a time, each as soon as there is room, and all of them', async () => {
  let underWay = 0
  let most = 0
  let written = 0
  const table = new SharedTable({
    keys: new KeyList(10),
    read: () => Promise.resolve({ type: 'absent' }),
    write: async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await Promise.resolve()
      underWay -= 1
      written += 1
    },
  })
  await table.update(
    Array.from({ length: 2_000 }, (_, index) => [`key ${index}`, index] as const),
    {},
  )
  expect([most, written]).toEqual([512, 2_000])
})

test('of many keys, those that cannot be read are left out', async () => {
  const keys = new KeyList()
  for (const name of ['a', 'b', 'c']) keys.add(utf8Encode(name))
  const table = new SharedTable({
    keys,
    read: ([first]) =>
      Promise.resolve(
        first === utf8Encode('c')[0]
          ? { type: 'found', value: encodeValue(3), version: undefined, stale: [] }
          : first === utf8Encode('a')[0]
            ? { type: 'unknown' }
            : { type: 'no-agreement', candidates: [] },
      ),
    write: () => Promise.resolve(),
  })
  const entries: unknown[] = []
  for await (const entry of table.entries({})) entries.push(entry)
  expect(entries).toEqual([['c', 3]])
  expect(await table.popItem({})).toEqual(['c', 3])
})

test('a delta that waits behind another hears its signal, and does nothing then', async () => {
  const reads: (() => void)[] = []
  let written = 0
  const table = new SharedTable({
    keys: new KeyList(),
    read: (_key, { signal }) => {
      signal?.throwIfAborted()
      return new Promise((resolve) => {
        reads.push(() => {
          resolve({ type: 'absent' })
        })
      })
    },
    write: () => {
      written += 1
      return Promise.resolve()
    },
  })
  const first = table.applyDelta('key', { x: 1 }, {})
  const stop = new AbortController()
  const second = table.applyDelta('key', { y: 1 }, { signal: stop.signal })
  await Promise.resolve()
  stop.abort(new Error('stop'))
  await expect(second).rejects.toThrow('stop')
  await expect(table.applyDelta('key', {}, { signal: stop.signal })).rejects.toThrow('stop')
  await expect(table.applyDelta('key', {}, { timeoutMs: Number.NaN })).rejects.toThrow(RangeError)
  for (const read of reads) read()
  await first
  expect([reads.length, written]).toEqual([1, 1])
})
