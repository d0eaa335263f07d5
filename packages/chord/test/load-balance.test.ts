import { expect, test } from '@jest/globals'
import { encodeBase58Integer } from '@p2p/serializer'
import { measureLoad } from '../scripts/load-balance.mjs'
import type { Load } from '../scripts/load-balance.mjs'
import { bestShift, chanceToMove } from '../src/protocol/balancing.ts'
import { mostToMean, placesOf } from '../src/protocol/even-places.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'

const code = { StoringNodes, placesOf, bestShift, chanceToMove, mostToMean, encodeBase58Integer }
const common = { replicas: 5, seeds: 2 }
const bound = 1.7

const loadOf = (way: Load['way'], nodeCount: number, tries = 64): Load =>
  measureLoad(code, { ...common, way, nodeCount, tries })

test.each([2, 8, 9, 13, 30, 200])('%i nodes share the load evenly, however they come', (count) => {
  expect(loadOf('one by one', count).mostToMean).toBeLessThan(bound)
  expect(loadOf('at once', count).mostToMean).toBeLessThan(bound)
})

test('nodes that do not choose their places do not', () => {
  expect(loadOf('one by one', 200, 1).mostToMean).toBeGreaterThan(1.9)
})

test('one in eight of those that hold too much moves, and those that are missed least', () => {
  const random = loadOf('at once', 100)
  expect(random.moves).toBeGreaterThan(0)
  expect(random.moves).toBeLessThan(20)
})
