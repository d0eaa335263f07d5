/**
 * Bytes as fixtures write them: hex; a list of parts (hex, or something repeated); or, where the bytes
 * are too many to record, only their length, digest and ends.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as z from 'zod'

/** What is known of bytes that were not recorded whole. `head` and `tail` are hex. */
export interface BytesDigest {
  readonly length: number
  readonly sha256: string
  readonly head: string
  readonly tail: string
}
export type RecordedBytes = string | BytesDigest

/** A piece of composed bytes, in hex. */
export type BytesPart =
  { readonly hex: string } | { readonly repeat: string; readonly count: number }
/** Bytes that can always be built. */
export type ComposedBytes = string | readonly BytesPart[]

const hexText = z.string().regex(/^(?:[0-9a-f]{2})*$/)

export const recordedBytes: z.ZodType<RecordedBytes> = z.union([
  hexText,
  z.object({ length: z.number(), sha256: hexText, head: hexText, tail: hexText }),
])

export const composedBytes: z.ZodType<ComposedBytes> = z.union([
  hexText,
  z.array(
    z.union([
      z.object({ hex: hexText }),
      z.object({ repeat: hexText, count: z.number().int().nonnegative() }),
    ]),
  ),
])

export function bytesFromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** How many bytes `composed` stands for, without building them. */
export function composedLength(composed: ComposedBytes): number {
  if (typeof composed === 'string') return composed.length / 2
  return composed.reduce(
    (sum, item) =>
      sum + ('hex' in item ? item.hex.length / 2 : (item.repeat.length / 2) * item.count),
    0,
  )
}

export function composeBytes(composed: ComposedBytes): Uint8Array {
  if (typeof composed === 'string') return bytesFromHex(composed)
  const bytes = new Uint8Array(composedLength(composed))
  let offset = 0
  for (const item of composed) {
    const unit = bytesFromHex('hex' in item ? item.hex : item.repeat)
    const length = unit.length * ('hex' in item ? 1 : item.count)
    if (unit.length > 0) Buffer.from(bytes.buffer, offset, length).fill(unit)
    offset += length
  }
  return bytes
}

/** Throws an AssertionError unless `actual` is what was recorded. */
export function assertBytes(actual: Uint8Array, recorded: RecordedBytes, what: string): void {
  if (typeof recorded === 'string') {
    if (hexOf(actual) !== recorded) assert.fail(firstDifference(actual, recorded, what))
    return
  }
  assert.equal(actual.length, recorded.length, `${what}: length`)
  assert.equal(hexOf(actual).slice(0, recorded.head.length), recorded.head, `${what}: first bytes`)
  assert.equal(sha256Hex(actual), recorded.sha256, `${what}: SHA-256`)
}

function firstDifference(actual: Uint8Array, recorded: string, what: string): string {
  const got = hexOf(actual)
  let offset = 0
  while (got.slice(offset, offset + 2) === recorded.slice(offset, offset + 2)) offset += 2
  const around = (hex: string): string => hex.slice(Math.max(0, offset - 8), offset + 16)
  return `${what}: byte ${offset / 2} differs: expected …${around(recorded)}…, got …${around(got)}…`
}
