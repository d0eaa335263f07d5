import { describe, expect, test } from '@jest/globals'
import type { Now } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { Comparisons } from '../../src/protocol/comparisons.ts'
import { encodeRecords } from '../../src/protocol/records.ts'
import { encodeTurn, type Turn } from '../../src/protocol/turn.ts'

const at = (monoMs: number): Now => ({ monoMs, utcSeconds: 1_500_000_000 + monoMs / 1_000 })

/** A side that knows a lot, or nothing; what exactly does not matter here. */
function comparisons(keyCount = 1_000): Comparisons {
  const records = function* (): Generator<never, undefined> {
    yield* []
    return undefined
  }
  const index = { keyCount, snapshot: () => [], records }
  return new Comparisons(index, (count) => new Uint8Array(count))
}

test('a comparison with a new neighbour waits until writes pause', () => {
  const side = comparisons()
  expect(side.addNeighbour('other', true, at(0))).toEqual([])
  side.noteWrite(at(200))
  expect(side.handleDeadline(at(250))).toEqual([])
  expect(side.nextDeadline()).toBe(400)
  expect(side.handleDeadline(at(400))).toHaveLength(1)
})

test('writes that never pause do not put a comparison off for ever', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  let openedMs = 0
  for (let monoMs = 250; openedMs === 0 && monoMs < 60_000; monoMs += 50) {
    side.noteWrite(at(monoMs))
    if (side.handleDeadline(at(monoMs)).length > 0) openedMs = monoMs
  }
  expect(openedMs).toBeGreaterThanOrEqual(5_250)
  expect(openedMs).toBeLessThan(5_500)
})

const key = [1, 2, 3, 4] as const
const turnOf = (more: Partial<Turn>): readonly Value[] => [
  0x7041,
  ...encodeTurn({
    comparison: 7,
    key: undefined,
    compare: [],
    list: [],
    want: [],
    records: new Uint8Array(0),
    more: false,
    ...more,
  }),
]

test('turns of strangers, of no comparison, and what is no turn are counted and not answered', () => {
  const side = comparisons()
  side.addNeighbour('other', false, at(0))
  for (const [payload, from] of [
    [turnOf({ key }), 'stranger'],
    [turnOf({}), 'other'],
    [[0x7041, 'nonsense'], 'other'],
  ] as const) {
    expect(side.handle(payload, from, at(0))).toEqual({ messages: [], records: [] })
  }
  expect(side.counters.ignoredTurns).toBe(3)
})

test('records that cannot be read end the comparison they came in', () => {
  const side = comparisons()
  side.addNeighbour('other', false, at(0))
  const broken = turnOf({ key, records: Uint8Array.of(0xc1) })
  expect(side.handle(broken, 'other', at(0))).toEqual({ messages: [], records: [] })
  expect(side.counters.ignoredTurns).toBe(1)
  side.handleDeadline(at(60_000))
  expect(side.counters.givenUp).toBe(0)
})

test('a comparison whose other side falls silent is given up after half a minute', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  expect(side.handleDeadline(at(250))).toHaveLength(1)
  side.handleDeadline(at(30_249))
  expect(side.counters.givenUp).toBe(0)
  side.handleDeadline(at(30_250))
  expect(side.counters.givenUp).toBe(1)
})

test('what is new while a comparison runs is left for one after it', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  expect(side.handleDeadline(at(250))).toHaveLength(1)
  side.spread(undefined, at(300))
  expect(side.handleDeadline(at(2_000))).toEqual([])
  expect(side.nextDeadline()).toBe(3_000)
})

describe('a side that knows nothing asks one neighbour for everything, and the next', () => {
  const next = (side: Comparisons, monoMs: number): string[] =>
    side.handleDeadline(at(monoMs)).map(({ peer }) => peer)

  test('when that one says nothing for two seconds', () => {
    const side = comparisons(0)
    for (const peer of ['first', 'second', 'third']) side.addNeighbour(peer, true, at(0))
    expect(next(side, 250)).toEqual([])
    expect(next(side, 1_999)).toEqual([])
    expect(next(side, 3_000)).toEqual(['second'])
    expect(next(side, 4_999)).toEqual([])
    expect(next(side, 6_000)).toEqual(['third'])
  })

  test('when that one promises more, and gives nothing', () => {
    const side = comparisons(0)
    const [opening] = side.addNeighbour('first', true, at(0))
    const comparison = Number(opening?.payload[1])
    side.addNeighbour('second', true, at(0))
    side.handle(turnOf({ comparison, more: true }), 'first', at(1_900))
    expect(next(side, 2_000)).toEqual(['second'])
  })

  test('but not while that one gives', () => {
    const side = comparisons(0)
    const [opening] = side.addNeighbour('first', true, at(0))
    const comparison = Number(opening?.payload[1])
    side.addNeighbour('second', true, at(0))
    const write = { kind: 'delete', owner: textToByteText('A'), time: 1, sequence: 0 } as const
    const record = { key: textToByteText('key'), isBase: false }
    const records = encodeRecords([
      { ...record, write: { ...write, value: new Uint8Array(0), knew: [] } },
    ])
    side.handle(turnOf({ comparison, records, more: true }), 'first', at(1_900))
    expect(next(side, 3_899)).toEqual([])
    expect(next(side, 5_000)).toEqual(['second'])
  })
})

test('a neighbour that opens more often than we have time to look at all keys is answered later', () => {
  const side = comparisons(100_000)
  side.addNeighbour('other', false, at(0))
  side.addNeighbour('third', false, at(0))
  const answered: number[] = []
  for (let comparison = 0; comparison < 1_000; comparison++) {
    const opening = turnOf({ key, comparison, more: true })
    if (side.handle(opening, 'other', at(comparison / 100)).messages.length > 0)
      answered.push(comparison)
  }
  expect(answered).toEqual([0])
  expect(side.handle(turnOf({ key, more: true }), 'third', at(10)).messages).toHaveLength(1)
  // The last of them is answered when its time has come, as if it came then.
  const dueMs = side.nextDeadline()
  expect(dueMs).toBe(1_000)
  expect(side.takeHeld(at(dueMs - 1))).toEqual([])
  const [held] = side.takeHeld(at(dueMs))
  expect(held?.payload[1]).toBe(999)
  expect(side.handle(held?.payload ?? [], 'other', at(dueMs)).messages).toHaveLength(1)
  expect(side.takeHeld(at(60_000))).toEqual([])
})

test('however many keys there are, an opening is answered before its sender gives it up', () => {
  const side = comparisons(50_000_000)
  side.addNeighbour('other', false, at(0))
  const opening = turnOf({ key, more: true })
  expect(side.handle(opening, 'other', at(0)).messages).toHaveLength(1)
  expect(side.handle(opening, 'other', at(1)).messages).toEqual([])
  expect(side.nextDeadline()).toBeLessThan(30_000)
})

test('of two that open at once one comparison goes on', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  side.handleDeadline(at(250)) // opens number 0, the smallest there is
  const { messages } = side.handle(turnOf({ key, comparison: 9 }), 'other', at(260))
  expect(messages).toEqual([])
})

test('without neighbours nothing is due; the last one takes its comparison with it', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  side.handleDeadline(at(250))
  side.removeNeighbour('other')
  expect(side.nextDeadline()).toBe(Infinity)
})
