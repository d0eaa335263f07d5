/** What the tags of both kinds of JSON lines have in common: hex digits, booleans, numbers and texts. */
import * as z from 'zod/mini'

export type TaggedScalar =
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int' | 'str'; readonly v: string }
  | { readonly t: 'float'; readonly hex: string }

// Not one expression for both: a repeated group overflows the stack for texts of some MiB.
export const hex: z.ZodMiniString = z.string().check(
  z.regex(/^[0-9a-f]*$/i),
  z.refine((digits) => digits.length % 2 === 0, 'expected an even number of hex digits'),
)

type Scalar = boolean | number | bigint | string

export function isScalar(value: unknown): value is Scalar {
  return ['boolean', 'number', 'bigint', 'string'].includes(typeof value)
}

/** Whole numbers are ints: values received wrap the floats that are whole. */
export function scalarToTagged(value: Scalar): TaggedScalar {
  if (typeof value === 'boolean') return { t: 'bool', v: value }
  if (typeof value === 'string') return { t: 'str', v: value }
  const isInt = typeof value === 'bigint' || (Number.isSafeInteger(value) && !Object.is(value, -0))
  return isInt ? { t: 'int', v: value.toString() } : floatToTagged(value)
}

export function floatToTagged(number: number): TaggedScalar {
  const buffer = Buffer.alloc(8)
  buffer.writeDoubleBE(number)
  return { t: 'float', hex: buffer.toString('hex') }
}

export function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
