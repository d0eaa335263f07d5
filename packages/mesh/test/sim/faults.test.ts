import { expect, test } from '@jest/globals'
import type { WireMessage } from '@p2p/serializer'
import { MeshNetwork, type MeshSimNode } from './mesh-network.ts'

const fixedGraph = { listsPeersAfterHandshake: false, dialsKnownPeers: false }

/** Messages from the same few senders, so that trees have formed. */
function warmUp(network: MeshNetwork, senders: readonly MeshSimNode[]): void {
  for (let round = 0; round < 3; round += 1) {
    for (const sender of senders) network.broadcast(sender, 'warm up', round)
    network.sim.runFor(1_000)
  }
}

/** Nodes that did not get the message exactly once. */
function wrong(network: MeshNetwork, message: WireMessage, sender: MeshSimNode): number {
  return network.deliveries(message, sender).filter((count) => count !== 1).length
}

function grow(network: MeshNetwork, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const node = network.add()
    const [first] = network.nodes
    if (first !== undefined && first !== node) network.connect(node, first)
    network.sim.runFor(100)
  }
  network.sim.runFor(20_000)
}

test('once trees have formed, a message costs one copy per delivery', () => {
  const network = new MeshNetwork({ seed: 11, machine: { policy: fixedGraph } })
  for (let index = 0; index < 60; index += 1) network.add()
  network.linkAtRandom(8)
  const senders = network.nodes.slice(0, 3)
  warmUp(network, senders)
  const before = network.counter('copiesSent')
  for (const sender of senders) {
    const message = network.broadcast(sender, 'measured')
    network.sim.runFor(2_000)
    expect(wrong(network, message, sender)).toBe(0)
  }
  const copies = network.counter('copiesSent') - before
  expect(copies / (senders.length * 59)).toBeLessThanOrEqual(1.05)
})

test('when half of the nodes die at once, the next message reaches all others, and links are made again', () => {
  const network = new MeshNetwork({ seed: 12 })
  grow(network, 60)
  const [sender] = network.nodes
  if (sender === undefined) throw new Error('no node')
  warmUp(network, [sender])
  network.nodes.forEach((node, index) => {
    if (index % 2 === 1) node.sim.crash({ silent: index % 4 === 1 })
  })
  const message = network.broadcast(sender, 'after the crash')
  network.sim.runFor(5_000)
  expect(wrong(network, message, sender)).toBe(0)
  network.sim.runFor(60_000)
  const alive = network.nodes.filter((node) => node.sim.isUp)
  expect(Math.min(...alive.map((node) => node.peers.size))).toBeGreaterThanOrEqual(8)
})

test('what was said during a partition reaches the other side once it is healed, once', () => {
  const network = new MeshNetwork({ seed: 13 })
  grow(network, 24)
  const [left, right] = [network.nodes.slice(0, 12), network.nodes.slice(12)]
  const [a] = left
  const [b] = right
  if (a === undefined || b === undefined) throw new Error('no node')
  warmUp(network, [a, b])
  const cut = network.sim.partition([left.map(({ sim }) => sim), right.map(({ sim }) => sim)])
  network.sim.runFor(20_000)
  const said = [a, b].map((sender) => ({ sender, message: network.broadcast(sender, 'hear me') }))
  network.sim.runFor(5_000)
  for (const { sender, message } of said) expect(wrong(network, message, sender)).toBe(12)
  cut.heal()
  network.sim.runFor(30_000)
  for (const { sender, message } of said) expect(wrong(network, message, sender)).toBe(0)
})

test('nodes that announce what they never send do not keep a message from the others', () => {
  const network = new MeshNetwork({ seed: 14, machine: { policy: fixedGraph } })
  const liar = { policy: { ...fixedGraph, mayPass: () => false } }
  for (let index = 0; index < 50; index += 1) network.add(index % 5 < 2 ? liar : {})
  network.linkAtRandom(8)
  const sender = network.nodes[4]
  if (sender === undefined) throw new Error('no node')
  for (let round = 0; round < 4; round += 1) {
    const message = network.broadcast(sender, round)
    network.sim.runFor(8_000)
    expect(wrong(network, message, sender)).toBe(0)
  }
})

test('a message stamped 60 s ago goes nowhere, one stamped 59 s ago goes everywhere', () => {
  for (const [utcOffsetSeconds, expected] of [
    [-60, 0],
    [-59, 1],
    [600, 1],
    [601, 0],
  ] as const) {
    const network = new MeshNetwork({ seed: 15, machine: { policy: fixedGraph } })
    const sender = network.add({}, { utcOffsetSeconds })
    const others = [network.add(), network.add(), network.add()]
    for (const other of others) network.connect(other, sender)
    network.sim.runUntil(() => sender.peers.size === 3, 5_000)
    // Stamps are whole seconds; what is sent at a whole second has exactly the age of the offset.
    network.sim.runFor(1_000 - (network.sim.nowMs % 1_000))
    const message = network.broadcast(sender, 'boundary')
    network.sim.runFor(900)
    expect(network.deliveries(message, sender)).toEqual([expected, expected, expected])
  }
})

test('a node whose clock jumps neither loses nor repeats messages', () => {
  const network = new MeshNetwork({ seed: 16, machine: { policy: fixedGraph } })
  for (let index = 0; index < 10; index += 1) network.add()
  network.linkAtRandom(3)
  const [sender, jumping] = network.nodes
  if (sender === undefined || jumping === undefined) throw new Error('no node')
  const messages: WireMessage[] = []
  for (const offset of [0, 50, -100, 30, -300, 0]) {
    jumping.sim.utcOffsetSeconds = offset
    for (let count = 0; count < 5; count += 1) messages.push(network.broadcast(sender, count))
    network.sim.runFor(20_000)
  }
  for (const message of messages) expect(wrong(network, message, sender)).toBe(0)
})

test('among old programs every message reaches all of ours once', () => {
  const network = new MeshNetwork({ seed: 17 })
  const [seed] = [network.add()]
  for (let index = 0; index < 12; index += 1) {
    network.connect(network.add(), seed)
    const old = network.addOld(index % 2 === 0 ? 'py2p' : 'js2p')
    old.sim.command({ type: 'connect', address: String(seed.sim.addresses[0]) })
    network.sim.runFor(1_500)
  }
  network.sim.runFor(20_000)
  for (let round = 0; round < 5; round += 1) {
    for (const sender of network.nodes.slice(0, 3)) {
      const message = network.broadcast(sender, 'mixed', round)
      network.sim.runFor(1_500)
      expect(wrong(network, message, sender)).toBe(0)
    }
  }
})
