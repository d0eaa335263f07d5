/** Nodes choose their places on the ring, and keep what they store while they move. */
import { expect, test } from '@jest/globals'
import { mostToMean, placesOf } from '../../src/protocol/even-places.ts'
import { StoringNodes } from '../../src/protocol/storing-nodes.ts'
import { ChordNetwork } from './chord-network.ts'
import type { ChordSimNode } from './chord-network.ts'

const names = Array.from({ length: 20 }, (_, i) => `key ${i}`)
const replicas = 5
const plain = { extensions: false, idEncoding: 'bytes' } as const

function loadOf(
  nodes: readonly ChordSimNode[],
  shiftOf = (node: ChordSimNode) => node.machine.shift,
) {
  const ring = new StoringNodes()
  for (const node of nodes) ring.add(node.machine.id, false, shiftOf(node))
  return mostToMean(placesOf(ring), replicas)
}

/** Nodes that join at one moment, so that nobody can choose by what others have chosen. */
function crowd(
  seed: number,
  count: number,
): { network: ChordNetwork; nodes: readonly ChordSimNode[] } {
  const network = new ChordNetwork({ seed })
  const nodes = network.addMany(count)
  for (const node of nodes) node.join()
  for (const name of names) nodes[0]?.write(name, name)
  network.sim.runFor(2_000)
  return { network, nodes }
}

function readBy(network: ChordNetwork, reader: ChordSimNode | undefined): readonly unknown[] {
  const reads = names.map((name) => reader?.read(name))
  network.sim.runFor(8_000)
  return reads.map((read) => read?.())
}

test.each([1, 3])('nodes that came at once move until the load is even (seed %i)', (seed) => {
  const { network, nodes } = crowd(seed, 20)
  expect(loadOf(nodes, () => 0)).toBeGreaterThan(1.7)
  network.sim.runFor(60_000)
  expect(loadOf(nodes)).toBeLessThan(1.7)
  const views = nodes.map(({ machine }) => [...machine.storingNodes.values()])
  for (const view of views) expect(view).toEqual(views[0])
  expect(readBy(network, nodes[3])).toEqual(names)
})

test('a program of protocol 0.7 reads from nodes with places of their own, and they go back to their ids once it stores', () => {
  const { network, nodes } = crowd(3, 20)
  network.sim.runFor(45_000)
  const old = network.add(plain)
  for (const other of nodes) network.connect(old, other)
  network.sim.runFor(2_000)
  expect(nodes.some(({ machine }) => machine.shift !== 0)).toBe(true)
  expect(readBy(network, old)).toEqual(names)

  old.join()
  network.sim.runFor(30_000)
  expect(nodes.map(({ machine }) => machine.shift)).toEqual(nodes.map(() => 0))
  const [one] = nodes
  for (const node of nodes) expect(node.machine.ringPosition).not.toBe(old.machine.ringPosition)
  expect(one?.machine.storingNodes.size).toBe(nodes.length + 1)
  expect(readBy(network, old)).toEqual(names)
  expect(readBy(network, one)).toEqual(names)

  old.sim.crash({ keepStore: false })
  network.sim.runFor(60_000)
  expect(loadOf(nodes)).toBeLessThan(1.7)
  expect(readBy(network, one)).toEqual(names)
})

test('where a few nodes store nobody moves', () => {
  const network = new ChordNetwork({ seed: 3 })
  const nodes = network.addMany(8)
  for (const node of nodes) node.join()
  network.sim.runFor(20_000)
  expect(nodes.map(({ machine }) => machine.shift)).toEqual(nodes.map(() => 0))
  expect(loadOf(nodes)).toBeLessThan(1.7)
})
