import { expect, test } from '@jest/globals'
import { decodeBase58Integer, encodeBase58Integer, fromHex, utf8Encode } from '@p2p/serializer'
import {
  hashTableNamed,
  Slot,
  slotNamed,
  slotOfDigits,
  slotsOf,
} from '../src/protocol/hash-tables.ts'
import { ringSize } from '../src/protocol/ring.ts'
import { recordedCases } from './vectors/recorded.ts'

const hashes = recordedCases('hashes')

test('a key stands in the five places that the originals give it', () => {
  expect(hashes.length).toBeGreaterThan(10)
  for (const recorded of hashes) {
    const slots = slotsOf(fromHex(recorded.key))
    expect(slots.map((slot) => slot.table)).toEqual(recorded.methods)
    expect(slots.map((slot) => decodeBase58Integer(slot.slotText))).toEqual(
      recorded.hashes.map(BigInt),
    )
    for (const slot of slots) {
      expect(slot.position).toBe(decodeBase58Integer(slot.slotText) % ringSize)
    }
  }
})

test('a slot has one name, whether its key or its text is known', () => {
  // Among so many digests some end in a zero byte.
  for (let number = 0; number < 600; number += 1) {
    for (const slot of slotsOf(utf8Encode(`key ${number}`))) {
      const named = slotNamed(slot.table, slot.slotText)
      expect(named?.name).toBe(slot.name)
      expect(named?.position).toBe(slot.position)
      // Longer texts than the longest integer has are not read.
      if (slot.table !== 'sha512')
        expect(slotNamed(slot.table, `1${slot.slotText}`)?.name).toBe(slot.name)
    }
  }
})

test('integers that no key has are names of their own', () => {
  const integers = [0n, 1n, 1n << 223n, 1n << 224n, (1n << 224n) + 1n, ringSize - 1n]
  const slots = integers.map((integer) => slotNamed('sha1', encodeBase58Integer(integer)))
  expect(new Set(slots.map((slot) => slot?.name)).size).toBe(integers.length)
  expect(slots.map((slot) => slot?.position)).toEqual(integers)
  const texts = slots.map((slot) => new Slot({ table: 'sha1', name: slot?.name ?? '' }).slotText)
  expect(texts).toEqual(integers.map((integer) => encodeBase58Integer(integer)))
})

test('a slot that a node of ours names by its digits is the same; no other digits are read', () => {
  for (let number = 0; number < 600; number += 1) {
    for (const slot of slotsOf(utf8Encode(`key ${number}`))) {
      const named = slotOfDigits(slot.table, slot.digits)
      expect([named?.name, named?.slotText]).toEqual([slot.name, slot.slotText])
    }
  }
  expect(slotOfDigits('sha1', 'a'.repeat(97))).toBeUndefined()
  expect(slotOfDigits('sha512', 'a'.repeat(129))).toBeUndefined()
  for (const digits of ['0x1', 'A', '-1', ' ', 'é']) {
    expect(slotOfDigits('sha1', digits)).toBeUndefined()
  }
})

test('only the five tables have names', () => {
  expect(hashTableNamed('sha384')).toBe('sha384')
  expect(hashTableNamed('__proto__')).toBeUndefined()
  expect(hashTableNamed('md5')).toBeUndefined()
})
