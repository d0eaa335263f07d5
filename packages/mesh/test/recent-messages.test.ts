import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame } from '@p2p/serializer'
import { messageKey } from '../src/protocol/message-key.ts'
import { RecentMessages, type RecentMessage } from '../src/protocol/recent-messages.ts'
import { SmallSet } from '../src/protocol/small-set.ts'

const neighbour = {}

function entry(number: number, seenMs: number, bytes = 0): RecentMessage<object, string> {
  const payload = [0, number, new Uint8Array(bytes)]
  const message = createMessage({ type: 0, sender: 'me', time: 1, payload })
  const key = messageKey(message.id)
  return {
    key,
    frame: encodeFrame(message),
    seenMs,
    holders: new SmallSet(neighbour),
    first: undefined,
    tree: 't',
  }
}

test('the oldest messages go at each of the limits', () => {
  const recent = new RecentMessages<object, string>({
    maxCount: 3,
    maxBytes: 10_000,
    maxAgeMs: 100,
  })
  const entries = [0, 1, 2, 3].map((number) => entry(number, number))
  for (const one of entries) recent.add(one)
  expect(recent.keysSince(0)).toEqual(entries.slice(1).map(({ key }) => key))
  recent.add(entry(4, 102))
  expect(recent.count).toBe(3)
  recent.add(entry(5, 103, 9_990))
  expect(recent.count).toBe(0)
  expect(recent.bytes).toBe(0)
})

test('a lost neighbour holds nothing any more', () => {
  const recent = new RecentMessages<object, string>({
    maxCount: 3,
    maxBytes: 10_000,
    maxAgeMs: 100,
  })
  const one = entry(0, 0)
  recent.add(one)
  recent.forget(neighbour)
  expect(recent.get(one.key)?.holders.size).toBe(0)
})
