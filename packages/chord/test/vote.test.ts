import { expect, test } from '@jest/globals'
import { Extension, Float, encodeValue } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { countVotes, isSameValue, majorityOf } from '../src/protocol/vote.ts'

const packed = (values: readonly Value[]): Uint8Array[] => values.map((value) => encodeValue(value))

// The votes recorded from py2p (chord.json, kind `majority`) run in the conformance suite.
test('three equal values of five are a majority, two are not', () => {
  expect(majorityOf(packed([1, 2, 1, 2, 1]))).toEqual({ value: encodeValue(1), count: 3 })
  expect(majorityOf(packed([1, 2, 1, 2, 3]))).toBeUndefined()
})

test('nil and silence are never votes', () => {
  expect(majorityOf(packed([null, null, null, 1, 1]))).toBeUndefined()
  expect(countVotes([undefined, encodeValue(null), encodeValue(0)])).toEqual([
    { value: encodeValue(0), count: 1 },
  ])
})

test('values are equal as they are to Python', () => {
  const same: readonly (readonly [Value, Value])[] = [
    [1, new Float(1)],
    [1, true],
    [0, false],
    [2n ** 60n, new Float(2 ** 60)],
    [
      { a: 1, b: [2] },
      { b: [new Float(2)], a: true },
    ],
  ]
  const different: readonly (readonly [Value, Value])[] = [
    ['1', 1],
    ['a', new Uint8Array([97])],
    [[1], [1, 1]],
    [2n ** 60n + 1n, new Float(2 ** 60)],
    [{ a: 1 }, { a: 2 }],
    [['a,sb'], ['a', 'b']],
    [0, null],
  ]
  for (const [a, b] of same) expect(isSameValue(encodeValue(a), encodeValue(b))).toBe(true)
  for (const [a, b] of different) expect(isSameValue(encodeValue(a), encodeValue(b))).toBe(false)
})

test('the first of equal answers stands for them', () => {
  const [first, ...others] = packed([new Float(1), 1, true])
  expect(majorityOf([first, ...others])?.value).toBe(first)
})

test('extensions, fractions and large integers are values like any other', () => {
  const extension = (byte: number): Uint8Array => encodeValue(new Extension(5, Uint8Array.of(byte)))
  expect(isSameValue(extension(1), extension(1))).toBe(true)
  expect(isSameValue(extension(1), extension(2))).toBe(false)
  expect(isSameValue(encodeValue(0.5), encodeValue(new Float(0.5)))).toBe(true)
  expect(isSameValue(encodeValue(2n ** 62n), encodeValue(2n ** 62n + 1n))).toBe(false)
})
