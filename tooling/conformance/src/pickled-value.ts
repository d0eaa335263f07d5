/**
 * Tagged values of pickles: fixtures/README.md has the table. They tell more types apart than those of
 * protocol 0.7 do, because Python does.
 */
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod'
import { bytesFromHex } from './recorded-bytes.ts'

export type Pickled =
  | { readonly t: 'none' }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int' | 'str'; readonly v: string }
  | { readonly t: 'float' | 'bytes' | 'bytearray'; readonly hex: string }
  | { readonly t: 'tuple' | 'list' | 'set' | 'frozenset'; readonly v: readonly Pickled[] }
  | PickledDict
  | { readonly t: 'instance'; readonly class: string; readonly state: PickledDict }

interface PickledDict {
  readonly t: 'dict'
  readonly v: readonly (readonly [Pickled, Pickled])[]
}

const dict: z.ZodType<PickledDict> = z.lazy(() =>
  z.object({ t: z.literal('dict'), v: z.array(z.tuple([pickled, pickled])) }),
)

export const pickled: z.ZodType<Pickled> = z.lazy(() =>
  z.union([
    z.object({ t: z.literal('none') }),
    z.object({ t: z.literal('bool'), v: z.boolean() }),
    z.object({ t: z.enum(['int', 'str']), v: z.string() }),
    z.object({ t: z.enum(['float', 'bytes', 'bytearray']), hex: z.string() }),
    z.object({ t: z.enum(['tuple', 'list', 'set', 'frozenset']), v: z.array(pickled) }),
    dict,
    z.object({ t: z.literal('instance'), class: z.literal('p2py.p2p.Request'), state: dict }),
  ]),
)

/** Which equal parts are one object, as they may have been in the program that was recorded. */
export type Sharing = 'nothing' | 'tuples' | 'everything'
export const sharings: readonly Sharing[] = ['nothing', 'tuples', 'everything']

export function pickledValueOf(value: Pickled, sharing: Sharing): PyValue {
  return new Builder(sharing).build(value)
}

class Builder {
  readonly #sharing: Sharing
  readonly #known = new Map<string, PyValue>()

  constructor(sharing: Sharing) {
    this.#sharing = sharing
  }

  build(value: Pickled): PyValue {
    const isShared =
      this.#sharing === 'everything' || (this.#sharing === 'tuples' && value.t === 'tuple')
    if (!isShared) return this.#make(value)
    const key = JSON.stringify(value)
    const made = this.#known.get(key) ?? this.#make(value)
    this.#known.set(key, made)
    return made
  }

  #make(value: Pickled): PyValue {
    switch (value.t) {
      case 'none':
        return null
      case 'bool':
        return value.v
      case 'str':
        return value.v
      case 'int':
        return Number.isSafeInteger(Number(value.v)) ? Number(value.v) : BigInt(value.v)
      case 'float':
        return floatOf(value.hex)
      case 'bytes':
        return bytesFromHex(value.hex)
      case 'bytearray':
        return new PyByteArray(bytesFromHex(value.hex))
      case 'list':
        return this.#list(value.v)
      case 'tuple':
        return new PyTuple(this.#list(value.v))
      case 'set':
        return new Set(this.#list(value.v))
      case 'frozenset':
        return new PyFrozenSet(new Set(this.#list(value.v)))
      case 'dict':
        return new Map(value.v.map(([key, item]) => [this.build(key), this.build(item)]))
      case 'instance':
        return new PyRequest(
          new Map(
            value.state.v.map(([key, item]) => [key.t === 'str' ? key.v : '', this.build(item)]),
          ),
        )
    }
  }

  #list(items: readonly Pickled[]): PyValue[] {
    return items.map((item) => this.build(item))
  }
}

/** A float that JavaScript cannot tell from an int is wrapped. */
function floatOf(hex: string): PyValue {
  const number = Buffer.from(hex, 'hex').readDoubleBE()
  const isWhole = Number.isSafeInteger(number) && !Object.is(number, -0)
  return isWhole ? new PyFloat(number) : number
}
