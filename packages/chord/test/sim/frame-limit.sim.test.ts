/** Nothing that a node says is longer than the frames its own kind takes: each would cost a link. */
import { expect, test } from '@jest/globals'
import { resolveLimits } from '@p2p/base'
import { ChordNetwork } from './chord-network.ts'
import type { ChordSimNode } from './chord-network.ts'

const maxFrameBytes = 65_536
const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => 0xc1)

function network(): ChordNetwork {
  const limits = resolveLimits({ maxFrameBytes })
  return new ChordNetwork({ seed: 1, machine: { limits, methods: [] } })
}

const cutLinks = (nodes: readonly ChordSimNode[]): number =>
  nodes.flatMap(({ events }) => events.filter(({ type }) => type === 'peer-leave')).length

test('a node that joins is sent all it is to hold, in messages that fit', () => {
  const net = network()
  const [a, b] = net.addMany(2)
  if (a === undefined || b === undefined) throw new Error('no nodes')
  for (const node of [a, b]) node.join()
  net.sim.runFor(3_000)
  const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`)
  const writes = keys.map((key) => a.write(key, random(5_000)))
  const small = Array.from({ length: 600 }, (_, index) => a.write(`small ${index}`, index))
  net.sim.runFor(5_000)
  const late = net.add()
  for (const node of [a, b]) net.connect(late, node)
  late.join()
  net.sim.runFor(20_000)
  expect([...writes, ...small].every((write) => write() === 'written')).toBe(true)
  expect([late.machine.slots.size, cutLinks(net.nodes)]).toEqual([660 * 5, 0])
})

test('what just fits is kept by all who should, long keys as well', () => {
  const net = network()
  const [a, b] = net.addMany(2)
  if (a === undefined || b === undefined) throw new Error('no nodes')
  for (const node of [a, b]) node.join()
  net.sim.runFor(3_000)
  // Three bytes say how long the value is.
  const room = maxFrameBytes - 1_024 - 3
  const writes = [a.write('key', random(room - 3)), a.write('k'.repeat(room - 10), random(10))]
  net.sim.runFor(10_000)
  const late = net.add()
  for (const node of [a, b]) net.connect(late, node)
  late.join()
  net.sim.runFor(20_000)
  expect(writes.map((write) => write())).toEqual(['written', 'written'])
  expect([late.machine.slots.size, late.keyCount(), cutLinks(net.nodes)]).toEqual([10, 2, 0])
})

test('what fits no frame is not kept, and not sent', () => {
  const net = network()
  const [a, b] = net.addMany(2)
  if (a === undefined || b === undefined) throw new Error('no nodes')
  for (const node of [a, b]) node.join()
  net.sim.runFor(3_000)
  // A program that drives a machine by itself is not told beforehand.
  const writes = [100, 400, 700, -1_000].map((less) => {
    const write = a.write(`less ${less}`, random(maxFrameBytes - less))
    net.sim.runFor(10_000)
    return write()
  })
  const late = net.add()
  for (const node of [a, b]) net.connect(late, node)
  late.join()
  net.sim.runFor(120_000)
  expect(writes).toEqual(Array(4).fill('failed'))
  expect([late.machine.slots.size, cutLinks(net.nodes)]).toEqual([0, 0])
})
