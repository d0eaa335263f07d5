/**
 * Equality of dict keys and set members as Python has it: by value, with 1 == 1.0 == True.
 *
 * Each hashable value gets a canonical text; two values are equal exactly when their texts are. (Two
 * NaN are one key here; in Python they may be two.) Lists, dicts, sets and bytearrays cannot be
 * keys in Python; Request objects could, but nobody needs that, so they are refused as well.
 */
import { limitError, type Budget } from './budget.ts'
import { pickleError } from './errors.ts'
import { maxKeyCharacters } from './limits.ts'
import { decodeLatin1 } from './text-literals.ts'
import { PyFloat, PyFrozenSet, PyTuple } from './values.ts'

/** Charges each value it visits, since nested tuples may share parts many times over. */
function canonicalKey(value: unknown, budget: Budget, depth = 0): string {
  const text = new KeyText()
  writeKey(value, { text, budget, depth })
  return text.toString()
}

/** Gathered in pieces and joined once: nothing is copied once for each level that it nests. */
class KeyText {
  readonly #pieces: string[] = []
  #length = 0

  add(piece: string): void {
    this.expect(piece.length)
    this.#pieces.push(piece)
    this.#length += piece.length
  }

  /** Throws when so much more is too much. */
  expect(characters: number): void {
    assertKeyLength(this.#length + characters)
  }

  toString(): string {
    return this.#pieces.join('')
  }
}

interface KeyPlace {
  readonly text: KeyText
  readonly budget: Budget
  readonly depth: number
}

function writeKey(value: unknown, place: KeyPlace): void {
  const { text, budget, depth } = place
  budget.chargeValues(1)
  if (depth > budget.limits.maxDepth) throw notAKey()
  if (typeof value === 'string') {
    text.add(`s${value.length}:${value}`)
    budget.chargeBytes(value.length)
  } else if (value === null) text.add('none')
  else if (typeof value === 'boolean') text.add(value ? 'n1' : 'n0')
  else if (typeof value === 'bigint') text.add(bigKey(value))
  else if (typeof value === 'number') text.add(numberKey(value))
  else if (value instanceof PyFloat) text.add(numberKey(value.value))
  else if (value instanceof Uint8Array) {
    text.expect(value.length)
    text.add(`b${value.length}:${decodeLatin1(value)}`)
    budget.chargeBytes(value.length)
  } else if (value instanceof PyTuple) {
    text.add('(')
    for (const item of value.items) {
      writeKey(item, { ...place, depth: depth + 1 })
      text.add(',')
    }
    text.add(')')
  } else if (value instanceof PyFrozenSet) {
    const members = Array.from(value.items, (item) => canonicalKey(item, budget, depth + 1))
    const sorted = `{${members.sort().join()}}`
    text.add(sorted)
    budget.chargeBytes(sorted.length)
  } else throw notAKey()
}

function numberKey(value: number): string {
  if (Number.isSafeInteger(value)) return `n${value}`
  return Number.isInteger(value) ? bigKey(BigInt(value)) : `f${value}`
}

/** An integer that is not safe. In hexadecimal: decimal digits take time squared. */
function bigKey(value: bigint): string {
  return `x${value.toString(16)}`
}

function assertKeyLength(characters: number): void {
  if (characters <= maxKeyCharacters) return
  throw limitError('characters of a key', { limit: maxKeyCharacters, got: characters })
}

function notAKey(): Error {
  return pickleError('P2P_PICKLE_KEY', 'a value that cannot be a dict key or set member')
}

/**
 * Sets and dicts under construction: which member stands for a canonical key.
 *
 * Engines hash texts with a seed, but numbers without: whoever chooses them can make all fall into one
 * place of the table, where each is compared with all before it. So that cost is charged, whether it
 * arises or not, for numbers beyond `maxValues`; of smaller ones there are too few that collide.
 */
export class KeyIndex {
  readonly #budget: Budget
  readonly #known = new WeakMap<object, KnownMembers>()

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
    if (typeof key === 'string') {
      assertKeyLength(key.length)
      return key // no other type equals a str
    }
    let known = this.#known.get(container)
    if (known === undefined) {
      known = { byKey: new Map(), largeNumbers: 0 }
      this.#known.set(container, known)
    }
    const canonical = canonicalKey(key, this.#budget)
    const first = known.byKey.get(canonical)
    const member = first ?? key
    if (typeof member === 'number' || typeof member === 'bigint') {
      this.#budget.chargeCollisions(known.largeNumbers)
      if (first === undefined && this.#isLarge(member)) known.largeNumbers += 1
    }
    known.byKey.set(canonical, member)
    return member
  }

  #isLarge(number: number | bigint): boolean {
    const { maxValues } = this.#budget.limits
    return !Number.isInteger(number) || number > maxValues || number < -maxValues
  }
}

interface KnownMembers {
  readonly byKey: Map<string, unknown>
  largeNumbers: number
}
