/** Hash tables of our nodes and of plain 0.7 nodes, which keep each slot once and tell nobody what they hold. */
import { expect, test } from '@jest/globals'
import { utf8Encode } from '@p2p/serializer'
import { slotsOf } from '../../src/protocol/hash-tables.ts'
import { ChordNetwork } from './chord-network.ts'
import type { ChordSimNode } from './chord-network.ts'

const names = Array.from({ length: 25 }, (_, i) => `key ${i}`)
/** As py2p does: no extensions, ids as bytes. */
const plain = { extensions: false, idEncoding: 'bytes' } as const

/** Three nodes of ours and some plain ones, all linked and storing. */
function mixedNetwork(
  seed: number,
  plainCount: number,
): { network: ChordNetwork; ours: readonly ChordSimNode[]; old: readonly ChordSimNode[] } {
  const network = new ChordNetwork({ seed })
  const ours = network.addMany(3)
  const old = Array.from({ length: plainCount }, () => network.add(plain))
  for (const node of old) for (const other of ours) network.connect(node, other)
  network.sim.runFor(2_000)
  for (const node of [...ours, ...old]) {
    node.join()
    network.sim.runFor(2_000)
  }
  return { network, ours, old }
}

function readAll(network: ChordNetwork, reader: ChordSimNode | undefined): readonly unknown[] {
  const reads = names.map((name) => reader?.read(name))
  network.sim.runFor(8_000)
  return reads.map((read) => read?.())
}

const seeds = [1, 3]

test.each(seeds)('what an old node wrote outlives all old nodes (seed %i)', (seed) => {
  const { network, ours, old } = mixedNetwork(seed, 2)
  for (const name of names) old[0]?.write(name, name)
  network.sim.runFor(5_000)
  for (const node of old) node.sim.crash()
  network.sim.runFor(10_000)
  for (const node of ours) expect(readAll(network, node)).toEqual(names)
})

test.each(seeds)('keys of old nodes from before we came outlive them, too (seed %i)', (seed) => {
  const network = new ChordNetwork({ seed })
  const old = [network.add(plain), network.add(plain)]
  for (const node of old.slice(1)) for (const other of old.slice(0, 1)) network.connect(node, other)
  network.sim.runFor(1_000)
  for (const node of old) node.join()
  network.sim.runFor(1_000)
  for (const name of names) old[0]?.write(name, name)
  network.sim.runFor(3_000)
  const ours = network.addMany(3)
  for (const node of ours) for (const other of old) network.connect(node, other)
  network.sim.runFor(3_000)
  for (const node of ours) node.join()
  network.sim.runFor(60_000)
  for (const node of old) node.sim.crash()
  network.sim.runFor(10_000)
  for (const node of ours) expect(readAll(network, node)).toEqual(names)
})

test.each(seeds)('what an old node deletes is not given back to it (seed %i)', (seed) => {
  const { network, ours, old } = mixedNetwork(seed, 2)
  for (const name of names) old[0]?.write(name, name)
  network.sim.runFor(30_000)
  for (const name of names) old[1]?.write(name, null)
  network.sim.runFor(120_000)
  for (const node of [...ours, ...old]) {
    const held = names
      .flatMap((name) => slotsOf(utf8Encode(name)))
      .filter((slot) => node.machine.slots.get(slot)?.value !== undefined)
    expect(held).toEqual([])
  }
})

test.each(seeds)('old nodes that never met are made known to each other (seed %i)', (seed) => {
  const { network, old } = mixedNetwork(seed, 3)
  network.sim.runFor(60_000)
  for (const node of old) {
    const position = node.machine.storingNodes.get(node.machine.id)?.position ?? 0n
    expect(node.machine.storingNodes.ownerOf(position)?.id).toBe(node.machine.id)
    for (const name of names) {
      for (const slot of slotsOf(utf8Encode(name))) {
        const claimed = node.machine.storingNodes.ownerOf(slot.position)?.id
        const owner = network.nodes[0]?.machine.storingNodes.ownerOf(slot.position)?.id
        // It may believe that one of ours owns what an old node does, which then passes it on.
        if (claimed === node.machine.id) expect(owner).toBe(node.machine.id)
      }
    }
  }
})
