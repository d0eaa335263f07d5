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

/**
 * JavaScript engines hash numbers without a seed, so that somebody can choose such as all collide: 60,000 in one map
 * would take ten seconds. Each of more than five digits costs as many values as there were before it, shifted by this.
 */
const costShift = 6

export class DuplicateKeys {
  readonly #seen = new Set<string>()
  #numbers = 0

  /** What the key costs beyond itself, in values; -1 for one that was there, undefined for what is no key. */
  add(key: Value): number | undefined {
    const name = keyName(key)
    if (name === undefined) return undefined
    const before = this.#seen.size
    if (this.#seen.add(name).size === before) return -1
    return /^[fi].{6}/.test(name) ? this.#numbers++ >> costShift : 0
  }
}

/** Equal for keys that Python takes for equal; undefined for what cannot be a key. */
function keyName(key: Value): string | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`
    case 'number':
    case 'boolean':
      return `f${Number(key)}`
    case 'bigint':
      return Number.isSafeInteger(Number(key)) ? `f${key}` : `i${key}`
    default:
      return objectKeyName(key)
  }
}

function objectKeyName(
  key: Exclude<Value, number | string | boolean | bigint>,
): string | undefined {
  if (key === null) return 'n'
  if (key instanceof Uint8Array) return `b${latin1.decode(key)}`
  if (key instanceof Float) return keyName(key.value)
  if (key instanceof Extension) return `e${key.type}:${latin1.decode(key.data)}`
  if (!Array.isArray(key)) return undefined
  let name = 'a'
  for (const element of key as readonly Value[]) {
    const part = keyName(element)
    if (part === undefined) return undefined
    name += `${part.length}:${part}`
  }
  return name
}
