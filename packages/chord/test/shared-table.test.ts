/** The hash table as programs use it: how much of what is asked for is under way at a time. */
import { expect, test } from '@jest/globals'
import { encodeValue, toHex, utf8Encode } from '@p2p/serializer'
import { KeyList } from '../src/protocol/key-list.ts'
import { SharedTable } from '../src/shared-table.ts'

test('writes many keys a part at a time, each as soon as there is room, and all of them', async () => {
  let underWay = 0
  let most = 0
  let written = 0
  const table = new SharedTable({
    maxFrameBytes: Infinity,
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
    maxFrameBytes: Infinity,
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
    maxFrameBytes: Infinity,
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
  const cause = new Error('stop')
  stop.abort(cause)
  const cancelled = { code: 'P2P_CANCELLED', cause }
  await expect(second).rejects.toMatchObject(cancelled)
  await expect(table.applyDelta('key', {}, { signal: stop.signal })).rejects.toMatchObject(
    cancelled,
  )
  await expect(table.applyDelta('key', {}, { timeoutMs: Number.NaN })).rejects.toThrow(RangeError)
  for (const read of reads) read()
  await first
  expect([reads.length, written]).toEqual([1, 1])
})

/** A table that keeps what is written by itself. */
function ownTable(maxFrameBytes = Infinity): { table: SharedTable; held: Map<string, Uint8Array> } {
  const held = new Map<string, Uint8Array>()
  const table = new SharedTable({
    maxFrameBytes,
    keys: new KeyList(),
    read: (key) => {
      const value = held.get(toHex(key))
      return Promise.resolve(
        value === undefined
          ? { type: 'absent' }
          : { type: 'found', value, version: undefined, stale: [] },
      )
    },
    write: (key, value) => {
      if (value === null) held.delete(toHex(key))
      else held.set(toHex(key), value)
      return Promise.resolve()
    },
  })
  return { table, held }
}

test('what fits no frame with its key is refused, and nothing of it is written', async () => {
  const { table, held } = ownTable(1_124)
  const fits = 'v'.repeat(100 - 3 - 2)
  await table.set('key', fits, {})
  held.clear()
  const large = `${fits}v`
  const isTooLarge = { code: 'P2P_ENCODE_TOO_LARGE', facts: { got: 1_125, limit: 1_124 } }
  await expect(table.set('key', large, {})).rejects.toMatchObject(isTooLarge)
  await expect(table.update({ other: 1, key: large }, {})).rejects.toMatchObject(isTooLarge)
  await table.applyDelta('key', { x: 'v'.repeat(40) }, {})
  const before = [...held]
  const code = 'P2P_ENCODE_TOO_LARGE'
  await expect(table.applyDelta('key', { y: 'v'.repeat(60) }, {})).rejects.toMatchObject({ code })
  const key = 'k'.repeat(101)
  await expect(table.set(key, 1, {})).rejects.toMatchObject({ code })
  expect([...held]).toEqual(before)
})

test('a key is that of the call, whatever becomes of its bytes', async () => {
  const { table, held } = ownTable()
  const key = Buffer.from('a')
  for (const name of ['a', 'b']) {
    key.write(name)
    const done = table.set(key, name, {})
    key.write('x')
    await done
  }
  key.write('a')
  const popped = table.pop(key, undefined, {})
  key.write('b')
  expect(await popped).toBe('a')
  expect([...held]).toEqual([['62', encodeValue('b')]])
})

test('a value is that of the call, whatever becomes of it', async () => {
  let start = (): void => undefined
  const begun = new Promise<void>((resolve) => {
    start = resolve
  })
  const written: unknown[] = []
  const table = new SharedTable({
    maxFrameBytes: Infinity,
    keys: new KeyList(),
    read: () => Promise.resolve({ type: 'absent' }),
    write: async (_key, value) => {
      await begun
      written.push(value)
    },
  })
  const value = { n: 1 }
  const done = [
    table.set('a', value, {}),
    table.update(
      Array.from({ length: 513 }, (_, index) => [`${index}`, value] as const),
      {},
    ),
  ]
  value.n = 2
  start()
  await Promise.all(done)
  expect(written).toEqual(Array(514).fill(encodeValue({ n: 1 })))
})
