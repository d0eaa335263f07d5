/**
 * The vote over what the five tables answer: a value that at least three of them hold is the key's.
 *
 * Values are compared as Python compares them, because py2p counts that way and a mixed network must
 * agree: 1, 1.0 and true are one value, text and bytes are two, the order of a mapping's fields does
 * not matter. A nil is never a vote: it says "not here", which a node may say that has not been told.
 * The first answer stands for all that equal it, as in py2p.
 *
 * Source: spec/chord.md §6.1, §12.10; fixtures `chord.json`, kind `majority`.
 */
import { Extension, Float, bytesEqual, decodeValue, toHex } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

/** Equal answers needed, of five. */
export const majority = 3

export interface Candidate {
  /** msgpack, as the first of the equal answers had it. */
  readonly value: Uint8Array
  readonly count: number
}

/**
 * The different values among the answers, most frequent first, earlier first where that is equal.
 * `undefined` is a table that holds nothing or has not answered. The answers are msgpack that decodes.
 */
export function countVotes(answers: Iterable<Uint8Array | undefined>): readonly Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const answer of answers) {
    if (answer === undefined) continue
    const form = comparableForm(answer)
    if (form === comparableNil) continue
    const earlier = candidates.get(form)
    candidates.set(form, { value: earlier?.value ?? answer, count: (earlier?.count ?? 0) + 1 })
  }
  return [...candidates.values()].sort((a, b) => b.count - a.count)
}

/** The value that three tables or more agree on. */
export function majorityOf(answers: Iterable<Uint8Array | undefined>): Candidate | undefined {
  const given = [...answers]
  // To count them costs more than to see that there are too few.
  const [first] = given.length < majority ? [] : countVotes(given)
  return first !== undefined && first.count >= majority ? first : undefined
}

/** True when two msgpack values are one value to Python. */
export function isSameValue(a: Uint8Array, b: Uint8Array): boolean {
  return bytesEqual(a, b) || comparableForm(a) === comparableForm(b)
}

const comparableNil = 'nil'

/** A text that two values have in common exactly when Python's `==` holds, except that NaN equals itself. */
function comparableForm(bytes: Uint8Array): string {
  return formOf(decodeValue(bytes))
}

function formOf(value: Value): string {
  if (value === null) return comparableNil
  if (typeof value === 'string') return `s${JSON.stringify(value)}`
  if (value instanceof Uint8Array) return `b${toHex(value)}`
  if (value instanceof Extension) return `e${value.type}:${toHex(value.data)}`
  if (Array.isArray(value)) return `[${value.map(formOf).join(',')}]`
  if (typeof value !== 'object' || value instanceof Float) return numberForm(value)
  const fields = value instanceof Map ? [...value] : Object.entries(value)
  return `{${fields
    .map(([key, item]) => `${formOf(key)}:${formOf(item)}`)
    .sort()
    .join(',')}}`
}

function numberForm(value: boolean | number | bigint | Float): string {
  if (typeof value === 'bigint') return `n${value}`
  const number = Number(value)
  return Number.isInteger(number) ? `n${BigInt(number)}` : `n${number}`
}
