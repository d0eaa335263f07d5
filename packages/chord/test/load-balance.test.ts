import { expect, test } from '@jest/globals'
import { encodeBase58Integer } from '@p2p/serializer'
import { measureLoad } from '../scripts/load-balance.mjs'
import { balancedId } from '../src/protocol/balanced-id.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'

const mostToMean = (tries: number): number =>
  measureLoad(
    { StoringNodes, balancedId, encodeBase58Integer },
    { nodeCount: 300, tries, replicas: 5, seeds: 2 },
  ).mostToMean

test('nodes that choose their place share the load evenly, others do not', () => {
  expect(mostToMean(64)).toBeLessThan(1.7)
  expect(mostToMean(1)).toBeGreaterThan(1.9)
})

test('the place farthest from the neighbours is taken', () => {
  const nodes = new StoringNodes()
  for (const position of [100n, 200n, 1n << 383n]) nodes.add(encodeBase58Integer(position))
  const drawn = [110n, 150n, 199n, 1n << 382n, (1n << 383n) + 5n].map(encodeBase58Integer)
  const ids = [...drawn].values()
  const chosen = balancedId(nodes, () => ids.next().value ?? '', drawn.length)
  expect(chosen).toBe(encodeBase58Integer(1n << 382n))
})
