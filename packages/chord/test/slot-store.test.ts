import { expect, test } from '@jest/globals'
import { encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import { hashTables, slotNamed, slotsOf } from '../src/protocol/hash-tables.ts'
import type { Slot } from '../src/protocol/hash-tables.ts'
import { covers, toPosition } from '../src/protocol/ring.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import type { StoredSlot } from '../src/protocol/slot-store.ts'
import { sumWith } from '../src/protocol/stamp.ts'
import { recordedCases } from './vectors/recorded.ts'

const slot = (integer: bigint, table: Slot['table'] = 'sha1'): Slot => {
  const named = slotNamed(table, encodeBase58Integer(integer))
  if (named === undefined) throw new Error('not a slot')
  return named
}
const value = encodeValue('v')
const at = (time: number, writer = 'a'): { time: number; writer: string } => ({ time, writer })

test('the slots handed over are those that py2p selects', () => {
  const dumps = recordedCases('dump')
  expect(dumps.length).toBe(9)
  for (const dump of dumps) {
    const store = new SlotStore()
    for (const table of hashTables) {
      for (const hex of dump.data[table] ?? []) {
        store.put(slot(BigInt(hex), table), { value, version: at(1) })
      }
    }
    const arc = { from: toPosition(BigInt(dump.start)), to: toPosition(BigInt(dump.end)) }
    // Both at one place hand over nothing; an arc that ends where it begins is the whole ring.
    const selected = arc.from === arc.to ? [] : [...store.inArc(arc)]
    for (const table of hashTables) {
      const expected = (dump.dumped[table] ?? []).map((hex) => slot(BigInt(hex), table).slotText)
      const texts = selected.filter((one) => one.table === table).map((one) => one.slotText)
      expect([dump.name, table, texts.sort()]).toEqual([dump.name, table, expected.sort()])
    }
  }
})

test('a SHA-512 slot is filed under the full number, not under its place', () => {
  const store = new SlotStore()
  const [small, large] = [slot(5n, 'sha512'), slot((1n << 384n) + 5n, 'sha512')]
  expect(small.position).toBe(large.position)
  store.put(small, { value, version: at(1) })
  expect(store.get(large)).toBeUndefined()
})

test('names that are no slot of the table are refused, and one slot has one name', () => {
  expect(slotNamed('sha1', '0OIl')).toBeUndefined()
  expect(slotNamed('sha1', '')).toBeUndefined()
  expect(slotNamed('sha1', 'z'.repeat(89))).toBeUndefined()
  expect(slotNamed('sha384', encodeBase58Integer(1n << 384n))).toBeUndefined()
  expect(slotNamed('sha1', '1112')?.slotText).toBe('2')
})

test('the later version stays, whatever the order of arrival', () => {
  const [earlier, later] = [
    { value: encodeValue(1), version: at(7, 'a') },
    { value: encodeValue(2), version: at(7, 'b') },
  ]
  for (const writes of [
    [earlier, later],
    [later, earlier],
  ]) {
    const store = new SlotStore()
    for (const write of writes) store.put(slot(1n), write)
    expect(store.get(slot(1n))?.value).toEqual(encodeValue(2))
  }
})

test('a deleted value does not come back with an older copy', () => {
  const store = new SlotStore()
  store.put(slot(1n), { value, version: at(1_000) })
  store.put(slot(1n), { value: undefined, version: at(2_000) })
  expect(store.put(slot(1n), { value, version: at(1_500) })).toBe('stale')
  expect([...store.values()]).toEqual([])
  expect([store.size, store.tombstoneCount, store.valueBytes]).toEqual([0, 1, 0])
  store.sweep(3 + 86_400)
  expect(store.tombstoneCount).toBe(0)
})

test('a forgotten delete is not taken back from a node that has not forgotten it yet', () => {
  const store = new SlotStore()
  const deleted = { value: undefined, version: at(2_000) }
  store.put(slot(1n), deleted)
  store.sweep(3 + 86_400)
  expect(store.put(slot(1n), deleted)).toBe('stale')
  expect(store.tombstoneCount).toBe(0)
  // Where there is something to delete, it is deleted.
  store.put(slot(1n), { value, version: at(1_000) })
  expect(store.put(slot(1n), deleted)).toBe('stored')
  expect(store.put(slot(2n), { value: undefined, version: at(3_000) })).toBe('stored')
})

test('at its limits the store keeps what it has, and tombstones give way first', () => {
  const store = new SlotStore({ maxSlots: 2, maxValueBytes: 2 * value.length })
  store.put(slot(1n), { value, version: at(1) })
  store.put(slot(2n), { value: undefined, version: at(1) })
  expect(store.put(slot(3n), { value, version: at(1) })).toBe('stored')
  expect(store.tombstoneCount).toBe(0)
  expect(store.put(slot(4n), { value, version: at(2) })).toBe('full')
  expect(store.put(slot(1n), { value: encodeValue('longer'), version: at(2) })).toBe('full')
  expect(store.get(slot(1n))?.value).toEqual(value)
  store.forget(slot(1n))
  expect([store.size, store.valueBytes]).toEqual([1, value.length])
})

test('a part of the ring is summed up as what it holds now, whatever was asked before', () => {
  const store = new SlotStore()
  const kept = new Map<string, StoredSlot>()
  const keys = Array.from({ length: 80 }, (_, number) => utf8Encode(`key ${number}`))
  const put = (key: Uint8Array, time: number): void => {
    for (const one of slotsOf(key)) {
      store.put(one, { value, version: at(time) })
      const stored = store.get(one)
      if (stored !== undefined) kept.set(one.name, stored)
    }
  }
  const places = keys.flatMap((key) => slotsOf(key).map(({ position }) => position)).slice(0, 40)
  const arcs = places.map((from, index) => ({ from, to: places[(index * 7) % 40] ?? 0n }))
  const check = (): void => {
    for (const arc of [...arcs, { from: 0n, to: 0n }]) {
      const inside = [...kept.values()].filter(({ position }) => covers(arc, position))
      const sum = inside.reduce((so, { stamp }) => sumWith(so, stamp), 0)
      expect(store.summaryOf(arc)).toEqual({ count: inside.length, sum })
      expect([...store.inArc(arc)].length).toBe(inside.length)
    }
  }
  for (const key of keys) put(key, 1)
  check()
  for (const key of keys.slice(0, 20)) put(key, 2)
  check()
  for (const one of keys.slice(10, 30).flatMap(slotsOf)) {
    store.forget(one)
    kept.delete(one.name)
  }
  check()
})

test('what fits no frame is refused', () => {
  const store = new SlotStore({}, 1_024 + 10)
  const key = utf8Encode('key')
  const fits = new Uint8Array(10)
  expect(store.put(slot(1n), { value: new Uint8Array(8), version: at(1), key })).toBe('full')
  expect(store.put(slot(1n), { value: fits, version: at(1) })).toBe('stored')
  expect(store.put(slot(1n), { value: new Uint8Array(11), version: at(2) })).toBe('full')
  expect([store.get(slot(1n))?.value, store.isUnsure(slot(1n))]).toEqual([fits, true])
  expect(store.put(slot(1n), { value: new Uint8Array(7), version: at(3), key })).toBe('stored')
})
