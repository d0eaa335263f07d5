/**
 * Values on the JSON lines, tagged so that nothing is lost: str and bin, int and float stay apart, and
 * integers of any size fit.
 *
 *   {"t":"nil"}  {"t":"bool","v":true}  {"t":"int","v":"5"}  {"t":"float","hex":"3ff8000000000000"}
 *   {"t":"str","v":"…"}  {"t":"bin","hex":"…"}  {"t":"array","v":[…]}  {"t":"map","v":[[key,value],…]}
 *   {"t":"ext","type":5,"hex":"…"}
 *
 * and, in commands, what is long: a thing repeated (of bin as hex), a map of the ints 0…8 to one value, and as
 * many bytes of sha256("seed:0"), sha256("seed:1") …
 *
 *   {"t":"str"|"bin"|"array","repeat":…,"count":9}  {"t":"map","counter":value,"count":9}
 *   {"t":"bin","sha256ctr":"seed","count":9}
 */
import { createHash } from 'node:crypto'
import { Extension, Float } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import * as z from 'zod/mini'
import { bytesOf, floatToTagged, hex, hexOf, isScalar, scalarToTagged } from './tagged-scalar.ts'

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

const count = z.int().check(z.nonnegative())

export const tagged: z.ZodMiniType<Tagged> = z.lazy(() =>
  z.union([
    z.strictObject({ t: z.literal('nil') }),
    z.strictObject({ t: z.literal('bool'), v: z.boolean() }),
    z.strictObject({ t: z.literal('int'), v: z.string().check(z.regex(/^-?\d{1,20}$/)) }),
    z.strictObject({ t: z.literal('float'), hex: hex.check(z.length(16)) }),
    z.strictObject({ t: z.literal('str'), v: z.string() }),
    z.strictObject({ t: z.literal('bin'), hex }),
    z.strictObject({ t: z.literal('array'), v: z.array(tagged) }),
    z.strictObject({ t: z.literal('map'), v: z.array(z.tuple([tagged, tagged])) }),
    z.strictObject({ t: z.literal('ext'), type: z.int(), hex }),
    z.strictObject({ t: z.literal('str'), repeat: z.string(), count }),
    z.strictObject({ t: z.literal('bin'), repeat: hex, count }),
    z.strictObject({ t: z.literal('array'), repeat: tagged, count }),
    z.strictObject({ t: z.literal('map'), counter: tagged, count }),
    z.strictObject({ t: z.literal('bin'), sha256ctr: z.string(), count }),
  ]),
)

/** The value to send. Every float is wrapped and every map is a Map, so that nothing is guessed. */
export function taggedToValue(value: Tagged): Value {
  switch (value.t) {
    case 'nil':
      return null
    case 'bool':
      return value.v
    case 'int': {
      const number = Number(value.v)
      return Number.isSafeInteger(number) ? number : BigInt(value.v)
    }
    case 'float':
      return new Float(Buffer.from(value.hex, 'hex').readDoubleBE())
    case 'str':
      return 'v' in value ? value.v : value.repeat.repeat(value.count)
    case 'bin':
      if ('sha256ctr' in value) return digestsOf(value.sha256ctr, value.count)
      return bytesOf('repeat' in value ? value.repeat.repeat(value.count) : value.hex)
    case 'array':
      return 'v' in value
        ? value.v.map(taggedToValue)
        : new Array<Value>(value.count).fill(taggedToValue(value.repeat))
    case 'map':
      return 'v' in value
        ? new Map(value.v.map(([key, item]) => [taggedToValue(key), taggedToValue(item)]))
        : countedMap(taggedToValue(value.counter), value.count)
    case 'ext':
      return new Extension(value.type, bytesOf(value.hex))
  }
}

function countedMap(value: Value, count: number): Value {
  const map = new Map<Value, Value>()
  for (let key = 0; key < count; key++) map.set(key, value)
  return map
}

function digestsOf(seed: string, count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  for (let at = 0, index = 0; at < count; index++) {
    const digest = createHash('sha256').update(`${seed}:${index}`).digest()
    bytes.set(digest.subarray(0, count - at), at)
    at += digest.length
  }
  return bytes
}

/** A received value as it is printed. */
export function valueToTagged(value: Value): Tagged {
  if (value === null) return { t: 'nil' }
  if (isScalar(value)) return scalarToTagged(value)
  if (value instanceof Float) return floatToTagged(value.value)
  if (value instanceof Uint8Array) return { t: 'bin', hex: hexOf(value) }
  if (value instanceof Extension) return { t: 'ext', type: value.type, hex: hexOf(value.data) }
  if (Array.isArray(value)) return { t: 'array', v: value.map(valueToTagged) }
  const pairs = value instanceof Map ? [...value] : Object.entries(value)
  return { t: 'map', v: pairs.map(([key, item]) => [valueToTagged(key), valueToTagged(item)]) }
}
