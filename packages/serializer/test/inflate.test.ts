// Deflated streams that no compressor writes, put together bit by bit (RFC 1951).
import { inflateRawSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { InflateFailure } from '../src/inflate-failure.ts'
import { inflateDeflated } from '../src/platform/inflate.ts'

/** A number of so many bits, the low bit first. */
function field(value: number, count: number): string {
  return [...value.toString(2).padStart(count, '0')].reverse().join('')
}

/** Zeros and ones as bytes, which fill from their low bit on. */
function packed(...parts: readonly string[]): Uint8Array {
  const bits = parts.join('').match(/.{1,8}/g) ?? []
  return Uint8Array.from(bits, (byte) => Number.parseInt([...byte].reverse().join(''), 2))
}

const describedBlock = field(1, 1) + field(2, 2)
/** Of literals, distances and lengths of codes for lengths, less the least number of each. */
const counts = (literals: number, distances: number, lengths: number): string =>
  field(literals, 5) + field(distances, 5) + field(lengths, 4)
/** Lengths of the codes for the lengths: in the order 16, 17, 18, 0, 8, … of the format. */
const lengthCodes = (...lengths: readonly number[]): string =>
  lengths.map((length) => field(length, 3)).join('')

function failure(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error instanceof InflateFailure ? error.type : error
  }
}

describe('refused, as Node does,', () => {
  const zeros = lengthCodes(0, 0, 1, 1)
  test.each([
    ['codes for 287 literals', packed(describedBlock, counts(30, 0, 0), field(0, 99))],
    ['codes for 31 distances', packed(describedBlock, counts(0, 30, 0), field(0, 99))],
    [
      'a repetition of the length before the first',
      packed(describedBlock, counts(0, 0, 0), lengthCodes(1, 0, 0, 1), '1', field(0, 99)),
    ],
    [
      'a repetition beyond the last length',
      packed(describedBlock, counts(0, 0, 0), zeros, `1${field(127, 7)}`.repeat(2), field(0, 99)),
    ],
    [
      'a block that has no code for its end',
      packed(
        describedBlock,
        counts(0, 0, 0),
        zeros,
        `1${field(127, 7)}1${field(109, 7)}`,
        field(0, 99),
      ),
    ],
    ['a stored block whose length is cut', Uint8Array.of(1)],
    ['a stored block whose length is cut in half', Uint8Array.of(1, 1)],
    ['a stored block without the complement of its length', Uint8Array.of(1, 1, 0)],
    ['a stored block with half of the complement', Uint8Array.of(1, 1, 0, 0xfe)],
    ['a stored block whose complement is wrong', Uint8Array.of(1, 1, 0, 0xfe, 0xfe, 7)],
    ['a stored block that is cut', Uint8Array.of(1, 2, 0, 0xfd, 0xff, 7)],
    ['a block of the fourth kind', packed(field(1, 1), field(3, 2), field(0, 29))],
  ])('%s', (_, block) => {
    expect(() => inflateRawSync(block)).toThrow()
    expect(failure(() => inflateDeflated(block, 1_000))).toBe('invalid')
  })
})

test('a block with one distance only, whose code has one bit, is read as Node reads it', () => {
  // Codes for lengths: 00 is length 0, 01 is 1, 10 is 2, 11 repeats zeros.
  const codes = lengthCodes(0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2)
  const zeros = (count: number): string => `11${field(count - 11, 7)}`
  // `a` has one bit, the end and a copy of three bytes have two.
  const lengths = [zeros(97), '01', zeros(138), zeros(20), '10', '10', '01']
  const block = packed(describedBlock, counts(1, 0, 14), codes, ...lengths, '0', '11', '0', '10')
  expect(inflateRawSync(block).toString()).toBe('aaaa')
  expect(inflateDeflated(block, 4).bytes).toEqual(new TextEncoder().encode('aaaa'))
  expect(failure(() => inflateDeflated(block, 3))).toBe('too-large')
})

test('stored bytes that stand behind a long run are not lost', () => {
  // In fixed codes: a zero, then copies of 258 bytes from one byte before.
  const run = `00110000${`11000101${field(0, 5)}`.repeat(100)}0000000`
  const bits = field(0, 1) + field(1, 2) + run + field(1, 1) + field(0, 2)
  const block = Uint8Array.of(...packed(bits), 3, 0, 0xfc, 0xff, 1, 2, 3)
  const expected = new Uint8Array(inflateRawSync(block))
  expect(expected).toHaveLength(1 + 258 * 100 + 3)
  expect(inflateDeflated(block, 100_000)).toEqual({ bytes: expected, end: block.length })
  expect(failure(() => inflateDeflated(block, expected.length - 1))).toBe('too-large')
})
