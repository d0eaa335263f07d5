import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  bytesEqual,
  DecodeError,
  decodeValue,
  EncodeError,
  encodeValue,
  Extension,
  Float,
  fromHex,
  toHex,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { Writer } from '../src/msgpack/writer.ts'
import { value } from './arbitrary.ts'

const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof DecodeError || error instanceof EncodeError) return error.code
    throw error
  }
  return 'no error'
}
const decodeHex = (hex: string): Value => decodeValue(fromHex(hex))

test('any value is written, read, and written again with the same bytes', () => {
  fc.assert(
    fc.property(value, (original) => {
      const bytes = encodeValue(original)
      expect(toHex(encodeValue(decodeValue(bytes)))).toBe(toHex(bytes))
    }),
  )
})

test('arbitrary bytes are read or refused with a DecodeError, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(codeOf(() => decodeValue(bytes))).toMatch(/^P2P_MSGPACK_|^no error$/)
    }),
    { numRuns: 2000 },
  )
})

test('bytes with one byte changed are refused with a DecodeError or read as something else', () => {
  const change = fc.tuple(value, fc.nat(), fc.nat(255))
  fc.assert(
    fc.property(change, ([original, at, byte]) => {
      const bytes = encodeValue(original)
      bytes[at % bytes.length] = byte
      const code = codeOf(() => encodeValue(decodeValue(bytes)))
      expect(code).toMatch(/^P2P_MSGPACK_|^no error$/)
    }),
    { numRuns: 2000 },
  )
})

test('what is read from any bytes is written the same way from then on', () => {
  const idempotent = fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
    if (codeOf(() => decodeValue(bytes)) !== 'no error') return
    const once = encodeValue(decodeValue(bytes))
    expect(toHex(encodeValue(decodeValue(once)))).toBe(toHex(once))
  })
  fc.assert(idempotent, { numRuns: 3000 })
})

