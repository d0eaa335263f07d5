import { expect, test } from '@jest/globals'
import { decodeBase58Integer, fromHex } from '@p2p/serializer'
import { hashTableNamed, slotsOf } from '../src/protocol/hash-tables.ts'
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

test('only the five tables have names', () => {
  expect(hashTableNamed('sha384')).toBe('sha384')
  expect(hashTableNamed('__proto__')).toBeUndefined()
  expect(hashTableNamed('md5')).toBeUndefined()
})
