import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { fromHex, toHex } from '@p2p/serializer'
import { compressSnappy, inflateSnappy, snappyLength } from '../src/snappy.ts'

test('any block comes back', () => {
  const repetitive = fc
    .array(
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 40 })),
    )
    .map((runs) =>
      Uint8Array.from(
        runs.flatMap(([run, count]) =>
          Array(count)
            .fill([...run])
            .flat(),
        ),
      ),
    )
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), repetitive), (block) => {
      const compressed = compressSnappy(block)
      expect(snappyLength(compressed)).toBe(block.length)
      expect(toHex(inflateSnappy(compressed) ?? new Uint8Array(1))).toBe(toHex(block))
    }),
    { numRuns: 300 },
  )
})

test('long and far repetitions come back, and get shorter', () => {
  const block = new Uint8Array(300_000).map((_, i) => (i % 70_000) * 31 + (i >> 9))
  const compressed = compressSnappy(block)
  expect(Buffer.from(inflateSnappy(compressed) ?? []).equals(block)).toBe(true)
  expect(compressed.length).toBeLessThan(200_000)
  expect(compressSnappy(new Uint8Array(100_000)).length).toBeLessThan(5000)
})

test.each([
  ['nothing', ''],
  ['a length without an end', '8080808080'],
  ['a length that three bytes cannot make', 'ff0100'],
  ['a literal that is cut', '050861'],
  ['a literal longer than announced', '0104616263'],
  ['a literal of 4 GiB', '05fcffffffff61'],
  ['a copy before the start', '080510'],
  ['a copy of offset 0', '0a006101000000'],
  ['a copy longer than announced', '05006115010000'],
  ['fewer bytes than announced', '020061'],
])('%s is refused', (_, hex) => {
  expect(inflateSnappy(fromHex(hex))).toBeUndefined()
})

test('arbitrary bytes are inflated or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (block) => {
      expect(inflateSnappy(block)?.length).toBe(
        inflateSnappy(block) === undefined ? undefined : snappyLength(block),
      )
    }),
    { numRuns: 2000 },
  )
})
