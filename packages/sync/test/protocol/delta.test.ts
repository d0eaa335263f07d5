import { expect, test } from '@jest/globals'
import { Float, decodeValue, encodeValue, type Value } from '@p2p/serializer'
import { mergeMappings, readFields, writeFields } from '../../src/protocol/delta.ts'

const mapping = (count: number): Uint8Array =>
  encodeValue(new Map(Array.from({ length: count }, (_, field): [Value, Value] => [field, true])))

test('the fields of a delta replace those of the same name, and the others stay', () => {
  const merged = mergeMappings([encodeValue({ a: 1, b: 2 }), encodeValue({ b: 3, c: 4 })])
  expect(decodeValue(merged)).toEqual({ a: 1, b: 3, c: 4 })
})

test('a number is the same name in every width, or py2p would close the link over two of them', () => {
  const wide = Uint8Array.of(0x81, 0xcd, 0, 5, 0xc3)
  const merged = mergeMappings([encodeValue(new Map([[5, 'narrow']])), wide])
  expect(readFields(merged).size).toBe(1)
})

test('what Python takes for one key is one field, or nobody could read the mapping', () => {
  const given: readonly Value[] = [1, true, new Float(1), 'text', [1], new Float(-0), false]
  const all = given.map((name) => encodeValue(new Map([[name, 'field']])))
  const merged = mergeMappings(all)
  expect(decodeValue(merged)).toBeDefined()
  expect(readFields(merged).size).toBe(4)
})

test.each([0, 15, 16, 65_535, 65_536])(
  'a mapping of %i fields is written as it was read',
  (count) => {
    const bytes = mapping(count)
    expect(writeFields(readFields(bytes))).toEqual(bytes)
  },
)

test('of bytes that end too early the whole fields are read, and of no mapping none', () => {
  const bytes = encodeValue({ a: 1, b: 'two' })
  expect(readFields(bytes.subarray(0, -1)).size).toBe(1)
  expect(readFields(bytes.subarray(0, 4)).size).toBe(1)
  expect(readFields(bytes.subarray(0, 5)).size).toBe(1)
  expect(readFields(encodeValue('text')).size).toBe(0)
})
