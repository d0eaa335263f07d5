import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeTail, encodeTail } from '../src/protocol/message-tail.ts'

const item = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 255 }))

test('decodeTail reads what encodeTail wrote', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const map = new Map(items)
      expect(decodeTail(encodeTail(map))).toEqual(map)
    }),
  )
})

test('decodeTail takes any bytes without throwing, and only whole tails as tails', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 5 }), fc.nat(), (items, cut) => {
      const tail = encodeTail(new Map(items))
      const part = tail.subarray(0, cut % tail.length)
      // An item such as (0, 7 bytes) may end a part with the very length of that part.
      fc.pre(((part.at(-2) ?? 0) << 8) + (part.at(-1) ?? 0) !== part.length)
      expect(decodeTail(part)).toBeUndefined()
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(() => decodeTail(bytes)).not.toThrow()
    }),
  )
})

test('the layout of a tail does not change', () => {
  const tail = encodeTail(new Map([[1, Uint8Array.of(0, 0, 0, 7)]]))
  expect([...tail]).toEqual([0x70, 0x32, 0x70, 0x2b, 1, 1, 4, 0, 0, 0, 7, 0, 13])
})

test('encodeTail refuses items that do not fit their fields', () => {
  expect(() => encodeTail(new Map([[256, new Uint8Array(0)]]))).toThrow(RangeError)
  expect(() => encodeTail(new Map([[1, new Uint8Array(256)]]))).toThrow(RangeError)
  expect(encodeTail(new Map([[1, new Uint8Array(255)]])).length).toBe(5 + 2 + 255 + 2)
})

test('a tail ends where its length says, is of this version, and counts the first of two equal items', () => {
  const tail = encodeTail(new Map([[1, Uint8Array.of(7)]]))
  const changed = (at: number, byte: number): Uint8Array => {
    const copy = tail.slice()
    copy[at] = byte
    return copy
  }
  expect(decodeTail(changed(0, 0))).toBeUndefined()
  expect(decodeTail(changed(4, 2))).toBeUndefined()
  expect(decodeTail(changed(6, 2))).toBeUndefined() // an item of two bytes, one is there
  expect(decodeTail(changed(tail.length - 1, 1))).toBeUndefined()
  const twice = Uint8Array.of(...tail.subarray(0, 8), 1, 1, 9, 0, 13)
  expect(decodeTail(twice)).toEqual(new Map([[1, Uint8Array.of(7)]]))
  const half = Uint8Array.of(...tail.subarray(0, 5), 1, 0, 8)
  expect(decodeTail(half)).toBeUndefined()
})

test('encodeTail fills 65,535 bytes and refuses more', () => {
  /** 254 items as large as they may be, and one more of this size. */
  const items = (lastBytes: number): Map<number, Uint8Array> =>
    new Map(
      Array.from({ length: 255 }, (_, type) => [
        type,
        new Uint8Array(type === 254 ? lastBytes : 255),
      ]),
    )
  const full = encodeTail(items(248))
  expect(full.length).toBe(65_535)
  expect(decodeTail(full)).toEqual(items(248))
  expect(() => encodeTail(items(249))).toThrow(RangeError)
})
