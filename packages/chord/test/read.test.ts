import { expect, test } from '@jest/globals'
import { encodeValue, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import fc from 'fast-check'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import { Read } from '../src/protocol/read.ts'
import type { Question } from '../src/protocol/read.ts'

const slots = slotsOf(utf8Encode('key'))
const begin = (replicaCount = 0): Read =>
  new Read({ slots, replicaCount, startMs: 0, timeoutMs: 10_000, graceMs: 300 })
const answer = (read: Read, index: number, value: Value, nowMs = 0, time?: number): void => {
  const bytes = value === null ? undefined : encodeValue(value)
  const version = time === undefined ? undefined : { time, writer: 'a' }
  read.handleAnswer(slots[index]?.slotText ?? '', { value: bytes, version }, nowMs)
}

test('five owners are asked at once, and three equal values end the read', () => {
  const read = begin()
  expect(read.start()).toEqual(slots.map((slot) => ({ slot, rank: 0 })))
  answer(read, 0, 'v')
  answer(read, 3, 'old')
  answer(read, 1, null)
  answer(read, 2, 'v')
  expect(read.result).toBeUndefined()
  answer(read, 4, 'v')
  const stale = [slots[1], slots[3]]
  expect(read.result).toEqual({ type: 'found', value: encodeValue('v'), by: 'majority', stale })
  expect(read.nextDeadline()).toBe(Infinity)
})

test('a nil is provisional: the value that comes after it counts', () => {
  const read = begin()
  for (const index of [0, 1, 2, 3]) answer(read, index, null)
  for (const index of [0, 1, 2]) answer(read, index, 'v', 100)
  expect(read.result).toMatchObject({ type: 'found', by: 'majority' })
})

test('a nil does not take back a value', () => {
  const read = begin()
  answer(read, 0, 'v')
  answer(read, 0, null)
  answer(read, 1, 'v')
  answer(read, 2, 'v')
  expect(read.result?.type).toBe('found')
})

test('one table that answers three times is one vote', () => {
  const read = begin()
  for (let times = 0; times < 3; times += 1) answer(read, 0, 'v')
  expect(read.result).toBeUndefined()
})

test('five nils end the read after the grace time, silence after the whole time', () => {
  const answered = begin()
  for (const index of [0, 1, 2, 3, 4]) answer(answered, index, null, 50)
  expect(answered.nextDeadline()).toBe(350)
  answered.handleDeadline(349)
  expect(answered.result).toBeUndefined()
  answered.handleDeadline(350)
  expect(answered.result).toEqual({ type: 'absent' })
  const silent = begin()
  expect(silent.nextDeadline()).toBe(10_000)
  silent.handleDeadline(10_000)
  expect(silent.result).toEqual({ type: 'absent' })
})

test('values without majority or versions are reported as they are', () => {
  const read = begin()
  for (const [index, value] of ['a', 'a', 'b', 'b', null].entries()) answer(read, index, value)
  read.handleDeadline(300)
  const candidates = ['a', 'b'].map((value) => ({ value: encodeValue(value), count: 2 }))
  expect(read.result).toEqual({ type: 'no-agreement', candidates })
})

test('without a majority the newest version wins', () => {
  const read = begin()
  answer(read, 0, 'a', 0, 1)
  answer(read, 1, 'a', 0, 1)
  answer(read, 2, 'b', 0, 2)
  read.handleDeadline(10_000)
  expect(read.result).toEqual({
    type: 'found',
    value: encodeValue('b'),
    by: 'version',
    stale: [slots[0], slots[1]],
  })
})

test('replicas are asked rank by rank for the tables that have shown nothing', () => {
  const read = begin(2)
  answer(read, 0, 'v')
  answer(read, 1, 'v')
  answer(read, 2, null)
  const missing = [slots[2], slots[3], slots[4]]
  const atMs = read.nextDeadline()
  expect(read.handleDeadline(atMs)).toEqual(missing.map((slot) => ({ slot, rank: 1 })))
  const again = read.nextDeadline()
  expect(read.handleDeadline(again)).toEqual(missing.map((slot) => ({ slot, rank: 2 })))
  answer(read, 4, 'v', again)
  expect(read.result).toMatchObject({ type: 'found', stale: [slots[2]] })
})

test('every read ends by its deadline, whatever is answered', () => {
  const anyAnswer = fc.tuple(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom<Value>(null, 'a', 'b', 'c'),
    fc.integer({ min: 0, max: 3_000 }),
  )
  fc.assert(
    fc.property(fc.array(anyAnswer), fc.integer({ min: 0, max: 4 }), (answers, replicas) => {
      const read = begin(replicas)
      const asked: Question[] = [...read.start()]
      let nowMs = 0
      for (const [index, value, wait] of answers) {
        nowMs += wait
        while (read.nextDeadline() <= nowMs) asked.push(...read.handleDeadline(read.nextDeadline()))
        answer(read, index, value, nowMs)
      }
      while (read.result === undefined) {
        expect(read.nextDeadline()).toBeLessThanOrEqual(10_000)
        asked.push(...read.handleDeadline(read.nextDeadline()))
      }
      const names = asked.map(({ slot, rank }) => `${slot.table} ${rank}`)
      expect(new Set(names).size).toBe(names.length)
    }),
  )
})
