// Round trip of every type, and a reader that survives any bytes.
import { expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import fc from 'fast-check'
import { opcodes } from '../../src/pickle/opcodes.ts'
import { decodePickle } from '../../src/pickle/reader.ts'
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple } from '../../src/pickle/values.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const key: fc.Arbitrary<PyValue> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.integer({ min: 2 }),
  fc.bigInt({ min: 2n ** 60n }),
)
const value = fc.letrec<{ value: PyValue; list: PyValue[] }>((tie) => ({
  list: fc.array(tie('value'), { maxLength: 5, depthIdentifier: 'value' }),
  value: fc.oneof(
    { depthIdentifier: 'value', maxDepth: 4 },
    fc.constantFrom<PyValue>(null, true, false, -0, 2 ** 53, 0.1, NaN, Infinity, ''),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 3000n }),
    fc.bigInt({ min: -(2n ** 3000n), max: -(2n ** 53n) }),
    fc.double().filter((number) => !Number.isInteger(number)),
    fc.integer().map((number) => new PyFloat(number)),
    fc.string({ unit: 'binary', maxLength: 300 }),
    bytes,
    bytes.map((content) => new PyByteArray(content)),
    tie('list'),
    tie('list').map((items) => new PyTuple(items)),
    fc.uniqueArray(key).map((items) => new Set(items)),
    fc.uniqueArray(key).map((items) => new PyFrozenSet(new Set(items))),
    fc
      .uniqueArray(fc.tuple(key, tie('value')), { selector: ([first]) => first, maxLength: 5 })
      .map((entries) => new Map(entries)),
    tie('value').map((contents) => new PyRequest(new Map([['contents', contents]]))),
  ),
})).value

test('every value comes back as it was written', () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(decodePickle(encodePickle(original))).toEqual(original)
    }),
    { numRuns: 500 },
  )
})

test('containers on both sides of a batch and texts on both sides of a frame come back', () => {
  for (const count of [0, 1, 2, 255, 256, 999, 1000, 1001, 2000]) {
    const items = Array.from({ length: count }, (_, index) => index)
    const entries = items.map((index): [PyValue, PyValue] => [index, `v${index}`])
    for (const original of [
      items,
      new Set(items),
      new PyFrozenSet(new Set(items)),
      new Map(entries),
    ]) {
      expect(decodePickle(encodePickle(original))).toEqual(original)
    }
  }
  for (const length of [65_534, 65_535, 65_536, 65_537, 200_000]) {
    expect(decodePickle(encodePickle(['a'.repeat(length), 'b']))).toEqual(['a'.repeat(length), 'b'])
  }
})

const opcode = fc.constantFrom(...Object.values(opcodes))
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.oneof(
        opcode.map((code) => [code]),
        fc.array(fc.nat(255), { maxLength: 4 }),
      ),
      { maxLength: 60 },
    )
    .map((parts) => Uint8Array.from(parts.flat())),
)

test('any bytes are either plain data or refused with a code, never another error', () => {
  fc.assert(
    fc.property(hostile, (pickle) => {
      try {
        decodePickle(pickle)
      } catch (error) {
        if (!isP2pError(error)) throw error
        expect(error.code).toMatch(/^P2P_PICKLE_/)
      }
    }),
    { numRuns: 5000 },
  )
})

test('a pickle cut anywhere is refused', () => {
  const whole = encodePickle({
    type: 'ADD',
    data: [new PyTuple(['a', 1]), 2.5, new Uint8Array(300)],
  })
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => decodePickle(whole.subarray(0, length))).toThrow(/ends inside|frame/)
  }
})

test('keys are equal as in Python: the first of 1, 1.0 and True stays, with the last value', () => {
  const one = Buffer.from("}K\x01S'a'\nsI01\nS'b'\nsF1.0\nS'c'\ns.", 'latin1')
  expect(decodePickle(one)).toEqual(new Map([[1, 'c']]))
  const tuples = encodePickle(
    new Map([
      [new PyTuple([1, 'x']), 1],
      [new PyTuple([new PyFloat(1), 'x']), 2],
    ]),
  )
  expect(decodePickle(tuples)).toEqual(new Map([[new PyTuple([1, 'x']), 2]]))
})

test('what is no Python value is refused by the writer', () => {
  const cyclic: PyValue[] = []
  cyclic.push(cyclic)
  expect(() => encodePickle(cyclic)).toThrow(RangeError)
  expect(() => encodePickle('\ud800')).toThrow(TypeError)
  expect(() => encodePickle(undefined as never)).toThrow(TypeError)
  expect(() => encodePickle(new Date(0) as never)).toThrow(TypeError)
  expect(() => encodePickle([() => 1] as never)).toThrow(TypeError)
})

test('limits hold at the limit and one above it', () => {
  const list = (count: number): Uint8Array =>
    encodePickle(Array.from({ length: count }, () => null))
  expect(decodePickle(list(20), { maxValues: 22 })).toHaveLength(20) // the list, its mark, its items
  expect(() => decodePickle(list(21), { maxValues: 22 })).toThrow(/values/)
  const deep = (levels: number): Uint8Array =>
    Buffer.from(`${']'.repeat(levels)}${'a'.repeat(levels - 1)}.`)
  expect(decodePickle(deep(8), { maxDepth: 8 })).toEqual([[[[[[[[]]]]]]]])
  expect(() => decodePickle(deep(9), { maxDepth: 8 })).toThrow(/levels/)
  expect(decodePickle(encodePickle(2n ** 127n - 1n), { maxIntegerBytes: 16 })).toBe(2n ** 127n - 1n)
  expect(() => decodePickle(encodePickle(2n ** 127n), { maxIntegerBytes: 16 })).toThrow(/integer/)
  expect(decodePickle(list(1), { maxPickleBytes: list(1).length })).toEqual([null])
  expect(() => decodePickle(list(1), { maxPickleBytes: list(1).length - 1 })).toThrow(/limit/)
})
