/**
 * msgpack reading: strict, bounded, and exact enough that what u-msgpack wrote can be written again with
 * the same bytes. Integers and lengths in a wider form than needed are read too (spec/wire.md §2.1).
 */
import { plainBytes } from '../bytes.ts'
import { DecodeError } from '../errors.ts'
import { resolveLimits } from '../limits.ts'
import type { Limits } from '../limits.ts'
import type { Value } from '../value.ts'
import { Reader } from './reader.ts'

/** How a value is read. */
export interface DecodeOptions {
  /** What reading may cost; those left out are `defaultLimits`. */
  readonly limits?: Partial<Pick<Limits, 'maxDepth' | 'maxValues'>>
  /**
   * What a float64 with a whole value becomes: `exact` (default) a `Float`, so that encoding it again
   * gives the same bytes; `number` a plain number, which is what programs want to calculate with.
   */
  readonly floats?: 'exact' | 'number'
  /** Accept bytes behind the value; default false. */
  readonly allowTrailing?: boolean
}

/**
 * The value that the bytes stand for. Byte strings inside are views of `source`, not copies.
 *
 * @throws DecodeError `P2P_MSGPACK_…`
 * @example decodeValue(fromHex('81a4706f7274cd115c')) // { port: 4444 }
 */
export function decodeValue(source: Uint8Array, options: DecodeOptions = {}): Value {
  const bytes = plainBytes(source)
  const reader = new Reader(bytes, 0, resolveLimits(options.limits), options.floats !== 'number')
  const value = reader.value()
  if (options.allowTrailing !== true && reader.offset < bytes.length) {
    throw new DecodeError('P2P_MSGPACK_TRAILING', 'bytes behind the value', {
      offset: reader.offset,
      got: bytes.length - reader.offset,
    })
  }
  return value
}
