/**
 * Tagged values: how fixtures write a value so that nothing is lost (fixtures/README.md has the table).
 * `valueOf` builds the value our encoder takes; `assertValue` compares what our decoder gave, kind by
 * kind: an int is not a float, text is not bytes, map entries keep their order.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Extension, Float } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import * as z from 'zod'
import { bytesFromHex, hexOf } from './recorded-bytes.ts'

export type Tagged =
  | { readonly t: 'nil' }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int'; readonly v: string }
  | { readonly t: 'float'; readonly hex: string }
  | { readonly t: 'str'; readonly v: string }
  | { readonly t: 'bin'; readonly hex: string }
  | { readonly t: 'array'; readonly v: readonly Tagged[] }
  | { readonly t: 'map'; readonly v: readonly (readonly [Tagged, Tagged])[] }
  | { readonly t: 'ext'; readonly type: number; readonly hex: string }
  | { readonly t: 'str' | 'bin'; readonly repeat: string; readonly count: number }
  | { readonly t: 'array'; readonly repeat: Tagged; readonly count: number }
  | { readonly t: 'map'; readonly counter: Tagged; readonly count: number }
  | { readonly t: 'bin'; readonly sha256ctr: string; readonly count: number }

const count = z.number().int().nonnegative()

export const tagged: z.ZodType<Tagged> = z.lazy(() =>
  z.union([
    z.object({ t: z.literal('nil') }),
    z.object({ t: z.literal('bool'), v: z.boolean() }),
    z.object({ t: z.literal('int'), v: z.string().regex(/^-?\d+$/) }),
    z.object({ t: z.literal('float'), hex: z.string().length(16) }),
    z.object({ t: z.literal('str'), v: z.string() }),
    z.object({ t: z.literal('bin'), hex: z.string() }),
    z.object({ t: z.literal('array'), v: z.array(tagged) }),
    z.object({ t: z.literal('map'), v: z.array(z.tuple([tagged, tagged])) }),
    z.object({ t: z.literal('ext'), type: z.number().int(), hex: z.string() }),
    z.object({ t: z.enum(['str', 'bin']), repeat: z.string(), count }),
    z.object({ t: z.literal('array'), repeat: tagged, count }),
    z.object({ t: z.literal('map'), counter: tagged, count }),
    z.object({ t: z.literal('bin'), sha256ctr: z.string(), count }),
  ]),
)

/** The `payload` of a message: a list of values, or one value repeated. */
export const taggedList: z.ZodType<readonly Tagged[]> = z.union([
  z.array(tagged),
  z
    .object({ repeat: tagged, count })
    .transform((list) => new Array<Tagged>(list.count).fill(list.repeat)),
])

/** The value as our encoder takes it. Floats are wrapped, maps are Maps, so that nothing is guessed. */
export function valueOf(value: Tagged): Value {
  const plain = expand(value)
  switch (plain.t) {
    case 'nil':
      return null
    case 'bool':
    case 'str':
      return plain.v
    case 'int':
      return Number.isSafeInteger(Number(plain.v)) ? Number(plain.v) : BigInt(plain.v)
    case 'float':
      return new Float(floatOf(plain.hex))
    case 'bin':
      return bytesFromHex(plain.hex)
    case 'array':
      return plain.v.map(valueOf)
    case 'map':
      return new Map(plain.v.map(([key, item]) => [valueOf(key), valueOf(item)]))
    case 'ext':
      return new Extension(plain.type, bytesFromHex(plain.hex))
  }
}

