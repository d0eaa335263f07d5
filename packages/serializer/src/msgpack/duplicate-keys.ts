/**
 * Finds two equal keys of one map, as Python would: `1`, `1.0` and `true` are the same key, text and
 * bytes are not, an array is compared by its elements, and a map is no key at all.
 *
 * py2p closes the link when a map holds a key twice (spec/wire.md §2.2), so we neither write nor take it.
 */
import { Extension, Float } from '../value.ts'
import type { Value } from '../value.ts'

/** One character for each byte, also of a key of many MiB, to which a frame of some KiB may inflate. */
const latin1 = new TextDecoder('latin1')

export class DuplicateKeys {
  readonly #seen = new Set<string | number>()

  add(key: Value): 'new' | 'duplicate' | 'unusable' {
    const name = keyName(key)
    if (name === undefined) return 'unusable'
    const before = this.#seen.size
    this.#seen.add(name)
    return this.#seen.size > before ? 'new' : 'duplicate'
  }
}

/** Equal for keys that Python takes for equal; undefined for what cannot be a key. */
function keyName(key: Value): string | number | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`
    case 'number':
      return key
    case 'boolean':
      return key ? 1 : 0
    case 'bigint':
      return Number.isSafeInteger(Number(key)) ? Number(key) : `i${key}`
    default:
      return objectKeyName(key)
  }
}

function objectKeyName(
  key: Exclude<Value, number | string | boolean | bigint>,
): string | number | undefined {
  if (key === null) return 'n'
  if (key instanceof Uint8Array) return `b${latin1.decode(key)}`
  if (key instanceof Float) return key.value
  if (key instanceof Extension) return `e${key.type}:${latin1.decode(key.data)}`
  if (!Array.isArray(key)) return undefined
  let name = 'a'
  for (const element of key as readonly Value[]) {
    const part = keyName(element)
    if (part === undefined) return undefined
    const text = typeof part === 'number' ? `f${part}` : part
    name += `${text.length}:${text}`
  }
  return name
}
