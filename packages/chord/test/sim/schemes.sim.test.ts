/** Nodes that cannot dial everything: a page has WebSockets only. */
import { expect, test } from '@jest/globals'
import { ChordNetwork } from './chord-network.ts'

test('a node dials the others at an address it has a transport for', () => {
  const schemes = ['ws']
  const net = new ChordNetwork({ seed: 1, machine: { schemes } })
  const servers = Array.from({ length: 8 }, (_, index) =>
    net.add({}, { listen: [`ws://server-${index}:1`] }),
  )
  for (const [index, { sim }] of servers.entries()) {
    // The first one named, which a page has no transport for.
    const addresses = [`tcp://server-${index}:1`, ...sim.addresses]
    sim.command({ type: 'listening', addresses })
    for (const earlier of servers.slice(0, index)) net.connect(servers[index]!, earlier)
  }
  net.sim.runFor(3_000)
  for (const server of servers) server.join()
  net.sim.runFor(5_000)
  const page = net.add({ meshLimits: { targetOutgoing: 1 } }, { listens: false })
  net.connect(page, servers[0]!)
  net.sim.runFor(2_000)
  const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`)
  const writes = keys.map((key) => page.write(key, 'v'))
  net.sim.runFor(5_000)
  expect(new Set(writes.map((write) => write()))).toEqual(new Set(['written']))
  const reads = keys.map((key) => servers[3]!.read(key))
  net.sim.runFor(5_000)
  expect(new Set(reads.map((read) => read()))).toEqual(new Set(['v']))
  expect([page.machine.peers.size, page.machine.storingNodes.size]).toEqual([8, 8])
})
