import { expect, test } from '@jest/globals'
import { MeshNetwork } from './mesh-network.ts'

const fixedGraph = { listsPeersAfterHandshake: true, dialsKnownPeers: false }

test('a broadcast crosses a chain and reaches everybody once', () => {
  const network = new MeshNetwork({ seed: 1, machine: { policy: fixedGraph } })
  const [a, b, c, d] = [network.add(), network.add(), network.add(), network.add()]
  network.connect(a, b)
  network.connect(b, c)
  network.connect(c, d)
  network.sim.runFor(2_000)
  const message = network.broadcast(a, 'hello')
  network.sim.runFor(2_000)
  expect(network.deliveries(message, a)).toEqual([1, 1, 1])
  expect(a.delivered.size).toBe(0)
})

for (const dissemination of ['flood', 'tree'] as const) {
  test(`${dissemination}: in a random network every message reaches everybody once`, () => {
    const network = new MeshNetwork({ seed: 2, machine: { policy: fixedGraph, dissemination } })
    for (let count = 0; count < 50; count += 1) network.add()
    network.linkAtRandom(4)
    for (const sender of network.nodes.slice(0, 10)) {
      const message = network.broadcast(sender, 'hello')
      network.sim.runFor(2_000)
      expect(network.deliveries(message, sender).every((count) => count === 1)).toBe(true)
    }
  })
}

test('two equal messages within one second both arrive', () => {
  const network = new MeshNetwork({ seed: 3 })
  const [a, b] = [network.add(), network.add()]
  network.connect(a, b)
  network.sim.runFor(1_000)
  const messages = [network.broadcast(a, 'again'), network.broadcast(a, 'again')]
  network.sim.runFor(500)
  expect(messages.map((message) => network.deliveries(message, a))).toEqual([[1], [1]])
})
