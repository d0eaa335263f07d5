import { expect, test } from '@jest/globals'
import { bytesEqual, compareBytes, concatBytes, fromHex, toHex } from '../src/bytes.ts'

test('hexadecimal is written in lower case and read in both', () => {
  const bytes = Uint8Array.of(0, 15, 160, 255)
  expect(toHex(bytes)).toBe('000fa0ff')
  expect(fromHex('000fA0Ff')).toEqual(bytes)
  for (const bad of ['0', '0g', '0x00', ' 00']) expect(() => fromHex(bad)).toThrow(RangeError)
})

test('bytes are equal when all are, and ordered by the first that differs, then by length', () => {
  const [a, b, longer] = [Uint8Array.of(1, 2), Uint8Array.of(1, 3), Uint8Array.of(1, 2, 0)]
  expect([bytesEqual(a, a.slice()), bytesEqual(a, b), bytesEqual(a, longer)]).toEqual([
    true,
    false,
    false,
  ])
  expect([longer, b, a].sort(compareBytes)).toEqual([a, longer, b])
  expect(compareBytes(a, a.slice())).toBe(0)
  expect(concatBytes(a, new Uint8Array(0), b)).toEqual(Uint8Array.of(1, 2, 1, 3))
})
