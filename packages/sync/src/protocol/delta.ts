/**
 * Deltas: the fields of one mapping written over those of another, one level deep.
 *
 * Works on bytes: the fields keep the form in which they were written, and no field that is not
 * touched is decoded. The result holds the old fields in their order, then the new ones, as Python's
 * `dict.update` does. Source: spec/sync.md §4, "Applying".
 */
import { decodeValue, encodeValue } from '@p2p/serializer'
import { bytesToByteText } from './byte-text.ts'
import { writeBytes } from './copy-bytes.ts'
import { readMapSpan, skipValue } from './msgpack-span.ts'

/** True when these bytes are a msgpack mapping (of which only the head is looked at). */
export function isMapping(bytes: Uint8Array): boolean {
  return readMapSpan(bytes, 0) !== undefined
}

/** Fields by name: the canonical bytes of the key as text, so that equal keys are one field. */
export type Fields = Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>

/**
 * The fields of a mapping, in order; empty for anything that is no mapping.
 *
 * @param fields over which they are written
 */
export function readFields(mapping: Uint8Array, fields: Fields = new Map()): Fields {
  const span = readMapSpan(mapping, 0)
  let offset = span?.start ?? 0
  for (let i = 0; span !== undefined && i < span.count; i++) {
    const keyEnd = skipValue(mapping, offset)
    const end = keyEnd < 0 ? -1 : skipValue(mapping, keyEnd)
    if (end < 0) break
    const key = mapping.subarray(offset, keyEnd)
    fields.set(fieldName(key), { key, value: mapping.subarray(keyEnd, end) })
    offset = end
  }
  return fields
}

/**
 * An integer may be written in several widths, and 1, 1.0 and true are one key in Python; py2p closes the
 * link on a key that is there twice, and we do not read it either.
 */
function fieldName(key: Uint8Array): string {
  const tag = key[0] ?? 0
  if (tag >= 0xa0 && tag < 0xc0) return bytesToByteText(key)
  const value = decodeValue(key, { floats: 'number' })
  return typeof value === 'number' || typeof value === 'boolean'
    ? `${Number(value)}`
    : bytesToByteText(encodeValue(value))
}

/** The mapping with these fields. */
export function writeFields(fields: Fields): Uint8Array {
  const header = mappingHeader(fields.size)
  let length = header.length
  for (const { key, value } of fields.values()) length += key.length + value.length
  const mapping = new Uint8Array(length)
  let at = writeBytes(header, mapping, 0)
  // One after the other: as arguments of one call, the fields of a peer could exceed the stack.
  for (const { key, value } of fields.values()) {
    at = writeBytes(value, mapping, writeBytes(key, mapping, at))
  }
  return mapping
}

function mappingHeader(count: number): Uint8Array {
  if (count < 0x10) return Uint8Array.of(0x80 | count)
  if (count < 0x1_0000) return Uint8Array.of(0xde, count >>> 8, count & 0xff)
  return Uint8Array.of(
    0xdf,
    count >>> 24,
    (count >>> 16) & 0xff,
    (count >>> 8) & 0xff,
    count & 0xff,
  )
}

/** The fields of these mappings, each written over those of the ones before it. */
export function mergeMappings(mappings: readonly Uint8Array[]): Uint8Array {
  const fields: Fields = new Map()
  for (const mapping of mappings) readFields(mapping, fields)
  return writeFields(fields)
}