test.each<[Value, string]>([
  [0, '00'],
  [127, '7f'],
  [128, 'cc80'],
  [256, 'cd0100'],
  [65_536, 'ce00010000'],
  [2 ** 32, 'cf0000000100000000'],
  [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
  [2n ** 64n - 1n, 'cfffffffffffffffff'],
  [-1, 'ff'],
  [-32, 'e0'],
  [-33, 'd0df'],
  [-129, 'd1ff7f'],
  [-32_769, 'd2ffff7fff'],
  [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
  [-(2n ** 63n), 'd38000000000000000'],
  [1.5, 'cb3ff8000000000000'],
  [-0, 'cb8000000000000000'],
  [new Float(1), 'cb3ff0000000000000'],
  [2 ** 53, 'cb4340000000000000'],
  ['wörld', 'a677c3b6726c64'],
  [new Uint8Array([1]), 'c40101'],
  [new Extension(5, new Uint8Array(3)), 'c70305000000'],
  [new Map<Value, Value>([[1, 2]]), '810102'],
  [5n, '05'],
  [-33n, 'd0df'],
  [{ k: [null, true] }, '81a16b92c0c3'],
])('%p is written as %s', (original, hex) => {
  expect(toHex(encodeValue(original))).toBe(hex)
  expect(toHex(encodeValue(decodeHex(hex)))).toBe(hex)
})

test.each([31, 32, 40, 41, 255, 256, 65_535, 65_536])(
  'text of %i characters of any width',
  (count) => {
    for (const character of ['a', 'é', '日', '😀']) {
      const text = character.repeat(count)
      expect(decodeValue(encodeValue(text))).toBe(text)
      expect(decodeValue(encodeValue(`${'a'.repeat(count - 1)}${character}`))).toContain(character)
    }
  },
)

test.each([
  ['array', 15, '9f'],
  ['array', 16, 'dc0010'],
  ['array', 65_535, 'dcffff'],
  ['array', 65_536, 'dd00010000'],
  ['map', 15, '8f'],
  ['map', 16, 'de0010'],
  ['map', 65_535, 'deffff'],
  ['map', 65_536, 'df00010000'],
  ['bytes', 255, 'c4ff'],
  ['bytes', 256, 'c50100'],
  ['bytes', 65_535, 'c5ffff'],
  ['bytes', 65_536, 'c600010000'],
  ['extension', 16, 'd805'],
  ['extension', 17, 'c71105'],
  ['extension', 255, 'c7ff05'],
  ['extension', 256, 'c8010005'],
  ['extension', 65_535, 'c8ffff05'],
  ['extension', 65_536, 'c90001000005'],
] as const)('an %s of %i begins with %s and comes back', (kind, count, header) => {
  const numbers = Array.from({ length: count }, (_, i) => i)
  const original = {
    array: () => numbers,
    map: () => new Map(numbers.map((i) => [i, 1])),
    bytes: () => new Uint8Array(count).fill(7),
    extension: () => new Extension(5, new Uint8Array(count).fill(7)),
  }[kind]()
  const bytes = encodeValue(original)
  expect(toHex(bytes.subarray(0, header.length / 2))).toBe(header)
  expect(decodeValue(bytes)).toEqual(original)
})

test('what is no float, no extension or no limit is refused where it is made', () => {
  expect(() => new Float('1' as never)).toThrow(TypeError)
  for (const type of [-1, 128, 0.5]) {
    expect(() => new Extension(type, new Uint8Array(1))).toThrow(RangeError)
  }
  for (const maxValues of [-1, Number.NaN]) {
    expect(() => decodeValue(fromHex('00'), { limits: { maxValues } })).toThrow(RangeError)
  }
})

test('a float with a whole value stays a Float, or becomes a number when asked', () => {
  const bytes = encodeValue([new Float(3_000_000_000), 3_000_000_000])
  expect(decodeValue(bytes)).toEqual([new Float(3_000_000_000), 3_000_000_000])
  expect(decodeValue(bytes, { floats: 'number' })).toEqual([3_000_000_000, 3_000_000_000])
  expect(Number(new Float(2)) + 1).toBe(3)
  expect(JSON.stringify(new Float(2))).toBe('2')
})

test('a map of texts becomes an object without prototype, any other a Map', () => {
  const record = decodeHex('82a161 01 a95f5f70726f746f5f5f 02'.replaceAll(' ', ''))
  expect(Object.getPrototypeOf(record)).toBeNull()
  expect(Object.entries(record as object)).toEqual([
    ['a', 1],
    ['__proto__', 2],
  ])
  expect(decodeHex('82a16101c4016102')).toEqual(
    new Map<Value, Value>([
      ['a', 1],
      [new Uint8Array([0x61]), 2],
    ]),
  )
})

test('keys that look like numbers keep their order on the wire until the object is changed', () => {
  const hex = '83a16201a23130 02a13103'.replaceAll(' ', '')
  const record = decodeHex(hex) as { [key: string]: Value }
  expect(Object.keys(record)).toEqual(['1', '10', 'b'])
  expect(toHex(encodeValue(record))).toBe(hex)
  record['c'] = 4
  expect(toHex(encodeValue(record))).toBe('84a13103a2313002a16201a16304')
})

test.each([
  ['nothing', '', 'P2P_MSGPACK_TRUNCATED'],
  ['a reserved byte', 'c1', 'P2P_MSGPACK_INVALID'],
  ['a text longer than the rest', 'd9ff61', 'P2P_MSGPACK_TRUNCATED'],
  ['2^32 - 1 entries', 'dfffffffff0101', 'P2P_MSGPACK_TRUNCATED'],
  ['an overlong slash', 'a2c0af', 'P2P_MSGPACK_TEXT'],
  ['half a surrogate pair', 'a3eda080', 'P2P_MSGPACK_TEXT'],
  ['the same text twice', '82a16101a16102', 'P2P_MSGPACK_DUPLICATE_KEY'],
  ['1 and true', '820101c302', 'P2P_MSGPACK_DUPLICATE_KEY'],
  ['1 and 1.0', '820101cb3ff000000000000002', 'P2P_MSGPACK_DUPLICATE_KEY'],
  ['the same bytes twice', '82c4016101c4016102', 'P2P_MSGPACK_DUPLICATE_KEY'],
  ['a map as a key', '818001', 'P2P_MSGPACK_KEY'],
  ['a map inside an array as a key', '81918001', 'P2P_MSGPACK_KEY'],
  ['a timestamp', 'd6ff00000000', 'P2P_MSGPACK_EXTENSION'],
  ['bytes behind the value', '0000', 'P2P_MSGPACK_TRAILING'],
])('%s is refused', (_, hex, code) => {
  expect(codeOf(() => decodeHex(hex))).toBe(code)
})

test('a replacement character that was sent as such is text like any other', () => {
  expect(decodeHex('a3efbfbd')).toBe('\ufffd')
})

test('nesting is read and written up to 64 levels, and not beyond', () => {
  const nested = (levels: number): string => '91'.repeat(levels) + '00'
  expect(toHex(encodeValue(decodeHex(nested(64))))).toBe(nested(64))
  expect(codeOf(() => decodeHex(nested(65)))).toBe('P2P_MSGPACK_TOO_DEEP')
  expect(codeOf(() => decodeValue(new Uint8Array(5_000_000).fill(0x91)))).toBe(
    'P2P_MSGPACK_TOO_DEEP',
  )
  const deep = { limits: { maxDepth: 512 } }
  expect(codeOf(() => decodeValue(fromHex(nested(512)), deep))).toBe('no error')
  expect(() => decodeValue(fromHex('00'), { limits: { maxDepth: 513 } })).toThrow(RangeError)
  const endless: Value[] = []
  endless.push(endless)
  expect(codeOf(() => encodeValue(endless))).toBe('P2P_ENCODE_TOO_DEEP')
})

test('long byte strings are keys like short ones', () => {
  const key = (length: number, end: number): Uint8Array => new Uint8Array(length).fill(end, -1)
  for (const length of [64, 65, 70_000]) {
    const map = new Map([1, 2].map((end) => [key(length, end), end] as const))
    expect(decodeValue(encodeValue(map))).toEqual(map)
    const twice = new Map([1, 2].map((value) => [key(length, 1), value] as const))
    expect(codeOf(() => encodeValue(twice))).toBe('P2P_ENCODE_DUPLICATE_KEY')
  }
})

test.each([
  // The number of bytes needs a wider header than the number of characters.
  ['\u{1f600}'.repeat(8) + 'x', 8_192],
  ['\u{1f600}'.repeat(70) + 'x', 8_192],
])('text is whole wherever the memory that the writer has at hand ends', (text, atHand) => {
  for (let before = atHand - 300; before <= atHand; before += 1) {
    const writer = new Writer()
    writer.begin(0)
    writer.raw(new Uint8Array(before))
    writer.text(text)
    expect(decodeValue(writer.finish().subarray(before))).toBe(text)
  }
})

test('what has more values than are read is not written', () => {
  const most = new Array<number>(262_144).fill(1)
  expect(decodeValue(encodeValue(most))).toEqual(most)
  expect(codeOf(() => encodeValue([...most, 1]))).toBe('P2P_ENCODE_TOO_LARGE')
  const pairs = Object.fromEntries(most.slice(0, 131_073).map((value, index) => [index, value]))
  expect(codeOf(() => encodeValue(pairs))).toBe('P2P_ENCODE_TOO_LARGE')
})

test('a message has at most maxValues values', () => {
  const limits = { maxValues: 4 }
  expect(decodeValue(fromHex('9400010203'), { limits })).toEqual([0, 1, 2, 3])
  expect(codeOf(() => decodeValue(fromHex('950001020304'), { limits }))).toBe(
    'P2P_MSGPACK_TOO_MANY_VALUES',
  )
  expect(codeOf(() => decodeValue(fromHex('928200010203 00'.replace(' ', '')), { limits }))).toBe(
    'P2P_MSGPACK_TOO_MANY_VALUES',
  )
})

test.each<[string, unknown, string]>([
  ['undefined', undefined, 'P2P_ENCODE_TYPE'],
  ['a hole in an array', [1, , 2], 'P2P_ENCODE_TYPE'],
  ['a function', () => 1, 'P2P_ENCODE_TYPE'],
  ['a Date', new Date(0), 'P2P_ENCODE_TYPE'],
  ['a Float64Array', new Float64Array(1), 'P2P_ENCODE_TYPE'],
  ['an Error', new Error('x'), 'P2P_ENCODE_TYPE'],
  ['2^64', 2n ** 64n, 'P2P_ENCODE_RANGE'],
  ['-2^63 - 1', -(2n ** 63n) - 1n, 'P2P_ENCODE_RANGE'],
  ['half a surrogate pair', '\ud800', 'P2P_ENCODE_TEXT'],
  ['half a surrogate pair in a long text', `${'x'.repeat(99)}\udc00`, 'P2P_ENCODE_TEXT'],
  [
    'keys with equal bytes',
    new Map([1, 2].map((n) => [new Uint8Array(2), n])),
    'P2P_ENCODE_DUPLICATE_KEY',
  ],
  [
    'the keys 1 and true',
    new Map<unknown, number>([
      [1, 1],
      [true, 2],
    ]),
    'P2P_ENCODE_DUPLICATE_KEY',
  ],
  [
    'the keys 1 and 1n',
    new Map<unknown, number>([
      [1, 1],
      [1n, 2],
    ]),
    'P2P_ENCODE_DUPLICATE_KEY',
  ],
  [
    'the key 2^64 - 1 twice, in arrays',
    new Map([1, 2].map((n) => [[2n ** 64n - 1n], n])),
    'P2P_ENCODE_DUPLICATE_KEY',
  ],
  ['a map as a key', new Map([[{}, 1]]), 'P2P_ENCODE_TYPE'],
])('%s cannot be written', (_, unwritable, code) => {
  expect(codeOf(() => encodeValue(unwritable as Value))).toBe(code)
})

test('a value that encodes something while it is encoded spoils nothing', () => {
  const nosy = {
    a: 1,
    get b(): Value {
      return encodeValue({ inner: 'value' }).length
    },
    c: 'end',
  }
  expect(toHex(encodeValue(nosy))).toBe(toHex(encodeValue({ a: 1, b: 13, c: 'end' })))
})

test('a failed encoding leaves the next one untouched', () => {
  expect(codeOf(() => encodeValue([1, [2, undefined as unknown as Value]]))).toBe('P2P_ENCODE_TYPE')
  expect(toHex(encodeValue([1]))).toBe('9101')
})

test('results of any length do not share bytes that are in use', () => {
  const results = Array.from({ length: 300 }, (_, i) => encodeValue(new Uint8Array(i * 37).fill(i)))
  for (const [i, bytes] of results.entries()) {
    const read = decodeValue(bytes) as Uint8Array
    expect(bytesEqual(read, new Uint8Array(i * 37).fill(i))).toBe(true)
  }
})

test('values read from a Buffer are plain Uint8Arrays', () => {
  const read = decodeValue(Buffer.from('91c40101', 'hex')) as readonly Value[]
  expect(read[0]?.constructor).toBe(Uint8Array)
})

/** `count` keys to null, each an int32: [0xd2, …]. */
function mapOfNumbers(keys: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(5 + 6 * keys.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = 0xdf
  view.setUint32(1, keys.length)
  keys.forEach((key, index) => {
    bytes[5 + 6 * index] = 0xd2
    view.setInt32(6 + 6 * index, key)
    bytes[10 + 6 * index] = 0xc0
  })
  return bytes
}

test('large numbers as keys cost more the more there are: engines hash them so that somebody can make all collide', () => {
  const times = (count: number): number[] =>
    Array.from({ length: count }, (_, index) => 1_700_000_000 + index)
  const few = new Map(times(5_000).map((key) => [key, null]))
  expect(decodeValue(encodeValue(few))).toEqual(few)
  const many = 'P2P_MSGPACK_TOO_MANY_VALUES'
  expect(codeOf(() => decodeValue(mapOfNumbers(times(6_000))))).toBe(many)
  expect(codeOf(() => encodeValue(new Map(times(6_000).map((key) => [key, null]))))).toBe(
    'P2P_ENCODE_TOO_LARGE',
  )
  const small = Array.from({ length: 90_000 }, (_, index) => index)
  expect(decodeValue(mapOfNumbers(small))).toEqual(new Map(small.map((key) => [key, null])))
  // What one map may hold, some of them may not.
  const body = mapOfNumbers(times(4_500))
  expect(codeOf(() => decodeValue(body))).toBe('no error')
  expect(codeOf(() => decodeValue(Uint8Array.of(0x92, ...body, ...body)))).toBe(many)
})
