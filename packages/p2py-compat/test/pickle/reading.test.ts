// Instructions one by one, as older picklers or other programs write them.
import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../../src/pickle/reader.ts'
import { PyRequest, PyTuple, type PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'
import { assemble } from './exploits.ts'
import type { Part } from './exploits.ts'

function codeOf(pickle: Uint8Array, limits = {}): string {
  try {
    decodePickle(pickle, limits)
  } catch (error) {
    if (isP2pError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe('read as Python reads it:', () => {
  test.each<[string, Part, PyValue]>([
    ['LONG1 without bytes is 0', [0x80, 2, 0x8a, 0, '.'], 0],
    ['a sign in front of a decimal integer', 'I+5\n.', 5],
    ['a long with and without its letter', '(L7L\nL-8\nl.', [7, -8]],
    ['a text with escapes', "S'a\\x41\\n\\'b'\n.", "aA\n'b"],
    ['a mark that is taken away again', '(0N.', null],
    [
      'a fraction, and both booleans, as keys',
      "}F0.5\nS'a'\nsI00\nS'b'\nsI01\nS'c'\ns.",
      fractions(),
    ],
    ['bytes() called with nothing', 'cbuiltins\nbytes\n)R.', new Uint8Array(0)],
  ])('%s', (_, pickle, value) => {
    expect(decodePickle(assemble(pickle))).toEqual(value)
  })
})

function fractions(): PyValue {
  return new Map<PyValue, PyValue>([
    [0.5, 'a'],
    [false, 'b'],
    [true, 'c'],
  ])
}

describe('refused:', () => {
  test.each<[string, Part, string]>([
    ['a text whose last quote is escaped', "S'a\\'\n.", 'P2P_PICKLE_LITERAL'],
    ['a text with an escape of one digit', "S'\\x4'\n.", 'P2P_PICKLE_LITERAL'],
    ['members for a list', '](N\x90.', 'P2P_PICKLE_STACK'],
    ['bytes() called with an argument', 'cbuiltins\nbytes\n(NtR.', 'P2P_PICKLE_GLOBAL'],
    [
      'a frame inside a frame',
      [0x80, 4, 0x95, 11, 0, 0, 0, 0, 0, 0, 0, 0x95, 1, 0, 0, 0, 0, 0, 0, 0, 'N.'],
      'P2P_PICKLE_STACK',
    ],
  ])('%s', (_, pickle, code) => {
    expect(codeOf(assemble(pickle))).toBe(code)
  })
})

test.each([
  ['two bytes cut after one', 'c3'],
  ['three bytes cut after two', 'e282'],
  ['four bytes cut after three', 'f09f98'],
  ['four bytes cut after one', 'f0'],
  ['a sequence that goes on with a letter', 'e28261'],
  ['a letter in two bytes', 'c1a1'],
  ['two bytes enough, three taken', 'e09fbf'],
  ['three bytes enough, four taken', 'f08fbfbf'],
  ['half a surrogate pair', 'eda080'],
  ['a number beyond the last character', 'f4908080'],
  ['a first byte that begins nothing', 'f8888080'],
  ['a byte that only continues', '80'],
])('text that is no UTF-8 is refused: %s', (_, hex) => {
  const bytes = Buffer.from(hex, 'hex')
  expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow()
  expect(codeOf(assemble([0x80, 4, 0x8c, bytes.length], bytes, '.'))).toBe('P2P_PICKLE_LITERAL')
})

test('the first and the last character of each length in UTF-8 are read and written', () => {
  const text = '\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}'
  const bytes = Buffer.from(text)
  expect(decodePickle(assemble([0x80, 4, 0x8c, bytes.length], bytes, '.'))).toBe(text)
  expect(Buffer.from(encodePickle(text)).includes(bytes)).toBe(true)
})

test('a key may nest as deep as a value, and no deeper', () => {
  const key = (levels: number): Uint8Array => assemble('}N', '\x85'.repeat(levels), 'Ns.')
  const limits = { maxDepth: 8 }
  expect(codeOf(key(7), limits)).toBe('no error')
  expect(codeOf(key(8), limits)).toBe('P2P_PICKLE_LIMIT')
  expect(codeOf(key(9), limits)).toBe('P2P_PICKLE_KEY')
})

test('a key may be so long and no longer, alone and with what stands beside it in a tuple', () => {
  const longest = 'x'.repeat(16_383)
  expect(decodePickle(encodePickle(new Set([longest])))).toEqual(new Set([longest]))
  expect(codeOf(encodePickle(new Set([`${longest}x`])))).toBe('P2P_PICKLE_LIMIT')
  const pair = (length: number): PyTuple => new PyTuple(['x'.repeat(length), 5])
  // (s16372:x…,n5,)
  expect(codeOf(encodePickle(new Set([pair(16_370)])))).toBe('no error')
  expect(codeOf(encodePickle(new Set([pair(16_371)])))).toBe('P2P_PICKLE_LIMIT')
})

test('as many large numbers may be keys as may collide at worst, in all, and no more', () => {
  const limits = { maxKeyCollisions: 6 + 1 }
  const set = (...numbers: PyValue[]): PyValue => new Set(numbers)
  const four = [1e9, 2 ** 60, 2n ** 70n, 0.5]
  expect(codeOf(encodePickle(set(...four)), limits)).toBe('no error')
  expect(codeOf(encodePickle(set(...four, -1e9)), limits)).toBe('P2P_PICKLE_LIMIT')
  expect(codeOf(encodePickle([set(...four), set(3e9, 4e9)]), limits)).toBe('no error')
  expect(codeOf(encodePickle([set(...four), set(3e9, 4e9, 5e9)]), limits)).toBe('P2P_PICKLE_LIMIT')
  const map = new Map<PyValue, PyValue>([...four, -1e9].map((key) => [key, null]))
  expect(codeOf(encodePickle(map), limits)).toBe('P2P_PICKLE_LIMIT')
})

test('a number that meets many others as often as it comes is refused like many numbers', () => {
  const again = assemble('}(', 'J\0\0\0\x40NJ\0\0\0\x20N', 'J\0\0\0\x20N'.repeat(3), 'u.')
  expect(codeOf(again, { maxKeyCollisions: 7 })).toBe('no error')
  expect(codeOf(again, { maxKeyCollisions: 6 })).toBe('P2P_PICKLE_LIMIT')
})

test('whole numbers up to maxValues, texts and tuples may be keys without any such limit', () => {
  const limits = { maxKeyCollisions: 1, maxValues: 1_000 }
  const small = Array.from({ length: 200 }, (_, index) => index * 5)
  const keys: PyValue[] = [...small, 1_000, -1_000]
  for (const index of small) keys.push(`large ${index}`, new PyTuple([1e9 + index]))
  const set = (...members: PyValue[]): Uint8Array => encodePickle(new Set(members))
  expect(codeOf(set(...keys.slice(0, 202)), limits)).toBe('no error')
  expect(codeOf(set(...keys.slice(202, 402)), limits)).toBe('no error')
  expect(codeOf(set(1_001, -1_001, 1_002), limits)).toBe('P2P_PICKLE_LIMIT')
})

test('integers are equal as keys whatever they are written as', () => {
  const keys = "}I9007199254740993\nNsL9007199254740993L\nS'b'\nsF9007199254740992.0\nS'c'\ns."
  expect(decodePickle(assemble(keys))).toEqual(
    new Map<PyValue, PyValue>([
      [2n ** 53n + 1n, 'b'],
      [2 ** 53, 'c'],
    ]),
  )
})

test('levels are counted through a value that stands in two places', () => {
  const nested = (levels: number, inner: PyValue): PyValue =>
    levels === 0 ? inner : [nested(levels - 1, inner)]
  const shared = nested(4, [])
  const pickle = encodePickle([shared, nested(3, shared)])
  expect(codeOf(pickle, { maxDepth: 9 })).toBe('no error')
  expect(codeOf(pickle, { maxDepth: 8 })).toBe('P2P_PICKLE_LIMIT')
})

test('a value that nests too deep to be read is not written either', () => {
  const nested = (levels: number): PyValue => (levels === 1 ? [] : [nested(levels - 1)])
  expect(codeOf(encodePickle(nested(256)))).toBe('no error')
  expect(() => encodePickle(nested(257))).toThrow(RangeError)
})

test('what is read can be written again, however deep: it may have to be passed on', () => {
  const nested = (levels: number, leaf: Part): Uint8Array =>
    assemble(']'.repeat(levels), leaf, 'a'.repeat(levels), '.')
  for (const leaf of ['N', "S'x'\n", [0x96, 1, '\0'.repeat(7), 'x']]) {
    const value = decodePickle(nested(256, leaf))
    expect(decodePickle(encodePickle(value))).toEqual(value)
  }
  const contents = decodePickle(nested(255, 'N'))
  const request = encodePickle(new PyRequest(new Map([['contents', contents]])))
  expect(encodePickle(decodePickle(request))).toEqual(request)
})

test('a long text alone needs no frame, and the 300th value may stand in two places', () => {
  const long = 'x'.repeat(70_000)
  expect(decodePickle(encodePickle(long))).toBe(long)
  const items: PyValue[] = Array.from({ length: 300 }, (_, index) => [index])
  const pickle = encodePickle([...items, items[299] ?? null, items[0] ?? null])
  const read = decodePickle(pickle) as readonly PyValue[]
  expect(read).toEqual([...items, [299], [0]])
  expect(read[300]).toBe(read[299])
  expect(read[301]).toBe(read[0])
})
