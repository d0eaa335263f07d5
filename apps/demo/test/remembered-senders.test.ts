import { expect, test } from '@jest/globals'
import { RememberedSenders } from '../src/node/remembered-senders.ts'

test('a message is answered by its id, or as the newest', () => {
  const senders = new RememberedSenders()
  expect(senders.senderOf()).toBeUndefined()
  senders.remember('01', 'alice')
  senders.remember('02', 'bob')
  expect(senders.senderOf('01')).toBe('alice')
  expect(senders.senderOf()).toBe('bob')
  senders.clear()
  expect([senders.senderOf(), senders.senderOf('01')]).toEqual([undefined, undefined])
})

test('the oldest are forgotten first, of many and of long ones', () => {
  const senders = new RememberedSenders()
  for (let count = 0; count <= 10_000; count++) senders.remember(String(count), 'x')
  expect(senders.size).toBe(10_000)
  expect(senders.senderOf('0')).toBeUndefined()
  const long = 'x'.repeat(16 * 1_024 * 1_024)
  for (const id of ['a', 'b', 'c']) senders.remember(id, long)
  expect(['a', 'b', 'c'].map((id) => senders.senderOf(id) === long)).toEqual([false, false, true])
  expect(senders.size).toBe(1)
})
