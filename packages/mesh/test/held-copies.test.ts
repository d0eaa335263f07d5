import { expect, test } from '@jest/globals'
import { HeldCopies } from '../src/protocol/held-copies.ts'
import { recentMessage, treeNeighbour } from './tree-fixtures.ts'

/** With all random bytes zero the first hold is 200 ms and nothing varies. */
const withoutChance = (): HeldCopies => new HeldCopies((count) => new Uint8Array(count))

test('a copy waits, and goes when nobody else brought the message', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  const entry = recentMessage(1)
  held.hold(entry, old, 1_000)
  expect(held.nextDeadline()).toBe(1_200)
  expect(held.takeDue(1_199)).toEqual([])
  expect(held.takeDue(1_200)).toEqual([{ entry, neighbour: old }])
  expect([held.count, held.cancelled]).toEqual([0, 0])
})

test('a copy is dropped when the neighbour has the message by then', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  const entry = recentMessage(1)
  held.hold(entry, old, 0)
  held.noteDelivery(entry, old, 100)
  entry.holders.add(old)
  expect(held.takeDue(200)).toEqual([])
  expect(held.cancelled).toBe(1)
})

test('a neighbour that others serve is left to them for longer, up to 300 ms', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  const holds = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => {
    const entry = recentMessage(number)
    held.hold(entry, old, 0)
    const holdMs = held.nextDeadline()
    held.noteDelivery(entry, old, 0)
    entry.holders.add(old)
    held.takeDue(holdMs)
    return holdMs
  })
  expect(holds.slice(0, 3)).toEqual([200, 250, 275])
  expect(holds.at(-1)).toBeGreaterThan(299)
  expect(holds.at(-1)).toBeLessThanOrEqual(300)
})

test('a neighbour that hears things only from us comes to hear them after 20 ms', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  let nowMs = 0
  let holdMs = Infinity
  for (let number = 0; number < 100; number += 1) {
    const entry = recentMessage(number)
    held.hold(entry, old, nowMs)
    holdMs = held.nextDeadline() - nowMs
    nowMs += holdMs
    for (const { neighbour } of held.takeDue(nowMs)) entry.holders.add(neighbour)
    nowMs += 10
    held.noteDelivery(entry, old, nowMs)
  }
  expect(holdMs).toBeGreaterThanOrEqual(20)
  expect(holdMs).toBeLessThan(21)
})

test('a copy that comes back much sooner than a round trip was not needed', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  const holdAndSend = (number: number, fromMs: number, backAfterMs: number): number => {
    const entry = recentMessage(number)
    held.hold(entry, old, fromMs)
    const dueMs = held.nextDeadline()
    for (const { neighbour } of held.takeDue(dueMs)) entry.holders.add(neighbour)
    held.noteDelivery(entry, old, dueMs + backAfterMs)
    return dueMs - fromMs
  }
  expect(holdAndSend(1, 0, 100)).toBe(200)
  // Needed: a twelfth of what was above 20 ms went.
  expect(holdAndSend(2, 1_000, 20)).toBe(185)
  // Crossed: half of what lacked to 300 ms came on top.
  expect(holdAndSend(3, 2_000, 100)).toBe(242.5)
})

test('several of us around one old neighbour do not start together', () => {
  const first = withoutChance()
  const second = new HeldCopies((count) => new Uint8Array(count).fill(255))
  const old = treeNeighbour('old')
  first.hold(recentMessage(1), old, 0)
  second.hold(recentMessage(1), old, 0)
  expect(first.nextDeadline()).toBe(200)
  expect(second.nextDeadline()).toBe(270)
})

test('nothing is sent to a neighbour that is gone', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  held.hold(recentMessage(1), old, 0)
  held.forgetNeighbour(old)
  expect(held.takeDue(1_000)).toEqual([])
})

test('beyond the limit a copy is not held', () => {
  const held = withoutChance()
  const old = treeNeighbour('old')
  const entry = recentMessage(1)
  for (let count = 0; count < 16_384; count += 1) held.hold(entry, old, 100)
  expect(held.nextDeadline()).toBe(300)
  held.hold(entry, old, 150)
  expect(held.nextDeadline()).toBe(150)
  expect(held.takeDue(150)).toHaveLength(1)
})

test('copies for one neighbour never overtake each other', () => {
  let share = 0
  // The first hold, then the share by which each copy varies: the second would leave earlier.
  const held = new HeldCopies(() => Uint8Array.of([0, 0, 255][share++] ?? 255))
  const old = treeNeighbour('old')
  const [first, second] = [recentMessage(1), recentMessage(2)]
  held.hold(first, old, 0)
  held.hold(second, old, 1)
  expect(held.takeDue(199)).toEqual([])
  expect(held.takeDue(200).map(({ entry }) => entry)).toEqual([first, second])
})
