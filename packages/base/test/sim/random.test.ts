import { expect, test } from '@jest/globals'
import { SeededRandom } from '../../src/sim/random.ts'

const draws = (random: SeededRandom, count: number): number[] =>
  Array.from({ length: count }, () => random.uint32())

test('the same seed gives the same numbers, another seed others', () => {
  expect(draws(new SeededRandom(7), 5)).toEqual(draws(new SeededRandom(7), 5))
  expect(draws(new SeededRandom(7), 5)).not.toEqual(draws(new SeededRandom(8), 5))
})

test('a fork does not disturb the stream it came from', () => {
  const plain = new SeededRandom('a')
  const forked = new SeededRandom('a')
  draws(forked.fork('x'), 100)
  expect(draws(forked, 5)).toEqual(draws(plain, 5))
  expect(draws(plain.fork('x'), 5)).not.toEqual(draws(plain.fork('y'), 5))
})

test('fractions fill the unit interval evenly', () => {
  const random = new SeededRandom(1)
  const buckets = new Array<number>(10).fill(0)
  for (let draw = 0; draw < 100_000; draw += 1) {
    const bucket = random.below(10)
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500)
})

test('chance draws nothing when the answer is certain', () => {
  const asked = new SeededRandom(3)
  expect([asked.chance(0), asked.chance(1)]).toEqual([false, true])
  expect(draws(asked, 3)).toEqual(draws(new SeededRandom(3), 3))
})

test('shuffle keeps every item and leaves the argument alone', () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8]
  const shuffled = new SeededRandom(4).shuffle(items)
  expect(shuffled).not.toEqual(items)
  expect([...shuffled].sort()).toEqual(items)
  expect(items).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('bytes has the length that was asked for, and pick refuses nothing', () => {
  expect(new SeededRandom(5).bytes(7)).toHaveLength(7)
  expect(() => new SeededRandom(5).pick([])).toThrow(RangeError)
})
