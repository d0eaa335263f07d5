/**
 * Equality of dict keys and set members as Python has it: by value, with 1 == 1.0 == True.
 *
 * Each hashable value gets a canonical text; two values are equal exactly when their texts are. (Two
 * NaN are one key here; in Python they may be two.) Lists, dicts, sets and bytearrays cannot be
 * keys in Python; Request objects could, but nobody needs that, so they are refused as well.
 */
import type { Budget } from './budget.ts'
import { pickleError } from './errors.ts'
import { decodeLatin1 } from './text-literals.ts'
import { PyFloat, PyFrozenSet, PyTuple } from './values.ts'

/** Charges each value it visits, since nested tuples may share parts many times over. */
export function canonicalKey(value: unknown, budget: Budget, depth = 0): string {
  budget.chargeValues(1)
  if (depth > budget.limits.maxDepth) throw notAKey()
  if (typeof value === 'string') {
    budget.chargeBytes(value.length)
    return `s${value.length}:${value}`
  }
  if (value === null) return 'none'
  if (typeof value === 'boolean') return value ? 'n1' : 'n0'
  if (typeof value === 'bigint') return `n${value}`
  if (typeof value === 'number') return numberKey(value)
  if (value instanceof PyFloat) return numberKey(value.value)
  if (value instanceof Uint8Array) {
    budget.chargeBytes(value.length)
    return `b${value.length}:${decodeLatin1(value)}`
  }
  if (value instanceof PyTuple) {
    return `(${value.items.map((item) => canonicalKey(item, budget, depth + 1)).join()})`
  }
  if (value instanceof PyFrozenSet) {
    const members = [...value.items].map((item) => canonicalKey(item, budget, depth + 1))
    return `{${members.sort().join()}}`
  }
  throw notAKey()
}

function numberKey(value: number): string {
  return Number.isInteger(value) ? `n${BigInt(value)}` : `f${value}`
}

function notAKey(): Error {
  return pickleError('P2P_PICKLE_KEY', 'a value that cannot be a dict key or set member')
}

/** Sets and dicts under construction: which member stands for a canonical key. */
export class KeyIndex {
  readonly #budget: Budget
  readonly #members = new WeakMap<object, Map<string, unknown>>()

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Python keeps the first of equal keys and the last of their values. */
  setItem(dict: Map<unknown, unknown>, key: unknown, value: unknown): void {
    dict.set(this.#memberFor(dict, key), value)
  }

  add(set: Set<unknown>, member: unknown): void {
    set.add(this.#memberFor(set, member))
  }

  #memberFor(container: object, key: unknown): unknown {
    if (typeof key === 'string') return key // no other type equals a str
    let index = this.#members.get(container)
    if (index === undefined) {
      index = new Map()
      this.#members.set(container, index)
    }
    const canonical = canonicalKey(key, this.#budget)
    const known = index.get(canonical)
    if (known !== undefined) return known
    index.set(canonical, key)
    return key
  }
}
