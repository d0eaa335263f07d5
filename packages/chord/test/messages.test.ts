import { expect, test } from '@jest/globals'
import { createMessage, encodeValue, flags, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { hashTables, slotsOf } from '../src/protocol/hash-tables.ts'
import {
  deltaPayload,
  metaPayload,
  noticePayload,
  readMessage,
  removalPayload,
  retrievePayload,
  retrievedPayload,
  storePayload,
} from '../src/protocol/messages.ts'

const read = (
  payload: readonly Value[],
  type: number = flags.whisper,
): ReturnType<typeof readMessage> =>
  readMessage(createMessage({ type, sender: 'x', time: 1, payload }))
const key = utf8Encode('key')
const [slot] = slotsOf(key)
if (slot === undefined) throw new Error('a key has five slots')

test('what we send is read as what was meant', () => {
  expect(read(metaPayload(true))).toEqual({ type: 'meta', isStoring: true })
  expect(read(metaPayload(false))).toEqual({ type: 'meta', isStoring: false })
  expect(read(noticePayload(key), flags.broadcast)).toEqual({ type: 'notice', key })
  expect(read(removalPayload(key), flags.broadcast)).toEqual({ type: 'removal', key })
  const value = encodeValue('v')
  expect(read(storePayload(slot, 'v'))).toEqual({ type: 'store', slot, value })
  expect(read(storePayload(slot, null))).toEqual({ type: 'store', slot, value: undefined })
  const fields = new Map<Value, Value>([['a', 1]])
  expect(read(deltaPayload(slot, fields))).toMatchObject({ type: 'delta', slot, fields })
  const asked = read(retrievePayload(slot))
  expect(asked).toMatchObject({ type: 'retrieve', slot })
  const wording = [utf8Encode('sha1'), slot.slotText] as const
  expect(read(retrievedPayload(wording, 'v'))).toEqual({ type: 'retrieved', slot, value })
})

test('tables and slots go out as bin and str and are read in either type', () => {
  expect(storePayload(slot, 1)).toEqual([11, utf8Encode('sha1'), slot.slotText, 1])
  for (const table of ['sha1', utf8Encode('sha1')]) {
    for (const text of [slot.slotText, utf8Encode(slot.slotText)]) {
      expect(read([12, table, text])).toEqual({ type: 'retrieve', slot, wording: [table, text] })
    }
  }
})

test('the state in a meta is what Python reads as a number', () => {
  for (const leeching of ['1', utf8Encode('1'), 1, true, ' 1 ', '+1', '2']) {
    expect(read([5, leeching])).toEqual({ type: 'meta', isStoring: false })
  }
  for (const storing of ['0', utf8Encode('0'), 0, false, '-0']) {
    expect(read([5, storing])).toEqual({ type: 'meta', isStoring: true })
  }
  for (const bad of ['', 'x', null, [1]]) expect(read([5, bad])).toBe('invalid')
})

test('a handshake is no meta, and a slot message inside a broadcast is nothing', () => {
  expect(read([5, 'id', 'protocol', ['host', 1], []])).toBe('ignored')
  expect(read(storePayload(slot, 1), flags.broadcast)).toBe('ignored')
  expect(read([0, 'hello'])).toBe('ignored')
})

test('bad tables, slots, keys and deltas are invalid, never a throw', () => {
  const bad: readonly (readonly Value[])[] = [
    [11, 'md5', slot.slotText, 1],
    [11, '__proto__', slot.slotText, 1],
    [11, null, slot.slotText, 1],
    [11, 'sha1', '0OIl', 1],
    [11, 'sha1', 'z'.repeat(100_000), 1],
    [11, 'sha1', null, 1],
    [11, 'sha1', slot.slotText],
    [11],
    [12],
    [13, 'sha1'],
    [17, 'sha1', slot.slotText, 'no mapping'],
    [6],
    [6, 7],
  ]
  for (const payload of bad) expect(read(payload)).toBe('invalid')
})

test('three packets remove a key, any other number adds it', () => {
  expect(read([6, 'key', 0])).toEqual({ type: 'removal', key })
  expect(read([6, 'key', 'del', 1])).toEqual({ type: 'notice', key })
})

test('further packets of a store are left alone', () => {
  for (const table of hashTables) {
    expect(read([11, table, '2', 1, 'more'])).toMatchObject({ type: 'store' })
  }
})
