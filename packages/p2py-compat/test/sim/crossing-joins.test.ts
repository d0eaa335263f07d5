// Nodes that start at one moment, each to join through the others.
import { expect, test } from '@jest/globals'
import { SimulatedNetwork } from './simulated-network.ts'

const seed = process.env['SEED'] ?? 1

test.each([2, 3, 6])('%d nodes join through each other at once and are one network', (count) => {
  const network = new SimulatedNetwork({ seed })
  const peers = Array.from({ length: count }, () => network.add())
  const commands = peers.map((peer) => peer.join(...peers.filter((other) => other !== peer)))
  const answers = peers.map((peer, index) => network.answer(peer, commands[index]!))
  expect(answers).toEqual(peers.map(() => 'done'))
  network.run(30_000)
  const uuids = peers.map(({ uuid }) => Number(uuid)).sort((a, b) => a - b)
  expect(uuids).toEqual([...uuids.keys()])
  expect(peers.map(({ machine }) => machine.state.networkSize)).toEqual(peers.map(() => count))
  const late = network.add()
  expect(network.answer(late, late.join(peers[0]!))).toBe('done')
  expect(late.uuid).toBe(count)
})

test('two that start at once, each through the other first, come into the network that is there', () => {
  const network = new SimulatedNetwork({ seed })
  const [member] = network.grow(3)
  const [one, two] = [network.add(), network.add()]
  const commands = [one.join(two, member!), two.join(one, member!)]
  expect([one, two].map((peer, index) => network.answer(peer, commands[index]!))).toEqual([
    'done',
    'done',
  ])
  network.run(10_000)
  expect([one.uuid, two.uuid].sort()).toEqual([3, 4])
  expect(network.peers.map(({ machine }) => machine.state.networkSize)).toEqual([5, 5, 5, 5, 5])
})

test('nodes that join in a circle, each through the next, all fail, and none is the first of a network', () => {
  const network = new SimulatedNetwork({ seed })
  const peers = Array.from({ length: 3 }, () => network.add())
  const commands = peers.map((peer, index) => peer.join(peers[(index + 1) % 3]!))
  const codes = peers.map((peer, index) => {
    network.answer(peer, commands[index]!)
    return peer.codeOf(commands[index]!)
  })
  expect(codes).toEqual(peers.map(() => 'P2P_JOIN_FAILED'))
  network.run(60_000)
  expect(peers.map(({ uuid }) => uuid)).toEqual([null, null, null])
})
