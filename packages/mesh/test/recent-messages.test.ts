import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame } from '@p2p/serializer'
import {
  noMessage,
  RecentMessages,
  type Placed,
  type RecentMessage,
} from '../src/protocol/recent-messages.ts'

type Recent = RecentMessages<Placed, string>

const open = (
  limits: { maxRecentMessages?: number; maxRecentBytes?: number; maxAgeMs?: number } = {},
): Recent =>
  new RecentMessages({
    maxRecentMessages: 1_000,
    maxRecentBytes: 1e6,
    maxAgeMs: 1e6,
    secret: 5,
    ...limits,
  })

function entry(number: number, seenMs = number, bytes = 0): RecentMessage<Placed, string> {
  const payload = [0, number, new Uint8Array(bytes)]
  const frame = encodeFrame(createMessage({ type: 0, sender: 'me', time: 1, payload }))
  return { frame, seenMs, first: undefined, tree: 't' }
}

const idOf = ({ frame }: { readonly frame: Uint8Array }): Uint8Array => frame.subarray(4, 36)
const shortIds = (...entries: readonly RecentMessage<Placed, string>[]): Uint8Array =>
  Uint8Array.from(entries.flatMap((one) => [...idOf(one).subarray(0, 16)]))

test('the oldest messages go at each of the limits', () => {
  const recent = open({ maxRecentMessages: 3, maxRecentBytes: 10_000, maxAgeMs: 100 })
  const entries = [0, 1, 2, 3].map((number) => entry(number))
  const [first, ...kept] = entries.map((one) => recent.add(one))
  expect(recent.get(first ?? noMessage)).toBeUndefined()
  expect(kept.map((number) => recent.get(number))).toEqual(entries.slice(1))
  recent.add(entry(4, 102))
  expect(recent.count).toBe(3)
  const large = entry(5, 103, 9_940)
  const number = recent.add(large)
  expect(recent.count).toBe(1)
  expect(recent.bytes).toBe(large.frame.length)
  // One that has no room at all pushes out nothing.
  expect(recent.add(entry(6, 104, 9_990))).toBe(noMessage)
  expect(recent.get(number)).toBe(large)
  recent.trim(1_000)
  expect(recent.count).toBe(0)
  expect(recent.bytes).toBe(0)
})

test('what was added is found by its id, and only as long as it is kept', () => {
  const maxCount = 100
  const recent = open({ maxRecentMessages: maxCount })
  const entries = Array.from({ length: 1_000 }, (_, number) => entry(number))
  for (const [number, one] of entries.entries()) {
    recent.add(one)
    const from = Math.max(0, number + 1 - maxCount)
    for (const [other, expected] of entries.slice(0, number + 2).entries()) {
      const isKept = other >= from && other <= number
      if (recent.get(recent.find(idOf(expected))) !== (isKept ? expected : undefined)) {
        throw new Error(`message ${other} after ${number}`)
      }
    }
  }
  expect(recent.count).toBe(maxCount)
  // In any order, and sixteen bytes count, wherever they stand.
  for (const number of [990, 950, 951, 999, 900]) {
    const expected = entries[number] ?? entry(0)
    const list = new Uint8Array([9, 9, 9, ...shortIds(expected)])
    expect(recent.get(recent.find(list, 3))).toBe(expected)
  }
})

test('a message that is not here is not found, also behind the one that was found last', () => {
  const recent = open()
  recent.add(entry(1))
  expect(recent.find(idOf(entry(1)))).not.toBe(noMessage)
  expect(recent.find(idOf(entry(2)))).toBe(noMessage)
})

test('who holds what agrees with plain sets, whatever place a neighbour has and however many messages go', () => {
  const recent = open({ maxRecentMessages: 40 })
  const expected = new Map<number, Set<number>>()
  const places = [0, 1, 30, 31, 32, 33, 63, 64, 70]
  let state = 7
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 16) % below
  }
  for (let step = 0; step < 2_000; step += 1) {
    // The later a place comes into use, the more is there to make room in.
    const place = places[random(1 + Math.floor((places.length * step) / 2_000))] ?? 0
    recent.admit({ place })
    const number = recent.end - 1 - random(60)
    if (random(3) === 0) expected.set(recent.add(entry(step)), new Set())
    else if (random(40) === 0) {
      recent.forget({ place })
      for (const holders of expected.values()) holders.delete(place)
    } else {
      recent.noteHolder(number, { place })
      expected.get(number)?.add(place)
    }
    for (let one = recent.end - 60; one < recent.end; one += 1) {
      const isKept = one >= recent.end - recent.count
      const isHeld = isKept && expected.get(one)?.has(place) === true
      if (recent.holds(one, { place }) !== isHeld) throw new Error(`step ${step}, message ${one}`)
    }
  }
})

test('what a neighbour does not hold is listed from a message on, so many at a time', () => {
  const recent = open()
  const neighbour = { place: 3 }
  const entries = [0, 1, 2, 3, 4].map((number) => entry(number))
  const numbers = entries.map((one) => recent.add(one))
  const [zero = 0, one = 0, two = 0, , four = 0] = numbers
  recent.noteHolder(two, neighbour)
  expect(recent.nextUnheld(two, neighbour)).toBe(two + 1)
  const [, , , third = entry(9), fourth = entry(9)] = entries
  expect(recent.unheldIds(one, neighbour, 10)).toEqual({
    ids: shortIds(entries[1] ?? third, third, fourth),
    next: Infinity,
  })
  expect(recent.unheldIds(two, neighbour, 1)).toEqual({ ids: shortIds(third), next: four })
  expect(recent.unheldIds(recent.end, neighbour, 1).ids).toHaveLength(0)
  expect(recent.nextUnheld(zero - 10, neighbour)).toBe(zero)
  recent.noteHolder(four, neighbour)
  expect(recent.nextUnheld(four, neighbour)).toBe(Infinity)
  expect(recent.nextUnheld(Infinity, neighbour)).toBe(Infinity)
  expect(recent.unheldIds(Infinity, neighbour, 1).ids).toHaveLength(0)
})

test('the moment at which a message was seen is known, for one that went that of the first behind it', () => {
  const recent = open({ maxRecentMessages: 2 })
  const [gone = 0, second = 0] = [5, 6, 8].map((seenMs, number) =>
    recent.add(entry(number, seenMs)),
  )
  expect([recent.seenMs(gone), recent.seenMs(second), recent.seenMs(recent.end - 1)]).toEqual([
    6, 6, 8,
  ])
  expect([recent.seenMs(recent.end), recent.seenMs(Infinity)]).toEqual([Infinity, Infinity])
})
