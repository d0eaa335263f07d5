import { gzipSync, deflateSync } from 'node:zlib'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { toHex } from '@p2p/serializer'
import type { InflateResult } from '../src/compression.ts'
import * as nodeDigest from '../src/platform/digest-node.ts'
import * as portableDigest from '../src/platform/digest-portable.ts'
import * as nodeText from '../src/platform/text-node.ts'
import * as portableText from '../src/platform/text-portable.ts'
import * as nodeZlib from '../src/platform/zlib-node.ts'
import * as portableZlib from '../src/platform/zlib-portable.ts'

const bytes = fc.uint8Array({ minLength: 1, maxLength: 700 })

test('both digests agree', () => {
  fc.assert(
    fc.property(bytes, (input) => {
      for (const name of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const) {
        expect(toHex(nodeDigest[name](input))).toBe(toHex(portableDigest[name](input)))
      }
      for (const digest of [nodeDigest, portableDigest]) {
        const target = new Uint8Array(40)
        digest.writeSha256(input, target, 5)
        expect(toHex(target.subarray(5, 37))).toBe(toHex(digest.sha256(input)))
        expect(digest.matchesSha256(input, target, 5)).toBe(true)
        expect(digest.matchesSha256(input, target, 4)).toBe(false)
      }
    }),
  )
})

test('both text readers agree, on what is UTF-8 and on what is not', () => {
  const input = fc.oneof(
    bytes,
    fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
    fc.constant(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])),
    fc.constant(new Uint8Array([0xef, 0xbf, 0xbd])),
  )
  fc.assert(
    fc.property(input, (source) => {
      const text = nodeText.readUtf8(source, 0, source.length)
      expect(portableText.readUtf8(source, 0, source.length)).toBe(text)
    }),
    { numRuns: 1000 },
  )
})

test('both write the same hexadecimal digits', () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const expected = Buffer.from(all).toString('hex')
  for (const { writeHex } of [nodeText, portableText]) {
    expect(writeHex(all)).toBe(expected)
    expect(writeHex(all.subarray(250, 252))).toBe('fafb')
    expect(writeHex(new Uint8Array(0))).toBe('')
  }
})

test('each reads what the other compressed', () => {
  fc.assert(
    fc.property(bytes, (input) => {
      for (const [from, to] of [
        [nodeZlib, portableZlib],
        [portableZlib, nodeZlib],
      ] as const) {
        const expected = { type: 'inflated', bytes: new Uint8Array(input) }
        expect(to.inflateZlib(from.compressZlib(input), 700)).toEqual(expected)
        expect(to.inflateGzip(from.compressGzip(input), 700)).toEqual(expected)
      }
    }),
  )
})

test.each([
  ['node', nodeZlib],
  ['portable', portableZlib],
])('%s inflating stops at the limit and refuses what is cut', (_, zlib) => {
  const zlibBytes = new Uint8Array(deflateSync(Buffer.alloc(10_000, 'ab')))
  const gzipBytes = new Uint8Array(gzipSync(Buffer.alloc(10_000, 'ab')))
  expect(zlib.inflateZlib(zlibBytes, 10_000).type).toBe('inflated')
  expect(zlib.inflateZlib(zlibBytes, 9_999).type).toBe('too-large')
  expect(zlib.inflateGzip(gzipBytes, 10_000).type).toBe('inflated')
  expect(zlib.inflateGzip(gzipBytes, 9_999).type).toBe('too-large')
  for (let length = 0; length < zlibBytes.length; length++) {
    expect(zlib.inflateZlib(zlibBytes.subarray(0, length), 10_000).type).toBe('invalid')
  }
  for (let length = 0; length < gzipBytes.length; length++) {
    expect(zlib.inflateGzip(gzipBytes.subarray(0, length), 10_000).type).toBe('invalid')
  }
})

test.each([
  ['zlib', nodeZlib.inflateZlib, deflateSync],
  ['gzip', nodeZlib.inflateGzip, gzipSync],
] as const)('node counts a long run of %s out before it inflates it', (_, inflate, deflate) => {
  const plain = Buffer.alloc(4_194_304, 'ab')
  const block = new Uint8Array(deflate(plain))
  const result = inflate(block, plain.length)
  expect(result.type === 'inflated' && plain.equals(result.bytes)).toBe(true)
  expect(inflate(block, plain.length - 1).type).toBe('too-large')
  expect(inflate(block.subarray(0, -9), plain.length).type).toBe('invalid')
})

test('inflating in JavaScript comes to what it comes to in Node, for sound and damaged streams alike', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 700 }))
      .map(repeated),
  )
  const input = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.concat(pieces))
  const settings = fc.record({
    level: fc.integer({ min: 0, max: 9 }),
    strategy: fc.integer({ min: 0, max: 4 }),
    memLevel: fc.integer({ min: 1, max: 9 }),
  })
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 2 })
  const taken = { sound: 0, damaged: 0 }
  fc.assert(
    fc.property(input, settings, damage, fc.boolean(), (plain, setting, changes, isGzip) => {
      const compressed = isGzip ? gzipSync(plain, setting) : deflateSync(plain, setting)
      const block = new Uint8Array(compressed)
      // Bytes of the header stay: how many members and which flags there are is Node's own business.
      for (const [at, bits] of changes) {
        const place = 10 + (at % Math.max(1, block.length - 10))
        if (place < block.length) block[place] = (block[place] ?? 0) ^ bits
      }
      const method = isGzip ? 'inflateGzip' : 'inflateZlib'
      const expected = nodeZlib[method](block, 1_000_000)
      expect(outcome(portableZlib[method](block, 1_000_000))).toBe(outcome(expected))
      if (expected.type === 'inflated') taken[changes.length === 0 ? 'sound' : 'damaged']++
    }),
    { numRuns: 1_000 },
  )
  expect(taken.sound).toBeGreaterThan(0)
})

function outcome(result: InflateResult): string {
  return result.type === 'inflated' ? toHex(result.bytes) : result.type
}

function repeated([unit, count]: readonly [Uint8Array, number]): Uint8Array {
  return new Uint8Array(Buffer.alloc(unit.length * count, unit))
}
