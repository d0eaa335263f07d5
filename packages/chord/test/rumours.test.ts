/** Whom a node tells of what is new in a large ring. */
import { expect, test } from '@jest/globals'
import { SeededRandom } from '@p2p/base/sim'
import { listenersOf, passOnAfterMs } from '../src/protocol/rumours.ts'

const random = new SeededRandom('listeners')
const bytes = (count: number): Uint8Array => random.bytes(count)

test('four different neighbours are told, and all of fewer', () => {
  for (let count = 0; count < 12; count += 1) {
    const neighbours = Array.from({ length: count }, (_, index) => index)
    for (let draw = 0; draw < 20; draw += 1)
      expect(new Set(listenersOf(neighbours, bytes)).size).toBe(Math.min(4, count))
  }
})

test('each neighbour is drawn as often as any other', () => {
  const draws = new Map<number, number>()
  for (let draw = 0; draw < 5_000; draw += 1)
    for (const drawn of listenersOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], bytes))
      draws.set(drawn, (draws.get(drawn) ?? 0) + 1)
  for (const count of draws.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200)
})

test('a rumour goes around a ring of a thousand nodes in six passes', () => {
  const nodes = Array.from({ length: 1_000 }, (_, index) => index)
  for (let start = 0; start < 20; start += 1) {
    const heard = new Set([start])
    let passing: readonly number[] = [start]
    for (let pass = 0; pass < 6; pass += 1) {
      const told = passing.flatMap(() => listenersOf(nodes, bytes))
      passing = [...new Set(told)].filter((node) => !heard.has(node))
      for (const node of passing) heard.add(node)
    }
    expect(heard.size).toBeGreaterThan(900)
  }
})

test('the more news wait, the sooner they are passed on', () => {
  expect(passOnAfterMs(1)).toBeGreaterThan(passOnAfterMs(100))
})
