import { expect, test } from '@jest/globals'
import type { Value } from '@p2p/serializer'
import { decodeTurn, encodeTurn, type Turn } from '../../src/protocol/turn.ts'

const id = (number: number): { a: number; b: number } => ({ a: number, b: number + 0x8000_0000 })
const turn: Turn = {
  comparison: 0xffff_ffff,
  key: [1, 2, 3, 0xffff_ffff],
  compare: [{ prefix: [1, 2, 3], ids: Array.from({ length: 16 }, (_, at) => id(at)) }],
  list: [
    { prefix: [], ids: [] },
    { prefix: [15, 0], ids: [id(1), id(2)] },
  ],
  want: [id(7)],
  records: Uint8Array.of(1, 2, 3),
  more: true,
}

test('a turn is read as it was written, with a key or without', () => {
  expect(decodeTurn(encodeTurn(turn))).toEqual(turn)
  const later = { ...turn, key: undefined }
  expect(decodeTurn(encodeTurn(later))).toEqual(later)
})

test('a turn with a field of another kind, or one that ends too early, is none', () => {
  const packets = encodeTurn(turn)
  const [, , compare, list] = packets as readonly [Value, Value, Uint8Array, Uint8Array]
  for (const [at, bad] of [
    [0, 'one'],
    [1, new Uint8Array(15)],
    [1, 'key'],
    [2, 'ranges'],
    [2, compare.subarray(0, -1)],
    [2, Uint8Array.of(3, 0x12)],
    [2, Uint8Array.of(32)], // an id has 32 digits, so no range is that narrow
    [3, list.subarray(0, -1)],
    [3, Uint8Array.of(0, 1)],
    [4, new Uint8Array(7)],
    [4, null],
    [5, 'records'],
    [6, 1],
  ] as const) {
    expect(decodeTurn(packets.with(at, bad))).toBeUndefined()
  }
  expect(decodeTurn([])).toBeUndefined()
})
