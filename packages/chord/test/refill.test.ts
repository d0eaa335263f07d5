import { expect, test } from '@jest/globals'
import { encodeBase58Integer, utf8Encode } from '@p2p/serializer'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import { Refill } from '../src/protocol/refill.ts'
import { Repair } from '../src/protocol/repair.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'

const replicas = 2
const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({
  monoMs,
  utcSeconds: 1_500_000_000,
})

/** A node that owns the first half of the ring, and one that owns the second; the first has one slot of a key. */
function twoNodes(): { refill: Refill; repair: Repair; slots: SlotStore; nodes: StoringNodes } {
  const id = encodeBase58Integer(1n)
  const nodes = new StoringNodes()
  nodes.add(id)
  nodes.add(encodeBase58Integer(2n ** 383n))
  const slots = new SlotStore()
  const options = { id, slots, nodes, replicas, random: (count: number) => new Uint8Array(count) }
  return { refill: new Refill(options), repair: new Repair(options), slots, nodes }
}

/** A key whose first slot the first node owns, and another one too. */
function keyOfFirst(): Uint8Array {
  for (let number = 0; ; number += 1) {
    const key = utf8Encode(`key ${number}`)
    const owned = slotsOf(key).map(({ position }) => position < 2n ** 383n)
    if (owned[0] === true && owned.includes(true, 1) && owned.includes(false)) return key
  }
}

test('slots that all holders have lost are taken from another table, by their new owner too', () => {
  const { refill, repair, slots } = twoNodes()
  const key = keyOfFirst()
  const [first, ...others] = slotsOf(key)
  if (first === undefined) throw new Error('no slot')
  const write = { value: new Uint8Array([1]), version: { time: 1, writer: 'w' }, key }
  slots.put(first, write)
  refill.start(0)
  const offers = repair.spread(refill.handleDeadline(at(refill.nextDeadline())))
  for (const slot of others) {
    const isOwn = slot.position < 2n ** 383n
    expect(slots.get(slot)?.value).toEqual(isOwn ? write.value : undefined)
    const offered = offers.flatMap((offer) => offer.slots.map(({ slotText }) => slotText))
    expect(offered.includes(slot.slotText)).toBe(!isOwn)
  }
})

test('many departures bring a refill at once, and a second one for those found out later', () => {
  const { refill } = twoNodes()
  refill.start(0)
  while (refill.nextDeadline() < 60_000) refill.handleDeadline(at(refill.nextDeadline()))
  const startMs = refill.nextDeadline() - 600_000
  for (let gone = 0; gone < replicas; gone += 1) {
    expect(refill.nextDeadline()).toBe(startMs + 600_000)
    refill.noteDeparture(startMs + 1_000)
  }
  expect(refill.nextDeadline()).toBeLessThan(startMs + 2_000)
  refill.handleDeadline(at(startMs + 2_000))
  refill.noteDeparture(startMs + 3_000)
  expect(refill.nextDeadline()).toBe(startMs + 12_000)
  refill.handleDeadline(at(startMs + 12_000))
  expect(refill.nextDeadline()).toBe(startMs + 612_000)
})
