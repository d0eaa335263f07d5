import { createHash } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { Float, decodeValue, encodeValue } from '@p2p/serializer'
import { tagged, taggedToValue, valueToTagged } from '../src/node/tagged-value.ts'
import type { Tagged } from '../src/node/tagged-value.ts'

const samples: readonly Tagged[] = [
  { t: 'nil' },
  { t: 'bool', v: false },
  { t: 'int', v: '-5' },
  { t: 'int', v: '18446744073709551615' },
  { t: 'float', hex: '3ff0000000000000' },
  { t: 'float', hex: '8000000000000000' },
  { t: 'float', hex: '3ff8000000000000' },
  { t: 'str', v: '日本' },
  { t: 'bin', hex: '00ff' },
  {
    t: 'array',
    v: [
      { t: 'int', v: '1' },
      { t: 'array', v: [] },
    ],
  },
  {
    t: 'map',
    v: [
      [{ t: 'str', v: '10' }, { t: 'nil' }],
      [
        { t: 'int', v: '10' },
        { t: 'bin', hex: '' },
      ],
    ],
  },
  { t: 'ext', type: 5, hex: '01' },
]

test('a tagged value survives the wire and back', () => {
  for (const sample of samples) {
    const decoded = decodeValue(encodeValue(taggedToValue(sample)))
    expect(valueToTagged(decoded)).toEqual(sample)
  }
})

test('a repeated value is written out', () => {
  expect(taggedToValue({ t: 'str', repeat: 'ab', count: 3 })).toBe('ababab')
  expect(taggedToValue({ t: 'bin', repeat: '5a', count: 2 })).toEqual(Uint8Array.of(0x5a, 0x5a))
  expect(taggedToValue({ t: 'array', repeat: { t: 'nil' }, count: 2 })).toEqual([null, null])
})

test('a map that counts, and bytes of digests, are written out', () => {
  const counted = tagged.parse({ t: 'map', counter: { t: 'bool', v: true }, count: 2 })
  expect(taggedToValue(counted)).toEqual(
    new Map([
      [0, true],
      [1, true],
    ]),
  )
  const digests = tagged.parse({ t: 'bin', sha256ctr: 'seed', count: 40 })
  const expected = ['seed:0', 'seed:1']
    .map((text) => createHash('sha256').update(text).digest('hex'))
    .join('')
    .slice(0, 80)
  expect(valueToTagged(taggedToValue(digests))).toEqual({ t: 'bin', hex: expected })
})

test('a whole float is not an int', () => {
  expect(valueToTagged(new Float(1))).toEqual({ t: 'float', hex: '3ff0000000000000' })
  expect(valueToTagged(1)).toEqual({ t: 'int', v: '1' })
  expect(valueToTagged(-0)).toEqual({ t: 'float', hex: '8000000000000000' })
})

test('what is no tagged value is refused', () => {
  for (const wrong of [
    5,
    'x',
    null,
    {},
    { t: 'int', v: 5 },
    { t: 'bin', hex: 'abc' },
    { t: 'bin', repeat: 'zz', count: 2 },
    { t: 'bin', repeat: '5', count: 2 },
    { t: 'map', counter: { t: 'nil' }, count: -1 },
    { t: 'what' },
  ])
    expect(tagged.safeParse(wrong).success).toBe(false)
})

test('bytes may be many', () => {
  const big = { t: 'bin', hex: '5a'.repeat(8_388_608) }
  expect(tagged.safeParse(big).success).toBe(true)
})
