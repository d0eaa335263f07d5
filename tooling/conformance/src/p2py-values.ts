/**
 * Tagged values of pickles (fixtures/README.md, p2py): more types are told apart than on the 0.7 wire.
 * The form cannot say whether two equal parts were one object, and Python writes an object that occurs
 * twice only once; `Sharing` chooses what is taken for one.
 */
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod'
import { bytesFromHex } from './recorded-bytes.ts'

export type PyTagged =
  | { readonly t: 'none' }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int' | 'str'; readonly v: string }
  | { readonly t: 'float' | 'bytes' | 'bytearray'; readonly hex: string }
  | { readonly t: 'tuple' | 'list' | 'set' | 'frozenset'; readonly v: readonly PyTagged[] }
  | { readonly t: 'dict'; readonly v: readonly (readonly [PyTagged, PyTagged])[] }
  | { readonly t: 'instance'; readonly class: string; readonly state: PyTagged }

export const pyTagged: z.ZodType<PyTagged> = z.lazy(() =>
  z.union([
    z.object({ t: z.literal('none') }),
    z.object({ t: z.literal('bool'), v: z.boolean() }),
    z.object({ t: z.enum(['int', 'str']), v: z.string() }),
    z.object({ t: z.enum(['float', 'bytes', 'bytearray']), hex: z.string() }),
    z.object({ t: z.enum(['tuple', 'list', 'set', 'frozenset']), v: z.array(pyTagged) }),
    z.object({ t: z.literal('dict'), v: z.array(z.tuple([pyTagged, pyTagged])) }),
    z.object({ t: z.literal('instance'), class: z.literal('p2py.p2p.Request'), state: pyTagged }),
  ]),
)

export type Sharing = 'nothing' | 'tuples' | 'everything'
export const sharings: readonly Sharing[] = ['nothing', 'tuples', 'everything']

export function pyValueOf(
  tagged: PyTagged,
  sharing: Sharing = 'nothing',
  known: Map<string, PyValue> = new Map(),
): PyValue {
  const build = (): PyValue => convert(tagged, (part) => pyValueOf(part, sharing, known))
  if (sharing === 'nothing' || (sharing === 'tuples' && tagged.t !== 'tuple')) return build()
  const key = JSON.stringify(tagged)
  const value = known.get(key) ?? build()
  known.set(key, value)
  return value
}

function convert(tagged: PyTagged, part: (tagged: PyTagged) => PyValue): PyValue {
  switch (tagged.t) {
    case 'none':
      return null
    case 'bool':
    case 'str':
      return tagged.v
    case 'int':
      return Number.isSafeInteger(Number(tagged.v)) ? Number(tagged.v) : BigInt(tagged.v)
    case 'float':
      return floatOf(Buffer.from(tagged.hex, 'hex').readDoubleBE())
    case 'bytes':
      return bytesFromHex(tagged.hex)
    case 'bytearray':
      return new PyByteArray(bytesFromHex(tagged.hex))
    case 'list':
      return tagged.v.map(part)
    case 'tuple':
      return new PyTuple(tagged.v.map(part))
    case 'set':
      return new Set(tagged.v.map(part))
    case 'frozenset':
      return new PyFrozenSet(new Set(tagged.v.map(part)))
    case 'dict':
      return new Map(tagged.v.map(([key, item]) => [part(key), part(item)]))
    case 'instance':
      return new PyRequest(attributesOf(part(tagged.state)))
  }
}

function floatOf(value: number): PyValue {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? new PyFloat(value) : value
}

function attributesOf(state: PyValue): Map<string, PyValue> {
  if (!(state instanceof Map)) throw new TypeError('the state of an instance is no dict')
  return new Map([...state].map(([name, value]): [string, PyValue] => [String(name), value]))
}
