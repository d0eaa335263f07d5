import { expect, test } from '@jest/globals'
import { decodeValue, encodeValue, Float, toHex } from '@p2p/serializer'
import { assertValue, tagged, valueOf } from '../src/tagged-value.ts'
import type { Tagged } from '../src/tagged-value.ts'

const samples: readonly [string, Tagged, string][] = [
  ['nil', { t: 'nil' }, 'c0'],
  ['a float with a whole value', { t: 'float', hex: '3ff0000000000000' }, 'cb3ff0000000000000'],
  ['an integer beyond 2^53', { t: 'int', v: '18446744073709551615' }, 'cfffffffffffffffff'],
  ['repeated text', { t: 'str', repeat: 'ab', count: 2 }, 'a461626162'],
  ['repeated bytes', { t: 'bin', repeat: '5a', count: 2 }, 'c4025a5a'],
  ['a repeated item', { t: 'array', repeat: { t: 'nil' }, count: 2 }, '92c0c0'],
  ['a counted map', { t: 'map', counter: { t: 'nil' }, count: 2 }, '8200c001c0'],
  ['digests in a row', { t: 'bin', sha256ctr: 'x', count: 3 }, 'c403bb9a93'],
  ['an extension', { t: 'ext', type: 5, hex: '00' }, 'd40500'],
]

test.each(samples)('%s packs to the bytes it stands for', (_name, value, hex) => {
  expect(tagged.parse(value)).toEqual(value)
  expect(toHex(encodeValue(valueOf(value)))).toBe(hex)
  assertValue(decodeValue(encodeValue(valueOf(value))), value)
})

test.each<[string, unknown, Tagged]>([
  ['an int for a float', 1, { t: 'float', hex: '3ff0000000000000' }],
  ['a float for an int', new Float(1), { t: 'int', v: '1' }],
  ['text for bytes', 'a', { t: 'bin', hex: '61' }],
  ['bytes for text', new Uint8Array([0x61]), { t: 'str', v: 'a' }],
  ['zero for minus zero', new Float(0), { t: 'float', hex: '8000000000000000' }],
  ['a shorter array', [1], { t: 'array', repeat: { t: 'int', v: '1' }, count: 2 }],
  [
    'map entries in another order',
    new Map([
      [2, null],
      [1, null],
    ]),
    {
      t: 'map',
      v: [
        [{ t: 'int', v: '1' }, { t: 'nil' }],
        [{ t: 'int', v: '2' }, { t: 'nil' }],
      ],
    },
  ],
])('%s is not the same value', (_name, actual, expected) => {
  expect(() => {
    assertValue(actual, expected)
  }).toThrow()
})
