import fc from 'fast-check'
import { encodeValue } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { readArraySpan, readMapSpan, skipValue } from '../../src/protocol/msgpack-span.ts'

/** A header of msgpack and the bytes that it announces. */
const announced: readonly (readonly [name: string, header: readonly number[], length: number])[] = [
  ['nil', [0xc0], 0],
  ['false', [0xc2], 0],
  ['true', [0xc3], 0],
  ['bin 8', [0xc4, 3], 3],
  ['bin 16', [0xc5, 1, 0], 256],
  ['bin 32', [0xc6, 0, 0, 1, 0], 256],
  ['ext 8', [0xc7, 3, 9], 3],
  ['ext 16', [0xc8, 0, 3, 9], 3],
  ['ext 32', [0xc9, 0, 0, 0, 3, 9], 3],
  ['float 32', [0xca], 4],
  ['float 64', [0xcb], 8],
  ['uint 8', [0xcc], 1],
  ['uint 16', [0xcd], 2],
  ['uint 32', [0xce], 4],
  ['uint 64', [0xcf], 8],
  ['int 8', [0xd0], 1],
  ['int 16', [0xd1], 2],
  ['int 32', [0xd2], 4],
  ['int 64', [0xd3], 8],
  ['fixext 1', [0xd4, 9], 1],
  ['fixext 2', [0xd5, 9], 2],
  ['fixext 4', [0xd6, 9], 4],
  ['fixext 8', [0xd7, 9], 8],
  ['fixext 16', [0xd8, 9], 16],
  ['str 8', [0xd9, 3], 3],
  ['str 16', [0xda, 0, 3], 3],
  ['str 32', [0xdb, 0, 0, 0, 3], 3],
  ['fixstr', [0xa3], 3],
  ['positive fixint', [0x7f], 0],
  ['negative fixint', [0xe0], 0],
]

test.each(announced)('%s ends where it says, and is broken when cut', (_, header, length) => {
  const bytes = Uint8Array.from([...header, ...new Array<number>(length).fill(0x61), 0xc0])
  const end = bytes.length - 1
  expect(skipValue(bytes, 0)).toBe(end)
  if (end > 1) expect(skipValue(bytes.subarray(0, end - 1), 0)).toBe(-1)
})

test('arrays and maps of every width end behind their last element', () => {
  for (const header of [[0x92], [0xdc, 0, 2], [0xdd, 0, 0, 0, 2]]) {
    const bytes = Uint8Array.from([...header, 1, 0xa1, 0x61])
    expect(readArraySpan(bytes, 0)).toEqual({ count: 2, start: header.length })
    expect(readMapSpan(bytes, 0)).toBe(undefined)
    expect(skipValue(bytes, 0)).toBe(bytes.length)
    expect(skipValue(bytes.subarray(0, -1), 0)).toBe(-1)
  }
  for (const header of [[0x81], [0xde, 0, 1], [0xdf, 0, 0, 0, 1]]) {
    const bytes = Uint8Array.from([...header, 1, 0xc0])
    expect(readMapSpan(bytes, 0)).toEqual({ count: 1, start: header.length })
    expect(skipValue(bytes, 0)).toBe(bytes.length)
  }
})

test('what begins no value, and nesting beyond 64 levels, is broken', () => {
  expect(skipValue(Uint8Array.of(0xc1), 0)).toBe(-1)
  expect(skipValue(new Uint8Array(), 0)).toBe(-1)
  expect(readArraySpan(new Uint8Array(), 0)).toBe(undefined)
  expect(readArraySpan(Uint8Array.of(0xdd, 0, 0), 0)).toBe(undefined)
  // More elements than bytes are left: refused at once, not counted down.
  expect(skipValue(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), 0)).toBe(-1)
  const nested = (levels: number): Uint8Array =>
    Uint8Array.from([...new Array<number>(levels).fill(0x91), 0xc0])
  expect(skipValue(nested(64), 0)).toBe(65)
  expect(skipValue(nested(65), 0)).toBe(-1)
})

test('any JSON value ends where its encoding does, wherever it stands', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(20), (value, offset) => {
      const encoded = encodeValue(value as never)
      const bytes = new Uint8Array(offset + encoded.length + 3)
      bytes.set(encoded, offset)
      expect(skipValue(bytes, offset)).toBe(offset + encoded.length)
    }),
  )
})
