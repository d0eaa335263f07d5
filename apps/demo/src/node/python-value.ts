/**
 * Python values on the JSON lines of p2py nodes: the tags of `tagged-value.ts`, and those that pickles
 * tell apart.
 *
 *   {"t":"none"}  {"t":"bytes","hex":"…"}  {"t":"bytearray","hex":"…"}
 *   {"t":"list"|"tuple"|"set"|"frozenset","v":[…]}  {"t":"dict","v":[[key,value],…]}
 *
 * In commands, nil, bin, array and map are taken for none, bytes, list and dict, and plain JSON for
 * what it looks like.
 */
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod/mini'
import { bytesOf, floatToTagged, hex, hexOf, isScalar, scalarToTagged } from './tagged-scalar.ts'

type Plain = null | boolean | number | string

export type PythonTagged =
  | { readonly t: 'none' | 'nil' }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int' | 'str'; readonly v: string }
  | { readonly t: 'float' | 'bytes' | 'bin' | 'bytearray'; readonly hex: string }
  | {
      readonly t: 'list' | 'array' | 'tuple' | 'set' | 'frozenset'
      readonly v: readonly PythonGiven[]
    }
  | { readonly t: 'dict' | 'map'; readonly v: readonly (readonly [PythonGiven, PythonGiven])[] }

/** A value as a command gives it. */
export type PythonGiven = Plain | PythonTagged

export const pythonGiven: z.ZodMiniType<PythonGiven> = z.lazy(() =>
  z.union([
    z.null(),
    z.boolean(),
    z.number(),
    z.string(),
    z.strictObject({ t: z.enum(['none', 'nil']) }),
    z.strictObject({ t: z.literal('bool'), v: z.boolean() }),
    z.strictObject({ t: z.literal('int'), v: z.string().check(z.regex(/^-?\d{1,1000}$/)) }),
    z.strictObject({ t: z.literal('str'), v: z.string() }),
    z.strictObject({ t: z.literal('float'), hex: hex.check(z.length(16)) }),
    z.strictObject({ t: z.enum(['bytes', 'bin', 'bytearray']), hex }),
    z.strictObject({
      t: z.enum(['list', 'array', 'tuple', 'set', 'frozenset']),
      v: z.array(pythonGiven),
    }),
    z.strictObject({
      t: z.enum(['dict', 'map']),
      v: z.array(z.tuple([pythonGiven, pythonGiven])),
    }),
  ]),
)

/** The value to send. */
export function givenToPython(given: PythonGiven): PyValue {
  if (given === null || typeof given !== 'object') return given
  switch (given.t) {
    case 'none':
    case 'nil':
      return null
    case 'bool':
    case 'str':
      return given.v
    case 'int': {
      const number = Number(given.v)
      return Number.isSafeInteger(number) ? number : BigInt(given.v)
    }
    case 'float':
      return new PyFloat(Buffer.from(given.hex, 'hex').readDoubleBE())
    case 'bytes':
    case 'bin':
      return bytesOf(given.hex)
    case 'bytearray':
      return new PyByteArray(bytesOf(given.hex))
    case 'list':
    case 'array':
      return given.v.map(givenToPython)
    case 'tuple':
      return new PyTuple(given.v.map(givenToPython))
    case 'set':
      return new Set(given.v.map(givenToPython))
    case 'frozenset':
      return new PyFrozenSet(new Set(given.v.map(givenToPython)))
    case 'dict':
    case 'map':
      return new Map(given.v.map(([key, item]) => [givenToPython(key), givenToPython(item)]))
  }
}

/** A received value as it is printed. Requests inside of values are shown by their attributes. */
export function pythonToTagged(value: PyValue): PythonTagged {
  if (value === null) return { t: 'none' }
  if (isScalar(value)) return scalarToTagged(value)
  if (value instanceof PyFloat) return floatToTagged(value.value)
  if (value instanceof Uint8Array) return { t: 'bytes', hex: hexOf(value) }
  if (value instanceof PyByteArray) return { t: 'bytearray', hex: hexOf(value.bytes) }
  if (value instanceof PyTuple) return { t: 'tuple', v: value.items.map(pythonToTagged) }
  if (value instanceof PyFrozenSet)
    return { t: 'frozenset', v: [...value.items].map(pythonToTagged) }
  if (value instanceof Set) return { t: 'set', v: [...value].map(pythonToTagged) }
  if (Array.isArray(value)) return { t: 'list', v: value.map(pythonToTagged) }
  if (value instanceof PyRequest) return dictOf([...value.state])
  return dictOf(value instanceof Map ? [...value] : Object.entries(value))
}

function dictOf(pairs: readonly (readonly [PyValue, PyValue])[]): PythonTagged {
  return { t: 'dict', v: pairs.map(([key, item]) => [pythonToTagged(key), pythonToTagged(item)]) }
}
