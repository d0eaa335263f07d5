import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame } from '@p2p/serializer'
import { HolderSet, type Placed } from '../src/protocol/holder-set.ts'
import { RecentMessages, type RecentMessage } from '../src/protocol/recent-messages.ts'

const neighbour = { place: 0 }

function entry(number: number, seenMs: number, bytes = 0): RecentMessage<Placed, string> {
  const payload = [0, number, new Uint8Array(bytes)]
  const message = createMessage({ type: 0, sender: 'me', time: 1, payload })
  const holders = new HolderSet()
  holders.add(neighbour)
  return {
    frame: encodeFrame(message),
    seenMs,
    holders,
    first: undefined,
    tree: 't',
  }
}

const idOf = ({ frame }: { readonly frame: Uint8Array }): Uint8Array => frame.subarray(4, 36)

test('the oldest messages go at each of the limits', () => {
  const recent = new RecentMessages<Placed, string>({
    maxCount: 3,
    maxBytes: 10_000,
    maxAgeMs: 100,
    secret: 1,
  })
  const entries = [0, 1, 2, 3].map((number) => entry(number, number))
  for (const one of entries) recent.add(one)
  expect(recent.since(0)).toEqual(entries.slice(1))
  recent.add(entry(4, 102))
  expect(recent.count).toBe(3)
  recent.add(entry(5, 103, 9_990))
  expect(recent.count).toBe(0)
  expect(recent.bytes).toBe(0)
})

test('a lost neighbour holds nothing any more', () => {
  const recent = new RecentMessages<Placed, string>({
    maxCount: 3,
    maxBytes: 10_000,
    maxAgeMs: 100,
    secret: 1,
  })
  const one = entry(0, 0)
  recent.add(one)
  recent.forget(neighbour)
  expect(recent.get(idOf(one))?.holders.has(neighbour)).toBe(false)
})

test('what was added is found by its id, and only as long as it is kept', () => {
  const maxCount = 100
  const recent = new RecentMessages<Placed, string>({
    maxCount,
    maxBytes: 1_000_000,
    maxAgeMs: 1_000_000,
    secret: 7,
  })
  const entries = Array.from({ length: 1_000 }, (_, number) => entry(number, number))
  for (const [number, one] of entries.entries()) {
    recent.add(one)
    const from = Math.max(0, number + 1 - maxCount)
    for (const [other, expected] of entries.slice(0, number + 2).entries()) {
      const isKept = other >= from && other <= number
      if (recent.get(idOf(expected)) !== (isKept ? expected : undefined)) {
        throw new Error(`message ${other} after ${number}`)
      }
    }
  }
  expect(recent.count).toBe(maxCount)
  // Sixteen bytes count, wherever they stand.
  const list = new Uint8Array([9, 9, 9, ...idOf(entries[990] ?? entry(0, 0)).subarray(0, 16)])
  expect(recent.get(list, 3)).toBe(entries[990])
})
