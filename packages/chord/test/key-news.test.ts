/** Who is told of new keys, in which words, and when. */
import { expect, test } from '@jest/globals'
import type { Value } from '@p2p/serializer'
import { bytesEqual, utf8Encode } from '@p2p/serializer'
import type { ChordEffect } from '../src/protocol/chord-contract.ts'
import { KeyList } from '../src/protocol/key-list.ts'
import { KeyNews } from '../src/protocol/key-news.ts'
import { noticePayload, removalPayload } from '../src/protocol/messages.ts'
import { keyNewsPayload, sumsPayload } from '../src/protocol/ring-messages.ts'
import { largeRing } from '../src/protocol/rumours.ts'
import { peerOf } from './peer-of.ts'

const one = utf8Encode('one')
const two = utf8Encode('two')
const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 1 })

/** A node whose neighbours are of ours, or old ones where the name says so. */
function scene({ neighbours = ['a', 'b'], old = false, ringSize = 3 } = {}) {
  const deleted = new Set<Uint8Array>()
  const spread: { payload: readonly Value[]; knownTo: readonly string[] }[] = []
  const asked: string[] = []
  const whispered: (readonly [string, readonly Value[]])[] = []
  const emitted: ChordEffect[] = []
  const keys = new KeyList(100)
  const news = new KeyNews(
    {
      keys,
      peers: new Map(neighbours.map((id) => [id, peerOf(id)])),
      nodes: { size: ringSize },
      hasOld: () => old,
      talking: () => new Set(neighbours.filter((id) => !id.startsWith('old'))),
      isDeleted: (key) => [...deleted].some((other) => bytesEqual(other, key)),
      emit: (effect) => emitted.push(effect),
    },
    {
      // With these the first ones are drawn.
      random: (count) => new Uint8Array(count),
      outbox: {
        whisper: (to, payload) => {
          asked.push(to)
          whispered.push([to, payload])
        },
        spread: (payload, _now, knownTo = []) => spread.push({ payload, knownTo: [...knownTo] }),
        handOver: () => undefined,
      },
      old: { noteKey: () => undefined, tending: { noteRemoval: () => undefined } },
    },
  )
  return { news, keys, deleted, spread, emitted, asked, whispered }
}

test('keys that are written within a second are told in one message', () => {
  const { news, spread } = scene()
  news.wrote(one, at(0))
  news.wrote(two, at(900))
  news.handleDeadline(at(999))
  expect(spread).toEqual([])
  expect(news.nextDeadline()).toBe(1_000)
  news.handleDeadline(at(1_000))
  expect(spread).toEqual([{ payload: keyNewsPayload([one, two]), knownTo: [] }])
  expect(news.nextDeadline()).toBe(Infinity)
})

test('a known key is no news', () => {
  const { news } = scene()
  news.held(one, at(0))
  news.wrote(one, at(0))
  expect(news.nextDeadline()).toBe(Infinity)
})

test('who is given a key to hold lists it at once, and says so once', () => {
  const { news, keys, emitted } = scene()
  news.held(one, at(0))
  news.held(one, at(0))
  expect(keys.has(one)).toBe(true)
  expect(emitted).toEqual([{ type: 'key-added', key: one, isNew: true }])
})

test.each([{ old: true }, { neighbours: ['a', 'old'] }])(
  'a writer who knows of old programs tells of a key at once, in their words: %j',
  (options) => {
    const { news, spread } = scene(options)
    news.wrote(one, at(0))
    expect(spread).toEqual([{ payload: noticePayload(one), knownTo: [] }])
    expect(news.nextDeadline()).toBe(Infinity)
  },
)

test('who hears news and has old neighbours tells them alone, of what it had not heard', () => {
  const { news, spread, keys } = scene({ neighbours: ['a', 'old', 'b'] })
  news.heardNotice(two, at(0))
  news.heardNews([one, two], false, at(0))
  news.heardNews([one], false, at(0))
  expect(keys.has(one)).toBe(true)
  expect(spread).toEqual([{ payload: noticePayload(one), knownTo: ['a', 'b'] }])
})

test('neighbours that were dialled are compared with one after the other', () => {
  const { news, asked } = scene({ neighbours: ['a', 'b'] })
  for (const id of ['a', 'gone', 'b']) news.peerJoined(peerOf(id), at(0))
  news.handleDeadline(at(99))
  expect(asked).toEqual([])
  news.handleDeadline(at(100))
  expect(asked).toEqual(['a'])
  news.handleDeadline(at(200))
  expect(asked).toEqual(['a', 'b'])
  expect(news.nextDeadline()).toBe(Infinity)
})

test('a key that was deleted before it was told of is not told of any more', () => {
  const { news, spread, keys } = scene()
  news.wrote(one, at(0))
  news.wrote(two, at(0))
  news.deleted(one, at(1))
  news.heardRemoval(two, at(2))
  news.handleDeadline(at(1_000))
  expect(spread).toEqual([{ payload: removalPayload(one), knownTo: [] }])
  expect(keys.size).toBe(0)
})

