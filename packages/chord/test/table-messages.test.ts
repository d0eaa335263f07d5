import { encodeValue, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { hashTables, slotsOf } from '../src/protocol/hash-tables.ts'
import { StoredSlot } from '../src/protocol/slot-store.ts'
import { membersPayload, readRingMessage, ringFlag } from '../src/protocol/ring-messages.ts'
import {
  comparePayload,
  copyPayload,
  foundPayload,
  listPayload,
  offerPayload,
  putPayload,
  readPayload,
  readTableMessage,
  storedPayload,
  wantPayload,
  writePayload,
} from '../src/protocol/table-messages.ts'
import type { TableMessage } from '../src/protocol/table-messages.ts'

const key = utf8Encode('key')
const value = encodeValue('value')
const version = { time: 1_700_000_000_000, writer: '3writer' }
const [sha1, sha224] = slotsOf(key)
if (sha1 === undefined || sha224 === undefined) throw new Error('a key has five slots')
const held = new StoredSlot(sha1, { version, value, key })
const deleted = new StoredSlot(sha224, {
  version: { time: 5, writer: '3other' },
  value: undefined,
  key,
})
const erased = { key, version, value: undefined, tables: [1] }
const arc = { from: sha1.position, to: sha224.position }

/** Each message with what its reader makes of it. */
const messages: Record<TableMessage['type'], readonly Value[]> = {
  write: writePayload(1, { key, version, value, tables: [0, 4] }),
  stored: storedPayload(1, [0, 4], 7),
  read: readPayload(1, key, [0, 4]),
  found: foundPayload(1, [held, undefined, deleted, held]),
  put: putPayload([held, deleted]),
  offer: offerPayload(1, [held, deleted]),
  want: wantPayload(1, [sha1, sha224]),
  compare: comparePayload(arc, { count: 3, sum: 77 }),
  list: listPayload(arc, [held]),
  copy: copyPayload([{ key, version, value, tables: [0, 4] }, erased]),
}

/** The message with the field at this index replaced. */
const withField = (type: TableMessage['type'], at: number, field: Value): readonly Value[] =>
  messages[type].with(at, field)

test('what is written is read again', () => {
  expect(readTableMessage(messages.write)).toEqual({
    type: 'write',
    request: 1,
    key,
    version,
    value,
    tables: [0, 4],
  })
  expect(readTableMessage(messages.stored)).toEqual({
    type: 'stored',
    request: 1,
    tables: [0, 4],
    newest: 7,
  })
  expect(readTableMessage(messages.read)).toMatchObject({ request: 1, key, tables: [0, 4] })
  const first = { version, value }
  expect(readTableMessage(messages.found)).toEqual({
    type: 'found',
    request: 1,
    slots: [first, undefined, { version: deleted.version, value: undefined }, first],
  })
  expect(readTableMessage(messages.put)).toMatchObject({ entries: [held, deleted] })
  expect(readTableMessage(messages.offer)).toMatchObject({ request: 1, heads: [{ version }, {}] })
  expect(readTableMessage(messages.want)).toMatchObject({ slots: [sha1, sha224] })
  expect(readTableMessage(messages.compare)).toEqual({
    type: 'compare',
    arc,
    summary: { count: 3, sum: 77 },
  })
  expect(readTableMessage(messages.list)).toMatchObject({ arc, heads: [{ version }] })
  expect(readTableMessage(messages.copy)).toEqual({
    type: 'copy',
    copies: [{ key, version, value, tables: [0, 4] }, erased],
  })
})

test('a message without its number, its key or its places is none', () => {
  for (const type of ['write', 'stored', 'read', 'found', 'offer', 'want'] as const) {
    expect(readTableMessage(withField(type, 2, 'one'))).toBe(undefined)
  }
  for (const type of ['write', 'read'] as const) {
    expect(readTableMessage(withField(type, 3, 'no bytes'))).toBe(undefined)
  }
  for (const type of ['compare', 'list'] as const) {
    for (const at of [2, 3]) {
      expect(readTableMessage(withField(type, at, new Uint8Array(47)))).toBe(undefined)
      expect(readTableMessage(withField(type, at, 5))).toBe(undefined)
    }
  }
  expect(readTableMessage(withField('compare', 4, 'many'))).toBe(undefined)
  expect(readTableMessage(withField('compare', 5, 1.5))).toBe(undefined)
  expect(readTableMessage(withField('stored', 1, 10))).toBe(undefined)
  expect(readTableMessage([messages.stored[0] ?? null])).toBe(undefined)
})

test('a version has a time that is not negative and a writer of sensible length', () => {
  for (const [at, field] of [
    [4, -1],
    [4, 'now'],
    [5, 7],
    [5, 'w'.repeat(101)],
  ] as const) {
    expect(readTableMessage(withField('write', at, field))).toBe(undefined)
  }
  expect(readTableMessage(withField('write', 5, 'w'.repeat(100)))).not.toBe(undefined)
})

test('a value is msgpack of something, or nil for a delete', () => {
  expect(readTableMessage(withField('write', 6, null))).toMatchObject({ value: undefined })
  for (const field of ['text', encodeValue(null), new Uint8Array([0xc1]), new Uint8Array()]) {
    expect(readTableMessage(withField('write', 6, field))).toBe(undefined)
  }
})

test('tables that do not exist are left out, and a list that is none is empty', () => {
  expect(readTableMessage(withField('stored', 3, [0, 5, -1, 'sha1', 4]))).toMatchObject({
    tables: [0, 4],
  })
  expect(readTableMessage(withField('stored', 3, 'all'))).toMatchObject({ tables: [] })
  expect(readTableMessage(withField('put', 2, 'all'))).toMatchObject({ entries: [] })
  expect(readTableMessage(withField('found', 3, 'all'))).toBe(undefined)
  expect(readTableMessage(withField('found', 4, 'all'))).toBe(undefined)
})

test('entries that cannot be used are left out, the others are taken', () => {
  const [good = null] = putPayload([held])[2] as readonly Value[]
  const entry = good as readonly Value[]
  const bad = [
    'no entry',
    [],
    entry.with(0, hashTables.length),
    entry.with(1, 'no base58!'),
    entry.with(1, 5),
    entry.with(2, 'now'),
    entry.with(4, 'no bytes'),
  ]
  const read = readTableMessage(withField('put', 2, [...bad, good]))
  expect(read).toMatchObject({ entries: [held] })
  const withoutKey = readTableMessage(withField('put', 2, [entry.with(5, null)]))
  expect(withoutKey).toMatchObject({ entries: [{ value, key: undefined }] })
  const found = readTableMessage(
    withField('found', 3, ['no write', [version.time, 7, value], [1, '3w', 'no bytes']]),
  )
  expect(found).toMatchObject({ slots: [undefined, undefined, undefined, undefined] })
})

test('copies that cannot be used are left out, the others are taken', () => {
  const [good = null] = copyPayload([erased])[2] as readonly Value[]
  const copy = good as readonly Value[]
  const bad = [
    'no copy',
    [],
    copy.with(0, 'no bytes'),
    copy.with(1, 'now'),
    copy.with(2, 7),
    copy.with(3, new Uint8Array([0xc1])),
  ]
  const read = readTableMessage(withField('copy', 2, [...bad, good]))
  expect(read).toEqual({ type: 'copy', copies: [erased] })
  const many = Array.from({ length: 2_000 }, () => copy)
  expect(readTableMessage(withField('copy', 2, many))).toMatchObject({ copies: { length: 1_024 } })
})

test('news of the ring is read record by record, and what is no record is left out', () => {
  const member = {
    id: '3member',
    incarnation: 7,
    state: 'storing',
    isOld: false,
    addresses: ['tcp://127.0.0.1:1'],
  } as const
  const [record = null] = membersPayload([member])[2] as readonly Value[]
  const fields = record as readonly Value[]
  const bad = [
    'no record',
    fields.with(0, 5),
    fields.with(0, 'i'.repeat(2_000)),
    fields.with(1, 'seven'),
    fields.with(2, 9),
    fields.with(4, 'no list'),
  ]
  const read = readRingMessage([ringFlag, 0, [...bad, record]])
  expect(read).toMatchObject({ type: 'members', members: [member] })
  const addresses = ['tcp://127.0.0.1:1', 5, 'a'.repeat(2_000)]
  expect(readRingMessage([ringFlag, 0, [fields.with(4, addresses)]])).toMatchObject({
    members: [{ addresses: ['tcp://127.0.0.1:1'] }],
  })
  expect(readRingMessage([ringFlag, 1, true, [3, 'four']])).toMatchObject({
    type: 'digest',
    isAnswer: true,
    sums: [3, 0],
  })
  expect(readRingMessage([ringFlag, 0, 'all'])).toBe(undefined)
  expect(readRingMessage([ringFlag, 1, true, 'all'])).toBe(undefined)
  expect(readRingMessage([ringFlag, 99])).toBe(undefined)
})
