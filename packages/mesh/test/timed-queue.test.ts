import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { TimedQueue } from '../src/protocol/timed-queue.ts'

test('items come out by moment, equal moments in the order they were added', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (moments) => {
      const queue = new TimedQueue<number>()
      moments.forEach((atMs, item) => queue.add(atMs, item))
      const expected = moments
        .map((atMs, item) => ({ atMs, item }))
        .sort((a, b) => a.atMs - b.atMs || a.item - b.item)
      expect(queue.next()).toBe(expected[0]?.atMs ?? Infinity)
      const taken: (number | undefined)[] = []
      while (queue.size > 0) taken.push(queue.takeDue(20))
      expect(taken).toEqual(expected.map(({ item }) => item))
    }),
  )
})

test('an item is not handed out before its moment', () => {
  const queue = new TimedQueue<string>()
  queue.add(10, 'later')
  expect(queue.takeDue(9)).toBeUndefined()
  expect(queue.takeDue(10)).toBe('later')
  expect(queue.takeDue(10)).toBeUndefined()
})
