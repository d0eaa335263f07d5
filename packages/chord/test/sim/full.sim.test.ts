/** A node without room: what it cannot keep it is not sent again and again, and it gets it when there is room. */
import { expect, test } from '@jest/globals'
import { ChordNetwork } from './chord-network.ts'

test('what has no room is not asked for, until there is room', () => {
  const net = new ChordNetwork({ seed: 2 })
  const full = net.add({ slotLimits: { maxValueBytes: 400_000 } })
  const [writer, other] = [net.add(), net.add()]
  for (const [index, node] of net.nodes.entries())
    for (const earlier of net.nodes.slice(0, index)) net.connect(node, earlier)
  net.sim.runFor(3_000)
  for (const node of net.nodes) node.join()
  net.sim.runFor(3_000)
  const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
  const value = new Uint8Array(10_000).fill(0xc1)
  for (const key of keys) writer.write(key, value)
  net.sim.runFor(60_000)
  expect(full.machine.slots.size).toBeLessThan(50)
  const before = full.machine.counters().refusedStores
  net.sim.runFor(600_000)
  // The refill, which comes every ten minutes, offers all of it once.
  expect(full.machine.counters().refusedStores).toBeLessThanOrEqual((before ?? 0) + 500)
  // A newcomer is told by the full one as well.
  const late = net.add()
  for (const node of [full, writer, other]) net.connect(late, node)
  late.join()
  net.sim.runFor(60_000)
  expect(late.machine.slots.size).toBe(500)

  for (const key of keys.slice(6)) writer.write(key, null)
  net.sim.runFor(180_000)
  expect([full.machine.slots.size, full.machine.slots.tombstoneCount]).toEqual([30, 470])
})
