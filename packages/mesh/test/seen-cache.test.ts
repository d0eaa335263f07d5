import { expect, test } from '@jest/globals'
import { SeenCache } from '../src/protocol/seen-cache.ts'

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, Math.imul(number, 0x9e3779b1))
  new DataView(id.buffer).setUint32(4, number)
  return id
}

const cache = (maxIds = 1_000): SeenCache => new SeenCache({ maxIds, secret: 1 })
const at = (seconds: number, utcOffset = 0): { monoMs: number; utcSeconds: number } => ({
  monoMs: 1_000 * seconds,
  utcSeconds: 1_500_000_000 + seconds + utcOffset,
})
const stamp = 1_500_000_000

test('a message is new once and seen afterwards', () => {
  const seen = cache()
  expect(seen.check(idOf(1), stamp, at(0))).toBe('new')
  expect(seen.check(idOf(1), stamp, at(59))).toBe('seen')
  expect(seen.check(idOf(2), stamp, at(59))).toBe('new')
})

test('a message stamped exactly 60 s ago is refused, one second younger is taken', () => {
  const seen = cache()
  expect(seen.check(idOf(1), stamp, at(60))).toBe('expired')
  expect(seen.check(idOf(1), stamp + 1, at(60))).toBe('new')
  expect(seen.check(idOf(2), stamp, at(59.9))).toBe('new')
})

test('a message stamped exactly 600 s ahead is taken, one second more is refused', () => {
  const seen = cache()
  expect(seen.check(idOf(1), stamp + 600, at(0))).toBe('new')
  expect(seen.check(idOf(2), stamp + 601, at(0))).toBe('early')
})

test('a message stamped ahead is remembered for as long as it could be taken again', () => {
  const seen = cache(10_000)
  expect(seen.check(idOf(1), stamp + 600, at(0))).toBe('new')
  for (let second = 1; second < 660; second += 1) {
    seen.check(idOf(1_000 + second), stamp + second, at(second))
    expect(seen.check(idOf(1), stamp + 600, at(second))).toBe('seen')
  }
  expect(seen.check(idOf(1), stamp + 600, at(660))).toBe('expired')
})

test('memory stays within the limit, and what was dropped early is not taken again', () => {
  const seen = cache(1_000)
  let largest = 0
  for (let number = 0; number < 10_000; number += 1) {
    const second = Math.floor(number / 250)
    seen.check(idOf(number), stamp + second, at(second))
    largest = Math.max(largest, seen.size)
  }
  expect(largest).toBe(1_000)
  // Number 5,000 was stamped 20 s before the last one and has long been dropped.
  expect(seen.has(idOf(5_000))).toBe(false)
  expect(seen.check(idOf(5_000), stamp + 20, at(39))).toBe('expired')
})

test('the floor stays ten seconds behind the clock, however small the cache', () => {
  const seen = cache(4)
  for (let number = 0; number < 100; number += 1) seen.check(idOf(number), stamp + 500, at(0))
  expect(seen.check(idOf(200), stamp - 9, at(0))).toBe('new')
  expect(seen.check(idOf(201), stamp - 10, at(0))).toBe('expired')
})

test('a clock that is set back by minutes does not open the door to old messages', () => {
  const seen = cache(10_000)
  for (let second = 0; second < 1_000; second += 1) {
    seen.check(idOf(second), stamp + second, at(second))
  }
  const setBack = at(1_000, -540)
  const taken = Array.from({ length: 1_000 }, (_, second) =>
    seen.check(idOf(second), stamp + second, setBack),
  ).filter((verdict) => verdict === 'new')
  expect(taken).toEqual([])
  expect(seen.check(idOf(5_000), stamp + 1_000, setBack)).toBe('new')
})

test('a clock that ran ahead and is set right does not refuse everything', () => {
  const seen = cache(4)
  const ahead = 3_600
  for (let number = 0; number < 20; number += 1) {
    seen.check(idOf(number), stamp + ahead, at(0, ahead))
  }
  expect(seen.check(idOf(100), stamp + 1, at(1))).toBe('new')
})

test('agrees with a plain set over random traffic', () => {
  const seen = cache(100_000)
  const oracle = new Set<number>()
  let wrong = 0
  let state = 7
  for (let step = 0; step < 50_000; step += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const number = state % 20_000
    const verdict = seen.check(idOf(number), stamp, at(1))
    if (verdict !== (oracle.has(number) ? 'seen' : 'new')) wrong += 1
    oracle.add(number)
  }
  expect(wrong).toBe(0)
  expect(seen.size).toBe(oracle.size)
})

test('the id of zero bytes is remembered like any other', () => {
  const seen = cache()
  const zero = new Uint8Array(32)
  expect(seen.has(zero)).toBe(false)
  expect(seen.check(zero, stamp, at(0))).toBe('new')
  expect(seen.has(zero)).toBe(true)
})
