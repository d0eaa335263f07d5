/** Arithmetic of the hash table: places of a key, distances, owners, hand-over ranges, votes. */
import assert from 'node:assert/strict'
import {
  SlotStore,
  StoringNodes,
  clockwiseDistance,
  hashTables,
  majorityOf,
  ringSize,
  slotNamed,
  slotsOf,
  toPosition,
} from '@p2p/chord'
import type { HashTable, Slot } from '@p2p/chord'
import { decodeBase58Integer, decodeValue, encodeBase58Integer, encodeValue } from '@p2p/serializer'
import * as z from 'zod'
import { caseChecks, skipped } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { bytesFromHex } from '../recorded-bytes.ts'
import { assertValue, tagged, valueOf } from '../tagged-value.ts'

const integer = z.string().regex(/^-?0x[0-9a-f]+$/)
const slotsByTable = z.record(z.string(), z.array(integer))

const chordCase = z.discriminatedUnion('kind', [
  z.object({
    name: z.string(),
    kind: z.literal('hashes'),
    key: z.string(),
    methods: z.array(z.string()),
    hashes: z.array(integer),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('distance'),
    a: integer,
    b: integer,
    limit: integer.optional(),
    distance: integer,
  }),
  z.object({
    name: z.string(),
    kind: z.literal('ring'),
    self: z.string(),
    self_leeching: z.boolean(),
    peers: z.array(z.object({ id: z.string(), leeching: z.boolean() })),
    keys: z.array(integer),
    find: z.array(z.number().nullable()),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('dump'),
    start: integer,
    end: integer,
    data: slotsByTable,
    dumped: slotsByTable,
  }),
  z.object({
    name: z.string(),
    kind: z.literal('majority'),
    values: z.array(tagged),
    py2p: z.object({ value: tagged, count: z.number() }),
    accepted: z.boolean(),
  }),
])

type ChordCase = z.infer<typeof chordCase>
type CaseOf<Kind extends ChordCase['kind']> = Extract<ChordCase, { kind: Kind }>

export const chord: FixtureSet = {
  name: 'chord',
  describes: (file) => file.name === 'chord',
  checks: (file) =>
    caseChecks(file, chordCase, (fixture) => [
      { name: fixture.name, run: () => checkCase(fixture) },
    ]),
}

function checkCase(fixture: ChordCase): Verdict | undefined {
  switch (fixture.kind) {
    case 'hashes':
      checkHashes(fixture)
      return undefined
    case 'distance':
      return checkDistance(fixture)
    case 'ring':
      checkRing(fixture)
      return undefined
    case 'dump':
      checkDump(fixture)
      return undefined
    case 'majority':
      checkMajority(fixture)
      return undefined
  }
}

/** BigInt does not read negative hexadecimal text. */
export function integerOf(hex: string): bigint {
  return hex.startsWith('-') ? -BigInt(hex.slice(1)) : BigInt(hex)
}

/** The slot of a table with this integer. */
export function slotAt(table: HashTable, hex: string): Slot {
  const slot = slotNamed(table, encodeBase58Integer(integerOf(hex)))
  assert.ok(slot !== undefined, `${hex} is no slot of ${table}`)
  return slot
}

function checkHashes({ key, methods, hashes }: CaseOf<'hashes'>): void {
  const slots = slotsOf(bytesFromHex(key))
  assert.deepEqual(
    slots.map(({ table }) => table),
    methods,
  )
  assert.deepEqual(
    slots.map(({ slotText }) => decodeBase58Integer(slotText)),
    hashes.map(integerOf),
  )
}

function checkDistance({ a, b, limit, distance }: CaseOf<'distance'>): Verdict | undefined {
  if (limit !== undefined && integerOf(limit) !== ringSize) {
    return skipped('our ring has one size; this distance is on a ring of another')
  }
  const measured = clockwiseDistance({
    from: toPosition(integerOf(a)),
    to: toPosition(integerOf(b)),
  })
  assert.equal(measured, integerOf(distance))
  return undefined
}

function checkRing(fixture: CaseOf<'ring'>): void {
  const all = [{ id: fixture.self, leeching: fixture.self_leeching }, ...fixture.peers]
  const nodes = new StoringNodes()
  for (const { id, leeching } of all) if (!leeching) nodes.add(id)
  const owners = fixture.keys.map((key) => nodes.ownerOf(toPosition(integerOf(key)))?.id)
  assert.deepEqual(
    owners,
    fixture.find.map((found) => (found === null ? undefined : all[found]?.id)),
  )
}

function checkDump({ start, end, data, dumped }: CaseOf<'dump'>): void {
  const store = new SlotStore()
  const write = { value: encodeValue(1), version: { time: 1, writer: '' } }
  for (const table of hashTables) {
    for (const hex of data[table] ?? []) store.put(slotAt(table, hex), write)
  }
  const arc = { from: toPosition(integerOf(start)), to: toPosition(integerOf(end)) }
  // Both at one place hand over nothing; an arc that ends where it begins is the whole ring.
  const selected = arc.from === arc.to ? [] : [...store.inArc(arc)]
  for (const table of hashTables) {
    assert.deepEqual(
      new Set(selected.filter((slot) => slot.table === table).map(({ slotText }) => slotText)),
      new Set((dumped[table] ?? []).map((hex) => slotAt(table, hex).slotText)),
      table,
    )
  }
}

function checkMajority({ values, py2p, accepted }: CaseOf<'majority'>): void {
  const winner = majorityOf(values.map((value) => encodeValue(valueOf(value))))
  assert.equal(winner !== undefined, accepted)
  if (winner === undefined) return
  assert.equal(winner.count, py2p.count)
  assertValue(decodeValue(winner.value), py2p.value)
}
