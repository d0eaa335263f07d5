import { expect, test } from '@jest/globals'
import type { MessageKey } from '../src/protocol/message-key.ts'
import { MissingMessages } from '../src/protocol/missing-messages.ts'
import type { TreeNeighbour } from '../src/protocol/tree-dissemination.ts'
import { key, treeNeighbour } from './tree-fixtures.ts'

const open = (maxMissingMessages = 8): MissingMessages =>
  new MissingMessages({ maxMissingMessages })
const asked = (
  missing: MissingMessages,
  monoMs: number,
): readonly (readonly [MessageKey, TreeNeighbour])[] =>
  missing.takeDue(monoMs).map((graft) => [graft.key, graft.announcer])

test('announcers are asked one after the other, in the order in which they announced', () => {
  const missing = open()
  const [a, b] = [treeNeighbour('a'), treeNeighbour('b')]
  missing.announce(key(1), a, 0)
  missing.announce(key(1), b, 10)
  missing.announce(key(1), a, 20)
  expect(missing.nextDeadline()).toBe(250)
  expect(asked(missing, 249)).toEqual([])
  expect(asked(missing, 250)).toEqual([[key(1), a]])
  expect(asked(missing, 749)).toEqual([])
  expect(asked(missing, 750)).toEqual([[key(1), b]])
  expect(asked(missing, 1_250)).toEqual([])
  expect(missing.count).toBe(0)
  expect(missing.nextDeadline()).toBe(Infinity)
})

test('a message that came is not asked for', () => {
  const missing = open()
  const [a, b] = [treeNeighbour('a'), treeNeighbour('b')]
  missing.announce(key(1), a, 0)
  const taken = missing.take(key(1), b, 100)
  expect(taken.announcers).toEqual([a])
  expect(taken.wasAskedFor).toBe(false)
  expect(asked(missing, 10_000)).toEqual([])
})

test('whoever does not deliver gets a penalty and loses it by delivering', () => {
  const missing = open()
  const [a, b] = [treeNeighbour('a'), treeNeighbour('b')]
  missing.announce(key(1), a, 0)
  missing.announce(key(1), b, 0)
  missing.takeDue(250)
  missing.takeDue(750)
  expect([a.penalty, b.penalty]).toEqual([1, 0])
  expect(missing.take(key(1), b, 800).wasAskedFor).toBe(true)
  missing.announce(key(2), a, 1_000)
  missing.takeDue(1_250)
  expect(missing.take(key(2), a, 1_300).wasAskedFor).toBe(true)
  expect([a.penalty, b.penalty]).toEqual([0, 0])
})

test('an announcer that twice promised what it did not have is asked last', () => {
  const missing = open()
  const [liar, honest] = [treeNeighbour('liar', { penalty: 2 }), treeNeighbour('honest')]
  missing.announce(key(1), liar, 0)
  missing.announce(key(1), honest, 10)
  expect(asked(missing, 250)).toEqual([[key(1), honest]])
  expect(asked(missing, 750)).toEqual([[key(1), liar]])
})

test('asking waits twice as long as messages lately lagged behind, four seconds at most', () => {
  for (const [lagMs, waitMs] of [
    [50, 250],
    [400, 800],
    [30_000, 4_000],
  ] as const) {
    const missing = open()
    const [a, b] = [treeNeighbour('a'), treeNeighbour('b')]
    missing.announce(key(1), a, 0)
    missing.take(key(1), b, lagMs)
    missing.announce(key(2), a, 100_000)
    // The wait of the first message, which came, is still in the queue until its moment.
    missing.takeDue(99_999)
    expect(missing.nextDeadline()).toBe(100_000 + waitMs)
  }
})

test('a message that had to be asked for says nothing about the lag', () => {
  const missing = open()
  const a = treeNeighbour('a')
  missing.announce(key(1), a, 0)
  missing.takeDue(250)
  missing.take(key(1), a, 3_000)
  missing.takeDue(10_000)
  missing.announce(key(2), a, 20_000)
  expect(missing.nextDeadline()).toBe(20_250)
})

test('a lost neighbour is not asked, and gets no penalty for what it was asked', () => {
  const missing = open()
  const [a, b] = [treeNeighbour('a'), treeNeighbour('b')]
  missing.announce(key(1), a, 0)
  missing.announce(key(1), b, 0)
  missing.takeDue(250)
  missing.forgetAnnouncer(a)
  expect(asked(missing, 750)).toEqual([[key(1), b]])
  expect(a.penalty).toBe(0)
  missing.forgetAnnouncer(b)
  expect(asked(missing, 1_250)).toEqual([])
  expect(missing.count).toBe(0)
})

test('announcements beyond the limit are ignored until others came', () => {
  const missing = open(2)
  const a = treeNeighbour('a')
  for (const number of [1, 2, 3]) missing.announce(key(number), a, 0)
  expect(missing.count).toBe(2)
  missing.take(key(1), undefined, 10)
  missing.announce(key(4), a, 10)
  expect(asked(missing, 1_000).map(([one]) => one)).toEqual([key(2), key(4)])
})

test('one announcer does not keep out others: who has most gives up its oldest', () => {
  const missing = open(4)
  const [busy, a, b] = [treeNeighbour('busy'), treeNeighbour('a'), treeNeighbour('b')]
  for (const number of [1, 2, 3, 4, 5]) missing.announce(key(number), busy, 0)
  missing.announce(key(6), a, 1)
  missing.announce(key(7), b, 2)
  expect(missing.count).toBe(4)
  expect(asked(missing, 1_000)).toEqual([
    [key(3), busy],
    [key(4), busy],
    [key(6), a],
    [key(7), b],
  ])
  // Nobody has more than the others: what one more announces is ignored, as is what they do themselves.
  const full = open(2)
  full.announce(key(1), a, 0)
  full.announce(key(2), b, 0)
  full.announce(key(3), a, 0)
  full.announce(key(4), b, 0)
  expect(asked(full, 1_000)).toEqual([
    [key(1), a],
    [key(2), b],
  ])
})

test('what a lost announcer leaves behind is given up before what is still announced', () => {
  const missing = open(3)
  const [gone, a] = [treeNeighbour('gone'), treeNeighbour('a')]
  for (const number of [1, 2, 3]) missing.announce(key(number), gone, 0)
  missing.forgetAnnouncer(gone)
  for (const number of [4, 5]) missing.announce(key(number), a, 10)
  expect(asked(missing, 1_000)).toEqual([
    [key(4), a],
    [key(5), a],
  ])
  expect(missing.count).toBe(2)
})

test('of many announcers of one message only the first are written down', () => {
  const missing = open()
  const many = Array.from({ length: 40 }, (_, number) => treeNeighbour(`n${number}`))
  for (const announcer of many) missing.announce(key(1), announcer, 0)
  const { announcers } = missing.take(key(1), undefined, 1)
  expect(announcers).toEqual(many.slice(0, 32))
})
