import { expect, test } from '@jest/globals'
import { encodeBase58Integer } from '@p2p/serializer'
import fc from 'fast-check'
import { clockwiseDistance, fractionOf, ringSize, toPosition } from '../src/protocol/ring.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { recordedCases } from './vectors/recorded.ts'

test('the owner of a key is the node that the originals find', () => {
  const rings = recordedCases('ring')
  expect(rings.length).toBeGreaterThan(20)
  for (const ring of rings) {
    const all = [{ id: ring.self, leeching: ring.self_leeching }, ...ring.peers]
    const nodes = new StoringNodes()
    for (const { id, leeching } of all) if (!leeching) nodes.add(id)
    ring.keys.forEach((key, index) => {
      const found = ring.find[index]
      const expected = found === null || found === undefined ? undefined : all[found]?.id
      expect([ring.name, nodes.ownerOf(toPosition(BigInt(key)))?.id]).toEqual([ring.name, expected])
    })
  }
})

// Small numbers make neighbours and wrap-around frequent; ids near 2^384 cover the other end.
const anyPosition = fc.oneof(
  fc.bigInt({ min: 0n, max: 60n }),
  fc.bigInt({ min: ringSize - 60n, max: ringSize - 1n }),
)
const anyRing = fc.uniqueArray(anyPosition, { minLength: 1, maxLength: 12 })

const nodesAt = (positions: readonly bigint[]): StoringNodes => {
  const nodes = new StoringNodes()
  for (const position of positions) nodes.add(encodeBase58Integer(position))
  return nodes
}

/** The plainest statement of the rule: sort everybody by how far the key lies ahead of them. */
const succession = (positions: readonly bigint[], key: bigint): bigint[] =>
  [...positions].sort((a, b) =>
    clockwiseDistance({ from: a, to: key }) < clockwiseDistance({ from: b, to: key }) ? -1 : 1,
  )

test('holders are the nodes nearest behind the key, nearest first, nobody twice', () => {
  fc.assert(
    fc.property(anyRing, anyPosition, fc.integer({ min: 0, max: 15 }), (ring, key, count) => {
      const holders = nodesAt(ring).holdersOf(key, count)
      const expected = succession(ring, key).slice(0, count)
      expect(holders.map((node) => node.position)).toEqual(expected)
    }),
  )
})

test('the numbers that are searched are those of the nodes, in their order, whoever comes and goes', () => {
  fc.assert(
    fc.property(anyRing, fc.array(fc.nat(11)), (ring, leaving) => {
      const nodes = nodesAt(ring)
      for (const index of leaving) {
        const position = ring[index]
        if (position !== undefined) nodes.delete(encodeBase58Integer(position))
      }
      const positions = [...nodes.values()].map((node) => node.position)
      expect(nodes.fractions).toEqual(positions.map(fractionOf))
      expect(positions).toEqual([...positions].sort((a, b) => (a < b ? -1 : 1)))
    }),
  )
})

test('when the owner leaves, the first replica holder becomes the owner', () => {
  fc.assert(
    fc.property(anyRing, anyPosition, (ring, key) => {
      const nodes = nodesAt(ring)
      const [owner, heir] = nodes.holdersOf(key, 2)
      if (owner === undefined) throw new Error('a ring without an owner')
      expect(nodes.delete(owner.id)).toBe(true)
      expect(nodes.ownerOf(key)?.id).toBe(heir?.id)
    }),
  )
})

test('neighbours go round the ring on either side and leave out the node itself', () => {
  const nodes = nodesAt([10n, 20n, 30n, 40n])
  const positions = (found: readonly { readonly position: bigint }[]): bigint[] =>
    found.map((node) => node.position)
  expect(positions(nodes.behind(encodeBase58Integer(10n), 2))).toEqual([40n, 30n])
  expect(positions(nodes.ahead(encodeBase58Integer(40n), 9))).toEqual([10n, 20n, 30n])
  expect(nodes.behind('stranger', 2)).toEqual([])
})

test('a node is known once, and only when its id has a place', () => {
  const nodes = new StoringNodes()
  expect(nodes.add('21')).toBe(true)
  expect(nodes.add('21')).toBe(false)
  expect(nodes.add('not base58 0')).toBe(false)
  expect(nodes.size).toBe(1)
  expect(nodes.delete('22')).toBe(false)
})
