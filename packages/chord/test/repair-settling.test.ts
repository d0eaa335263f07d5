/** Two nodes that compare what they hold, until both have the newest of everything. */
import { describe, expect, test } from '@jest/globals'
import { encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import { slotsOf, type Slot } from '../src/protocol/hash-tables.ts'
import type { Parcel } from '../src/protocol/hand-overs.ts'
import { Repair } from '../src/protocol/repair.ts'
import { SlotStore, type StoredSlot } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { readTableMessage } from '../src/protocol/table-messages.ts'

const wholeRing = { from: 0n, to: 0n }
const ids = [1n, 2n ** 382n, 2n ** 383n].map(encodeBase58Integer)

/** The place of a key in the first table. */
function placeOf(key: Uint8Array): Slot {
  const [slot] = slotsOf(key)
  if (slot === undefined) throw new Error('no table')
  return slot
}

/** A node of a ring in which everybody holds everything. */
class Side {
  readonly id: string
  readonly slots = new SlotStore()
  readonly repair: Repair

  constructor(id: string, nodes: StoringNodes, replicas = 3) {
    this.id = id
    this.repair = new Repair({ id, slots: this.slots, nodes, replicas })
  }

  put(name: string, value: string | undefined, time: number): void {
    const key = utf8Encode(name)
    const bytes = value === undefined ? undefined : encodeValue(value)
    this.slots.put(placeOf(key), { value: bytes, version: { time, writer: 'w' }, key })
  }

  /** What the node sends when this comes. */
  take(from: string, { payload }: Parcel): readonly Parcel[] {
    const message = readTableMessage(payload)
    switch (message?.type) {
      case 'compare':
        return this.repair.handleCompare(from, message.arc, message.summary)
      case 'list':
        return this.repair.handleList(from, message.arc, message.heads)
      case 'want':
        return this.repair.handleWant(from, message.slots, [])
      case 'put':
        for (const entry of message.entries) this.slots.put(entry, entry)
        return []
      default:
        throw new Error('an unexpected message')
    }
  }

  content(): readonly unknown[] {
    return [...this.slots.inArc(wholeRing)]
      .map(({ slotText, value, version }) => [slotText, value?.join(), version.time])
      .sort()
  }
}

function ring(): StoringNodes {
  const nodes = new StoringNodes()
  for (const id of ids) nodes.add(id)
  return nodes
}

function twoSides(): readonly [Side, Side] {
  const nodes = ring()
  const [a = '', b = ''] = ids
  return [new Side(a, nodes), new Side(b, nodes)]
}

/** Carries messages to and fro until nothing is left; returns how many. */
function settle(one: Side, other: Side): number {
  const queue = one.repair
    .comparisons(true)
    .filter(({ peer }) => peer === other.id)
    .map((parcel) => [one, parcel] as const)
  let count = 0
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [sender, parcel] = next
    const receiver = sender === one ? other : one
    for (const answer of receiver.take(sender.id, parcel)) queue.push([receiver, answer])
    count += 1
    if (count > 10_000) throw new Error('they never end')
  }
  return count
}

describe('two nodes that hold the same slots', () => {
  test('find out in one message when nothing differs', () => {
    const [a, b] = twoSides()
    for (const side of [a, b]) side.put('key', 'v', 1)
    expect(settle(a, b)).toBeLessThanOrEqual(2)
  })

  test('both have the newest of each slot afterwards, deletes included', () => {
    const [a, b] = twoSides()
    a.put('only a', 'v', 1)
    b.put('only b', 'v', 1)
    a.put('newer at a', 'new', 2)
    b.put('newer at a', 'old', 1)
    a.put('deleted at b', 'v', 1)
    b.put('deleted at b', undefined, 2)
    settle(a, b)
    expect(a.content()).toEqual(b.content())
    expect([a.slots.size, a.slots.tombstoneCount]).toEqual([3, 1])
  })

  test('narrow down where they differ when there are too many to list', () => {
    const [a, b] = twoSides()
    for (let number = 0; number < 2_000; number += 1) {
      a.put(`key ${number}`, 'v', number === 77 ? 2 : 1)
      if (number !== 1_500) b.put(`key ${number}`, 'v', 1)
    }
    settle(a, b)
    expect(a.content()).toEqual(b.content())
    expect(b.slots.size).toBe(2_000)
  })

  test('send large values in messages of bounded size', () => {
    const [a, b] = twoSides()
    for (let number = 0; number < 20; number += 1) a.put(`key ${number}`, 'x'.repeat(100_000), 1)
    const puts = b.repair.handleList(a.id, wholeRing, [])
    expect(puts).toEqual([])
    const sent = a.repair.handleList(b.id, wholeRing, [])
    expect(sent.length).toBeGreaterThan(1)
    for (const parcel of sent) b.take(a.id, parcel)
    expect(b.content()).toEqual(a.content())
  })
})

test('a node that does not store compares nothing', () => {
  const side = new Side('3', ring())
  expect(side.repair.comparisons(true)).toEqual([])
})

test('who is asked for what it does not have any more sends nothing', () => {
  const [a, b] = twoSides()
  const wanted: readonly Slot[] = [placeOf(utf8Encode('gone'))]
  expect(a.repair.handleWant(b.id, wanted, [])).toEqual([])
  const held: StoredSlot[] = []
  expect(a.repair.handleOffer(b.id, 1, held)).toHaveLength(1)
})
