import { expect, test } from '@jest/globals'
import { AddressBook } from '../src/address-book.ts'
import { MemoryStore } from '../src/store.ts'

const fail = (error: unknown): never => {
  throw error
}

async function bookOver(store: MemoryStore, maxAddresses = 100): Promise<AddressBook> {
  const book = new AddressBook({ store, maxAddresses, onError: fail })
  await book.load()
  return book
}

test('what was reached is known after a restart, the latest first', async () => {
  const store = new MemoryStore()
  const book = await bookOver(store)
  book.remember('tcp://10.0.0.1:1', 100)
  book.remember('tcp://10.0.0.2:1', 200)
  book.remember('tcp://10.0.0.1:1', 300)
  await book.flush()
  const later = await bookOver(store)
  expect(later.latest(9)).toEqual(['tcp://10.0.0.1:1', 'tcp://10.0.0.2:1'])
  expect(later.latest(1)).toEqual(['tcp://10.0.0.1:1'])
})

test('a full book forgets the longest unreached, in the store too', async () => {
  const store = new MemoryStore()
  const book = await bookOver(store, 2)
  for (const host of [1, 2, 3]) book.remember(`tcp://10.${host}.0.1:1`, host)
  await book.flush()
  expect((await bookOver(store)).latest(9)).toEqual(['tcp://10.3.0.1:1', 'tcp://10.2.0.1:1'])
})

test('one group of hosts cannot push the others out', async () => {
  const book = await bookOver(new MemoryStore())
  book.remember('tcp://10.1.0.1:1', 1)
  for (let port = 1; port <= 90; port += 1) book.remember(`tcp://66.66.0.1:${port}`, port)
  expect(book.latest(100)).toHaveLength(65)
  expect(book.latest(100)).toContain('tcp://10.1.0.1:1')
})

test('entries that make no sense are passed over', async () => {
  const store = new MemoryStore()
  await store.put('base/address/nonsense', new Uint8Array(8))
  await store.put('base/address/tcp://10.0.0.1:1', new Uint8Array(3))
  expect((await bookOver(store)).latest(9)).toEqual([])
})