test('news of many keys go out in several messages', () => {
  const { news, spread } = scene()
  const large = Array.from({ length: 3 }, (_, index) => new Uint8Array(30_000).fill(index))
  for (const key of large) news.wrote(key, at(0))
  news.flush(at(1))
  expect(spread.map(({ payload: [, , keys] }) => (keys as readonly Value[]).length)).toEqual([2, 1])
})

test('in a large ring keys are told to some, who pass on what is new to them, together', () => {
  const { news, spread, whispered } = scene({ neighbours: ['a', 'old', 'b'], ringSize: largeRing })
  news.heardNotice(two, at(0))
  news.heardNews([one, two], true, at(0))
  expect(news.nextDeadline()).toBe(6_000)
  news.handleDeadline(at(6_000))
  const passed = keyNewsPayload([one], true)
  expect(whispered).toEqual([
    ['a', passed],
    ['b', passed],
  ])
  // The old neighbour hears of it in its words.
  expect(spread).toEqual([{ payload: noticePayload(one), knownTo: ['a', 'b'] }])
})

test('in a small ring nobody passes on what was told to some', () => {
  const { news, keys, whispered } = scene({ ringSize: largeRing - 1 })
  news.heardNews([one], true, at(0))
  expect(keys.has(one)).toBe(true)
  expect([news.nextDeadline(), whispered]).toEqual([Infinity, []])
})

test('a late rumour does not bring back a key that was removed a moment ago', () => {
  const { news, keys } = scene({ ringSize: largeRing })
  news.heardNotice(one, at(0))
  news.heardRemoval(one, at(0))
  news.deleted(two, at(0))
  news.compareWith('a', at(29_999))
  news.heardNews([one, two], true, at(30_000))
  expect(keys.size).toBe(0)
  news.compareWith('a', at(60_000))
  news.heardNews([one, two], true, at(60_001))
  expect(keys.size).toBe(2)
})

test('a comparison with a node that has not heard of a removal yet does not bring the key back, its writer does', () => {
  const { news, keys } = scene()
  news.deleted(one, at(0))
  news.heardNews([one], false, at(1), true)
  expect(keys.size).toBe(0)
  news.heardNews([one], false, at(2), false)
  expect(keys.size).toBe(1)
})

test('a key that others list although it is deleted here is removed once more, after two comparisons', () => {
  const { news, deleted, keys, spread } = scene()
  deleted.add(one)
  news.heardNews([one], false, at(0), true)
  news.compareWith('a', at(30_000))
  expect([keys.size, spread]).toEqual([0, []])
  news.compareWith('a', at(60_000))
  expect(spread).toEqual([{ payload: removalPayload(one), knownTo: [] }])
  news.heardNews([one], false, at(60_001), true)
  for (const ms of [90_000, 120_000, 150_000]) news.compareWith('a', at(ms))
  expect(spread).toHaveLength(1)
})

test('a key that repair shows to have been written again is not removed', () => {
  const { news, deleted, spread } = scene()
  deleted.add(one)
  news.heardNews([one], false, at(0), true)
  news.compareWith('a', at(30_000))
  deleted.clear()
  news.compareWith('a', at(60_000))
  expect(spread).toEqual([])
})

test('who lists many deleted keys sees few of them removed at a time', () => {
  const { news, deleted, spread } = scene()
  const keys = Array.from({ length: 100 }, (_, index) => utf8Encode(`key ${index}`))
  for (const key of keys) deleted.add(key)
  for (let times = 0; times < 3; times += 1) news.heardNews(keys, false, at(times), true)
  for (const ms of [30_000, 60_000]) news.compareWith('a', at(ms))
  expect(spread).toHaveLength(64)
})

test('removals are remembered up to a limit', () => {
  const { news, keys } = scene({ ringSize: largeRing })
  const key = (index: number): Uint8Array => utf8Encode(`key ${index}`)
  for (let index = 0; index <= 1_024; index += 1) news.deleted(key(index), at(index))
  news.heardNews([key(0), key(1_024)], true, at(2_000))
  expect([keys.has(key(0)), keys.has(key(1_024))]).toEqual([false, true])
})

test('in a large ring who lists keys does not compare them with everybody it dials', () => {
  const { news } = scene({ ringSize: largeRing })
  news.heardNotice(one, at(0))
  news.peerJoined(peerOf('a'), at(0))
  expect(news.nextDeadline()).toBe(Infinity)
})

test.each([{ ringSize: largeRing }, {}])(
  'keys are compared when views of the ring are: %j',
  (ring) => {
    const { news, keys, whispered } = scene(ring)
    news.heardNotice(one, at(0))
    news.compareWith('a', at(0))
    expect(whispered).toEqual([['a', sumsPayload('keys', false, keys.summary())]])
  },
)
