import { expect, test } from '@jest/globals'
import { HeldCopies } from '../src/protocol/held-copies.ts'
import type { TreeNeighbour } from '../src/protocol/tree-dissemination.ts'
import { treeNeighbour } from './tree-fixtures.ts'

interface Fixture {
  readonly held: HeldCopies
  /** Says that the neighbours have message `number`. */
  readonly note: (number: number) => void
  readonly hold: (number: number, neighbour: TreeNeighbour, monoMs: number) => void
}

const entry = { frame: new Uint8Array(1), seenMs: 0, first: undefined, tree: { lazy: new Map() } }

/** With all random bytes zero the first hold is 200 ms and nothing varies. */
function withoutChance(random = (count: number): Uint8Array => new Uint8Array(count)): Fixture {
  const held = new Set<number>()
  const copies = new HeldCopies(random, (number) => held.has(number))
  return {
    held: copies,
    note: (number) => void held.add(number),
    hold: (number, neighbour, monoMs) => {
      copies.hold({ number, entry, neighbour }, monoMs)
    },
  }
}

test('a copy waits, and goes when nobody else brought the message', () => {
  const { held, hold } = withoutChance()
  const old = treeNeighbour('old')
  hold(1, old, 1_000)
  expect(held.nextDeadline()).toBe(1_200)
  expect(held.takeDue(1_199)).toEqual([])
  expect(held.takeDue(1_200)).toEqual([{ number: 1, entry, neighbour: old }])
  expect([held.count, held.cancelled]).toEqual([0, 0])
})

test('a copy is dropped when the neighbour has the message by then', () => {
  const { held, hold, note } = withoutChance()
  const old = treeNeighbour('old')
  hold(1, old, 0)
  held.noteDelivery(1, old, 100)
  note(1)
  expect(held.takeDue(200)).toEqual([])
  expect(held.cancelled).toBe(1)
})

test('a neighbour that others serve is left to them for longer, up to 500 ms', () => {
  const { held, hold, note } = withoutChance()
  const old = treeNeighbour('old')
  const holds = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => {
    hold(number, old, 0)
    const holdMs = held.nextDeadline()
    held.noteDelivery(number, old, 0)
    note(number)
    held.takeDue(holdMs)
    return holdMs
  })
  expect(holds.slice(0, 3)).toEqual([200, 350, 425])
  expect(holds.at(-1)).toBeGreaterThan(497)
  expect(holds.at(-1)).toBeLessThanOrEqual(500)
})

test('a neighbour that hears things only from us comes to hear them after 20 ms', () => {
  const { held, hold, note } = withoutChance()
  const old = treeNeighbour('old')
  let nowMs = 0
  let holdMs = Infinity
  for (let number = 0; number < 100; number += 1) {
    hold(number, old, nowMs)
    holdMs = held.nextDeadline() - nowMs
    nowMs += holdMs
    for (const copy of held.takeDue(nowMs)) note(copy.number)
    nowMs += 10
    held.noteDelivery(number, old, nowMs)
  }
  expect(holdMs).toBeGreaterThanOrEqual(20)
  expect(holdMs).toBeLessThan(21)
})

test('a copy that comes back much sooner than a round trip was not needed', () => {
  const { held, hold, note } = withoutChance()
  const old = treeNeighbour('old')
  const holdAndSend = (number: number, fromMs: number, backAfterMs: number): number => {
    hold(number, old, fromMs)
    const dueMs = held.nextDeadline()
    for (const copy of held.takeDue(dueMs)) note(copy.number)
    held.noteDelivery(number, old, dueMs + backAfterMs)
    return dueMs - fromMs
  }
  expect(holdAndSend(1, 0, 100)).toBe(200)
  // Needed: a twelfth of what was above 20 ms went.
  expect(holdAndSend(2, 1_000, 20)).toBe(185)
  // Crossed: half of what lacked to 500 ms came on top.
  expect(holdAndSend(3, 2_000, 100)).toBe(342.5)
})

test('several of us around one old neighbour do not start together', () => {
  const first = withoutChance()
  const second = withoutChance((count) => new Uint8Array(count).fill(255))
  const old = treeNeighbour('old')
  first.hold(1, old, 0)
  second.hold(1, old, 0)
  expect(first.held.nextDeadline()).toBe(200)
  expect(second.held.nextDeadline()).toBe(270)
})

test('nothing is sent to a neighbour that is gone', () => {
  const { held, hold } = withoutChance()
  const old = treeNeighbour('old')
  hold(1, old, 0)
  held.forgetNeighbour(old)
  expect(held.takeDue(1_000)).toEqual([])
})

test('beyond the limit a copy is not held', () => {
  const { held, hold } = withoutChance()
  const old = treeNeighbour('old')
  for (let count = 0; count < 16_384; count += 1) hold(1, old, 100)
  expect(held.nextDeadline()).toBe(300)
  hold(1, old, 150)
  expect(held.nextDeadline()).toBe(150)
  expect(held.takeDue(150)).toHaveLength(1)
})

test('copies for one neighbour never overtake each other', () => {
  let share = 0
  // The first hold, then the share by which each copy varies: the second would leave earlier.
  const { held, hold } = withoutChance(() => Uint8Array.of([0, 0, 255][share++] ?? 255))
  const old = treeNeighbour('old')
  hold(1, old, 0)
  hold(2, old, 1)
  expect(held.takeDue(199)).toEqual([])
  expect(held.takeDue(200).map(({ number }) => number)).toEqual([1, 2])
})