/** Throws an AssertionError unless `actual`, as our decoder gave it, is the value that was recorded. */
export function assertValue(actual: unknown, expected: Tagged, path = 'value'): void {
  const plain = expand(expected)
  switch (plain.t) {
    case 'nil':
      assert.equal(actual, null, path)
      return
    case 'bool':
    case 'str':
      assert.equal(actual, plain.v, path)
      return
    case 'int':
      assert.ok(typeof actual === 'number' || typeof actual === 'bigint', `${path}: not an int`)
      assert.ok(!Object.is(actual, -0), `${path}: -0 is no int`)
      assert.equal(String(BigInt(actual)), plain.v, path)
      return
    case 'float':
      assertFloat(actual, plain.hex, path)
      return
    case 'bin':
      assert.ok(actual instanceof Uint8Array, `${path}: not bytes`)
      assert.equal(hexOf(actual), plain.hex, path)
      return
    case 'array':
      assertArray(actual, plain.v, path)
      return
    case 'map':
      assertMap(actual, plain.v, path)
      return
    case 'ext':
      assert.ok(actual instanceof Extension, `${path}: not an extension`)
      assert.equal(actual.type, plain.type, `${path}: extension type`)
      assert.equal(hexOf(actual.data), plain.hex, path)
  }
}

/** Compares a decoded list with the recorded one. */
export function assertArray(actual: unknown, expected: readonly Tagged[], path: string): void {
  assert.ok(Array.isArray(actual), `${path}: not an array`)
  assert.equal(actual.length, expected.length, `${path}: length`)
  for (const [index, item] of expected.entries()) {
    assertValue(actual[index], item, `${path}[${index}]`)
  }
}

function assertMap(
  actual: unknown,
  expected: readonly (readonly [Tagged, Tagged])[],
  path: string,
): void {
  assert.ok(typeof actual === 'object' && actual !== null, `${path}: not a map`)
  if (!(actual instanceof Map)) {
    // JavaScript orders the keys of an object itself; that the wire order is kept shows when the
    // value is packed again.
    const record = new Map<unknown, unknown>(Object.entries(actual))
    assert.equal(record.size, expected.length, `${path}: size`)
    for (const [key, value] of expected) {
      assert.ok(key.t === 'str' && 'v' in key && record.has(key.v), `${path}: key is missing`)
      assertValue(record.get(key.v), value, `${path}.${key.v}`)
    }
    return
  }
  const entries = [...actual.entries()]
  assert.equal(entries.length, expected.length, `${path}: size`)
  for (const [index, [key, value]] of expected.entries()) {
    const entry = entries[index]
    assertValue(entry?.[0], key, `${path} key ${index}`)
    assertValue(entry?.[1], value, `${path} value ${index}`)
  }
}

/** A whole float comes as a Float, because as a number it would be written as an int again. */
function assertFloat(actual: unknown, hex: string, path: string): void {
  if (typeof actual === 'number') {
    assert.ok(
      !Number.isSafeInteger(actual) || Object.is(actual, -0),
      `${path}: a float came as an int`,
    )
  }
  const number = actual instanceof Float ? actual.value : actual
  assert.ok(typeof number === 'number', `${path}: not a float`)
  const expected = floatOf(hex)
  assert.ok(Object.is(number, expected), `${path}: expected ${expected}, got ${number}`)
}

function floatOf(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE()
}

type PlainTagged = Exclude<Tagged, { readonly count: number }>

/** Writes out what stands for something repeated. */
function expand(value: Tagged): PlainTagged {
  if (!('count' in value)) return value
  switch (value.t) {
    case 'str':
      return { t: 'str', v: value.repeat.repeat(value.count) }
    case 'array':
      return { t: 'array', v: new Array<Tagged>(value.count).fill(value.repeat) }
    case 'map':
      return {
        t: 'map',
        v: Array.from({ length: value.count }, (_, index) => [
          { t: 'int', v: String(index) },
          value.counter,
        ]),
      }
    case 'bin':
      return {
        t: 'bin',
        hex:
          'repeat' in value
            ? value.repeat.repeat(value.count)
            : digestCounter(value.sha256ctr, value.count),
      }
  }
}

/** sha256("seed:0"), sha256("seed:1") … cut to `count` bytes, as hex. */
function digestCounter(seed: string, bytes: number): string {
  let hex = ''
  for (let index = 0; hex.length < 2 * bytes; index++) {
    hex += createHash('sha256').update(`${seed}:${index}`).digest('hex')
  }
  return hex.slice(0, 2 * bytes)
}
