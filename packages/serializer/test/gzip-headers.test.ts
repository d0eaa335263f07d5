import { expect, test } from '@jest/globals'
import { crc32, gunzipSync, gzipSync } from 'node:zlib'
import { inflateGzip } from '../src/platform/zlib-portable.ts'

const text = new TextEncoder().encode('some text, some text, some text')
const plain = new Uint8Array(gzipSync(text))

/** The same data behind a header with these flags and further fields. */
function withHeader(flags: number, fields: readonly number[]): Uint8Array {
  const block = Uint8Array.of(...plain.subarray(0, 10), ...fields, ...plain.subarray(10))
  block[3] = flags
  return block
}

const name = [0x6e, 0]
const extra = [3, 0, 1, 2, 3]

test.each([
  ['none', 0, []],
  ['extra fields', 4, extra],
  ['a name', 8, name],
  ['a comment', 16, name],
  ['extra fields, a name and a comment', 28, [...extra, ...name, ...name]],
])('a header with %s is skipped, as Node does', (_case, flags, fields) => {
  const block = withHeader(flags, fields)
  expect(new Uint8Array(gunzipSync(block))).toEqual(text)
  expect(inflateGzip(block, 1_000)).toEqual({ type: 'inflated', bytes: text })
})

test('the checksum of a header is skipped', () => {
  const header = withHeader(2, []).subarray(0, 10)
  const sum = crc32(header)
  const block = withHeader(2, [sum & 0xff, (sum >> 8) & 0xff])
  expect(new Uint8Array(gunzipSync(block))).toEqual(text)
  expect(inflateGzip(block, 1_000)).toEqual({ type: 'inflated', bytes: text })
})

test('a header that is none, or that never ends, and sums that are wrong or cut off are invalid', () => {
  const changed = (at: number, byte: number): Uint8Array => {
    const block = plain.slice()
    block[at < 0 ? block.length + at : at] = byte
    return block
  }
  const blocks = [
    ...[0, 1, 2].map((at) => changed(at, 0)),
    Uint8Array.of(0x1f, 0x8b),
    ...[10, 11, 12].map((length) => withHeader(4, extra).subarray(0, length)),
    Uint8Array.of(...withHeader(8, [1, 2, 3]).subarray(0, 12)),
    changed(-1, 99),
    changed(-8, (plain.at(-8) ?? 0) ^ 1),
    plain.subarray(0, -1),
  ]
  for (const block of blocks) expect(inflateGzip(block, 1_000)).toEqual({ type: 'invalid' })
})
