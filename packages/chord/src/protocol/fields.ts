/** Mappings and their fields: what a delta writes over. */
import { encodeValue, toHex } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

/** The fields of a mapping in their order; undefined for any other value. */
export function fieldsOf(value: Value): ReadonlyMap<Value, Value> | undefined {
  if (value instanceof Map) return value
  const isRecord =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null
  return isRecord ? new Map(Object.entries(value)) : undefined
}

/** The old fields in their order, then the new ones, as Python's `dict.update` leaves them. */
export function mergeFields(
  base: ReadonlyMap<Value, Value>,
  fields: ReadonlyMap<Value, Value>,
): ReadonlyMap<Value, Value> {
  // By the bytes of the field's name: two equal byte strings are two keys to a Map.
  const merged = new Map<string, readonly [Value, Value]>()
  for (const field of [...base, ...fields]) merged.set(toHex(encodeValue(field[0])), field)
  return new Map(merged.values())
}
