import { expect, test } from '@jest/globals'
import { encodeBase58Integer } from '@p2p/serializer'
import { measureRouting } from '../scripts/routing.mjs'
import type { Routing } from '../scripts/routing.mjs'
import { routingTableOf } from '../src/protocol/finger-table.ts'
import { Lookup, namedInAnswer } from '../src/protocol/lookup.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import type { StoringNode } from '../src/protocol/storing-nodes.ts'

const measure = (options: { deadShare: number; fullTable: number }): Routing =>
  measureRouting(
    { StoringNodes, Lookup, namedInAnswer, routingTableOf, encodeBase58Integer },
    { nodeCount: 1_000, searches: 500, seed: 1, ...options },
  )

test('with a full table every owner is one hop away, also straight after half of the nodes died', () => {
  const calm = measure({ deadShare: 0, fullTable: 1_000 })
  expect([calm.hopsMost, calm.waitsMean, calm.wrong]).toEqual([1, 0, 0])
  const crashed = measure({ deadShare: 0.5, fullTable: 1_000 })
  expect([crashed.hopsMost, crashed.wrong]).toEqual([1, 0])
  // Each owner lives with a chance of one half, and so does each node behind it.
  expect(crashed.waitsMean).toBeGreaterThan(0.8)
  expect(crashed.waitsMean).toBeLessThan(1.2)
})

test('with fingers a node keeps a tenth of the ring and finds every owner in few hops', () => {
  const { tableMean, hopsMean, wrong } = measure({ deadShare: 0, fullTable: 0 })
  expect(wrong).toBe(0)
  expect(tableMean).toBeLessThan(110)
  expect(hopsMean).toBeLessThan(2.5)
  expect(hopsMean).toBeGreaterThan(1)
})

test('with fingers no answer is wrong straight after half of the nodes died', () => {
  expect(measure({ deadShare: 0.5, fullTable: 0 }).wrong).toBe(0)
})

const nodeAt = (position: bigint): StoringNode => ({
  id: encodeBase58Integer(position),
  position,
  isOld: false,
})

test('a search ends at the nearest node that answers', () => {
  const [far, near, nearest] = [nodeAt(10n), nodeAt(90n), nodeAt(99n)]
  const lookup = new Lookup(100n, [far])
  expect(lookup.next()).toBe(far.id)
  expect(lookup.next()).toBeUndefined()
  lookup.handleAnswer(far.id, [far, near, nearest])
  expect(lookup.owner).toBeUndefined()
  expect(lookup.next()).toBe(nearest.id)
  lookup.handleFailed(nearest.id)
  expect(lookup.next()).toBe(near.id)
  lookup.handleAnswer(near.id, [nearest, near])
  expect([lookup.owner, lookup.hops, lookup.failures]).toEqual([near.id, 2, 1])
})

test('a search that is led from one invented node to the next asks no more than 128', () => {
  const lookup = new Lookup(1_000_000n, [nodeAt(0n)])
  let asked = 0
  for (let id = lookup.next(); id !== undefined; id = lookup.next()) {
    asked += 1
    lookup.handleAnswer(id, [nodeAt(BigInt(asked))])
  }
  expect(asked).toBe(128)
  expect(lookup.owner).toBeUndefined()
})

test('nodes stand in a routing table where they stand on the ring', () => {
  const nodes = new StoringNodes()
  const ids = Array.from({ length: 100 }, (_, index) => encodeBase58Integer(BigInt(index) << 376n))
  for (const [index, id] of ids.entries()) nodes.add(id, false, (index * 7) % 90)
  const [own = ''] = ids
  const table = routingTableOf(nodes, own, 10)
  expect(table.size).toBeGreaterThan(48)
  for (const node of table.values()) expect(nodes.get(node.id)).toEqual(node)
})
