/** A node that is new on the ring is handed what it is to hold: each slot once, although eight others have it. */
import { expect, test } from '@jest/globals'
import { encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import type { Parcel } from '../src/protocol/hand-overs.ts'
import { Repair } from '../src/protocol/repair.ts'
import { RepairRounds } from '../src/protocol/repair-rounds.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { readTableMessage } from '../src/protocol/table-messages.ts'

const replicas = 5
const eighth = 2n ** 381n
const newcomer = encodeBase58Integer(eighth / 2n)
const others = Array.from({ length: 8 }, (_, index) => encodeBase58Integer(BigInt(index) * eighth))

/** Eight nodes that hold 400 keys where they belong, and one that has just come. */
class Ring {
  readonly nodes = new StoringNodes()
  readonly members = new Map<string, { readonly slots: SlotStore; readonly repair: Repair }>()
  readonly #queue: { readonly from: string; readonly parcel: Parcel }[] = []
  entriesToNewcomer = 0

  constructor() {
    for (const id of others) this.nodes.add(id)
    for (const id of [...others, newcomer]) {
      const slots = new SlotStore()
      const repair = new Repair({ id, slots, nodes: this.nodes, replicas })
      this.members.set(id, { slots, repair })
    }
    for (let number = 0; number < 400; number += 1) this.#store(utf8Encode(`key ${number}`))
    this.nodes.add(newcomer)
  }

  #store(key: Uint8Array): void {
    const write = { value: encodeValue('value'), version: { time: 1, writer: 'w' }, key }
    for (const slot of slotsOf(key)) {
      for (const { id } of this.nodes.holdersOf(slot.position, replicas))
        this.member(id).slots.put(slot, write)
    }
  }

  member(id: string): { readonly slots: SlotStore; readonly repair: Repair } {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`no member ${id}`)
    return member
  }

  send(from: string, parcels: readonly Parcel[]): void {
    for (const parcel of parcels) this.#queue.push({ from, parcel })
  }

  /** Until nobody has anything more to say. */
  deliver(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { from, parcel } = next
      const { slots, repair } = this.member(parcel.peer)
      const message = readTableMessage(parcel.payload)
      if (message?.type === 'compare')
        this.send(parcel.peer, repair.handleCompare(from, message.arc, message.summary))
      else if (message?.type === 'list')
        this.send(parcel.peer, repair.handleList(from, message.arc, message.heads))
      else if (message?.type === 'want')
        this.send(parcel.peer, repair.handleWant(from, message.slots, []))
      else if (message?.type === 'put') {
        repair.notePut(from, 700)
        for (const entry of message.entries) slots.put(entry, entry)
        if (parcel.peer === newcomer) this.entriesToNewcomer += message.entries.length
      } else throw new Error('not expected')
    }
  }
}

test('a newcomer is handed each of its slots once, also while others compare with it', () => {
  const ring = new Ring()
  const { slots, repair } = ring.member(newcomer)
  ring.send(newcomer, repair.beginFilling(500))
  for (const id of others) ring.send(id, ring.member(id).repair.comparisons(false))
  ring.deliver()
  const isHeldByNewcomer = (position: bigint): boolean =>
    ring.nodes.holdersOf(position, replicas).some(({ id }) => id === newcomer)
  const held = Array.from({ length: 400 }, (_, number) => slotsOf(utf8Encode(`key ${number}`)))
    .flat()
    .filter(({ position }) => isHeldByNewcomer(position))
  expect(held.length).toBeGreaterThan(800)
  for (const slot of held) expect(slots.get(slot)?.version.time).toBe(1)
  expect([slots.size, ring.entriesToNewcomer]).toEqual([held.length, held.length])
  expect(repair.filledMs).toBe(700)
  repair.endFilling(800)
  ring.send(newcomer, repair.comparisons(true))
  ring.deliver()
  expect(ring.entriesToNewcomer).toBe(held.length)
})

test('nobody is awaited any more once one of those that fill the newcomer is gone', () => {
  const ring = new Ring()
  const { repair } = ring.member(newcomer)
  const [first, second] = repair.beginFilling(500).map(({ peer }) => peer)
  expect([first, second]).toEqual([others[0], others[1]])
  expect(repair.filledMs).toBe(500)
  ring.nodes.delete(others[1] ?? '')
  expect(repair.filledMs).toBeUndefined()
})

test('a newcomer compares with all once nothing has come for a second, and believes what it kept a second after', () => {
  const ring = new Ring()
  const sent: number[] = []
  const slots = new SlotStore()
  const [kept] = slotsOf(utf8Encode('kept'))
  if (kept === undefined) throw new Error('no slot')
  slots.put(kept, { value: encodeValue(1), version: { time: 1, writer: newcomer } })
  const rounds = new RepairRounds({
    id: newcomer,
    slots,
    nodes: ring.nodes,
    replicas,
    random: (count) => new Uint8Array(count),
    isTalking: true,
    line: {
      sendParcels: (parcels) => sent.push(parcels.length),
      offer: () => undefined,
      onRound: () => undefined,
    },
  })
  const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })
  rounds.start(at(0))
  expect(rounds.dueMs).toBe(100)
  rounds.handleDeadline(at(100))
  rounds.repair.notePut(others[1] ?? '', 900)
  rounds.repair.notePut(others[5] ?? '', 1_000)
  rounds.handleDeadline(at(rounds.dueMs))
  expect([sent, rounds.dueMs]).toEqual([[2], 1_900])
  rounds.handleDeadline(at(1_900))
  expect([sent, rounds.dueMs, slots.isUnsure(kept)]).toEqual([[2, 8], 2_900, true])
  rounds.repair.notePut(others[5] ?? '', 2_500)
  rounds.handleDeadline(at(2_900))
  expect([sent, rounds.dueMs, slots.isUnsure(kept)]).toEqual([[2, 8], 3_500, true])
  rounds.handleDeadline(at(3_500))
  expect([sent, rounds.dueMs, slots.isUnsure(kept)]).toEqual([[2, 8, 4], 33_500, false])
  // Others had it gone: it was told nothing meanwhile. They cannot have it doubt all the time.
  rounds.startAgain(at(20_000))
  expect(slots.isUnsure(kept)).toBe(false)
  rounds.startAgain(at(30_000))
  expect(slots.isUnsure(kept)).toBe(true)
})
