/**
 * The five hash tables. Each key is stored once in every table, at the place that the table's hash
 * gives it, so no single node holds all copies and a reader can ask for a majority.
 *
 *  table    integer on the wire        bits
 *  sha1     SHA-1(key) × 2^224         384
 *  sha224   SHA-224(key) × 2^160       384
 *  sha256   SHA-256(key) × 2^128       384
 *  sha384   SHA-384(key)               384
 *  sha512   SHA-512(key)               512, not reduced
 *
 * The integer travels as base58 text and names the slot: the originals file SHA-512 entries under the
 * full number, so it is reduced for distances only.
 *
 * Source: spec/chord.md §2; fixtures `chord.json`, kind `hashes`.
 */
import {
  decodeBase58Integer,
  encodeBase58Integer,
  sha1,
  sha224,
  sha256,
  sha384,
  sha512,
  toHex,
} from '@p2p/serializer'
import { Recent } from './recent.ts'
import { base58Text, ringBits, toPosition } from './ring.ts'
import type { Position } from './ring.ts'

export const hashTables = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const
export type HashTable = (typeof hashTables)[number]

const digests: Readonly<Record<HashTable, (key: Uint8Array) => Uint8Array>> = {
  sha1,
  sha224,
  sha256,
  sha384,
  sha512,
}

/** Hexadecimal digits of the integers of a table. */
function digitsOf(table: HashTable): number {
  return (table === 'sha512' ? 512 : ringBits) / 4
}

/**
 * One of the five places of a key. Its text and its place on the ring are worked out when they are asked for:
 * most slots are written and read under their names alone, and the text costs more than the hash.
 */
export class Slot {
  readonly table: HashTable
  /**
   * What the slot is filed under in maps: the table and the hexadecimal digits of the integer, without the zeros
   * at their end: a table adds some to a short digest.
   */
  readonly name: string
  #slotText: string | undefined
  #position: Position | undefined

  constructor(named: Pick<Slot, 'table' | 'name'>, slotText?: string) {
    this.table = named.table
    this.name = named.name
    this.#slotText = slotText
  }

  /** Base58 text of the full integer: what the wire carries. */
  get slotText(): string {
    this.#slotText ??= encodeBase58Integer(this.#integer)
    return this.#slotText
  }

  /** The place on the ring that decides who owns the slot. */
  get position(): Position {
    this.#position ??= toPosition(this.#integer)
    return this.#position
  }

  get #integer(): bigint {
    return BigInt(`0x${this.digits.padEnd(digitsOf(this.table), '0')}`)
  }

  /** What nodes of ours name it by: the integer in hexadecimal, without the zeros at its end. */
  get digits(): string {
    return this.name.slice(this.table.length + 1)
  }
}

/** `digits`: of the integer, the first ones at least. No table name holds a space. */
function named(table: HashTable, digits: string, slotText?: string): Slot {
  return new Slot({ table, name: `${table} ${digits.replace(/0+$/, '')}` }, slotText)
}

/** Of short keys: the hashes are a good part of what a small message costs. */
const recentSlots = new Recent<readonly Slot[]>(512)
const longestRecentKey = 64

/** The five places of a key, in the order of `hashTables`. */
export function slotsOf(key: Uint8Array): readonly Slot[] {
  const hashed = (): readonly Slot[] =>
    hashTables.map((table) => named(table, toHex(digests[table](key))))
  return key.length > longestRecentKey ? hashed() : recentSlots.get(toHex(key), hashed)
}

/** The slot that a node of ours names; undefined when the table has no such integer. */
export function slotOfDigits(table: HashTable, digits: string): Slot | undefined {
  const isOne = digits.length <= digitsOf(table) && /^[\da-f]*$/.test(digits)
  return isOne ? named(table, digits) : undefined
}

/** Narrows a table name that a peer sent; undefined for any other name. */
export function hashTableNamed(name: string): HashTable | undefined {
  return hashTables.find((table) => table === name)
}

/**
 * The slot that a peer names. Undefined when the text is no base58 integer or too large for the
 * table; py2p closes the link over such a store. Leading zeros are taken off, so one slot has one name.
 */
export function slotNamed(table: HashTable, text: string): Slot | undefined {
  if (!base58Text.test(text)) return undefined
  const digits = decodeBase58Integer(text).toString(16).padStart(digitsOf(table), '0')
  if (digits.length > digitsOf(table)) return undefined
  // Only a leading zero, the digit 1, makes another text of the same integer.
  return named(table, digits, text.startsWith('1') ? undefined : text)
}
