// Announcements of newcomers in a network that is still being put together.
import { expect, test } from '@jest/globals'
import { SimulatedNetwork } from './simulated-network.ts'

const seed = process.env['SEED'] ?? 1

/** Members that each node does not know, as `node: unknown`. */
function unknown(network: SimulatedNetwork): string[] {
  const uuids = network.peers.map(({ uuid }) => uuid)
  return network.peers.flatMap(({ uuid, machine }) => {
    const known = new Set([uuid, ...machine.state.members])
    const missing = uuids.filter((other) => other !== null && !known.has(other))
    return missing.length === 0 ? [] : [`${uuid}: ${missing.join()}`]
  })
}

test.each([6, 48])('%d nodes that join in a hurry all hear of each other', (count) => {
  const network = new SimulatedNetwork({ seed })
  network.grow(count) // each as soon as the one before has its UUID
  network.run(10_000)
  expect(unknown(network)).toEqual([])
})

test('nodes that join all at once all hear of each other', () => {
  const network = new SimulatedNetwork({ seed })
  const first = network.add()
  const others = Array.from({ length: 40 }, () => network.add())
  for (const peer of others) peer.join(first)
  network.run(120_000)
  expect(others.filter(({ uuid }) => uuid === null)).toEqual([])
  expect(unknown(network)).toEqual([])
})

test('a newcomer is heard of by new links, when the only way there was through a node that stalls', () => {
  const network = new SimulatedNetwork({ seed })
  const [zero, one, two] = network.grow(3) // 0 and 2 have no link to each other yet
  if (zero === undefined || one === undefined || two === undefined) throw new Error('three nodes')
  one.sim.pause(20_000) // as a Python node with many tasks before this one
  const three = network.add()
  three.join(two)
  network.run(5_000)
  expect(three.uuid).toBe(3)
  expect(zero.machine.state.members).toContain(3)
})
