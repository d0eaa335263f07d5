import { expect, test } from '@jest/globals'
import { encodeBase58Integer, utf8Encode } from '@p2p/serializer'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import { Repair } from '../src/protocol/repair.ts'
import type { Offer } from '../src/protocol/repair.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'

const middle = 2n ** 383n
const replicas = 2

/** The first of two nodes, which own one half of the ring each; both hold all there is. */
function firstOfTwo(): { repair: Repair; slots: SlotStore } {
  const id = encodeBase58Integer(0n)
  const nodes = new StoringNodes()
  nodes.add(id)
  nodes.add(encodeBase58Integer(middle))
  const slots = new SlotStore()
  return { repair: new Repair({ id, slots, nodes, replicas }), slots }
}

/** A key of whose slots the first node owns the first one, and another one but not all. */
function keyOfFirst(): Uint8Array {
  for (let number = 0; ; number += 1) {
    const key = utf8Encode(`key ${number}`)
    const owned = slotsOf(key).map(({ position }) => position < middle)
    if (owned[0] === true && owned.includes(true, 1) && owned.includes(false)) return key
  }
}

const textsIn = (offers: readonly Offer[]): readonly string[] =>
  offers.flatMap(({ slots }) => slots.map(({ head }) => head.slotText))

test('slots that all holders have lost come from another table, to their new owner here too', () => {
  const { repair, slots } = firstOfTwo()
  const key = keyOfFirst()
  const [first, ...others] = slotsOf(key)
  if (first === undefined) throw new Error('a key without slots')
  const value = Uint8Array.of(1)
  slots.put(first, { value, version: { time: 1, writer: 'w' }, key })
  const offered = textsIn(repair.offers(0))
  for (const slot of others) {
    const isOwn = slot.position < middle
    expect(slots.get(slot)?.value).toEqual(isOwn ? value : undefined)
    expect(offered.includes(slot.slotText)).toBe(!isOwn)
  }
})

test('many departures bring a refill before its time, and the next repair another', () => {
  const { repair, slots } = firstOfTwo()
  const key = keyOfFirst()
  const [first] = slotsOf(key)
  if (first === undefined) throw new Error('a key without slots')
  slots.put(first, { value: Uint8Array.of(1), version: { time: 1, writer: 'w' }, key })
  const refills = (): boolean => textsIn(repair.offers(1_000)).length > 0
  expect([refills(), refills()]).toEqual([true, false])
  for (let gone = 0; gone < replicas; gone += 1) repair.noteDeparture()
  expect([refills(), refills(), refills()]).toEqual([true, true, false])
})
