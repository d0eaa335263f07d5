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
 * The integer travels as base58 text and is also the name of the slot: the originals file SHA-512
 * entries under the full number, so it is reduced for distances only.
 *
 * Source: spec/chord.md §2; fixtures `chord.json`, kind `hashes`.
 */
import {
  bytesToInteger,
  decodeBase58Integer,
  encodeBase58Integer,
  sha1,
  sha224,
  sha256,
  sha384,
  sha512,
} from '@p2p/serializer'
import { ringBits, toPosition } from './ring.ts'
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

/** One of the five places of a key. */
export interface Slot {
  readonly table: HashTable
  /** Base58 text of the full integer: what the wire carries and what the slot is filed under. */
  readonly slotText: string
  /** The place on the ring that decides who owns the slot. */
  readonly position: Position
}

/** What a slot is filed under in maps. No table name holds a space. */
export function slotName({ table, slotText }: Pick<Slot, 'table' | 'slotText'>): string {
  return `${table} ${slotText}`
}

/** The five places of a key, in the order of `hashTables`. */
export function slotsOf(key: Uint8Array): readonly Slot[] {
  return hashTables.map((table) => slotOf(key, table))
}

/** The place of a key in one table: the hashes are a good part of what a small message costs. */
export function slotOf(key: Uint8Array, table: HashTable): Slot {
  const digest = digests[table](key)
  // A short digest is the beginning of the integer: zeros are what it is multiplied by.
  const bytes = new Uint8Array(Math.max(ringBits / 8, digest.length))
  bytes.set(digest)
  return {
    table,
    slotText: encodeBase58Integer(bytes),
    position: toPosition(bytesToInteger(bytes)),
  }
}

/** Narrows a table name that a peer sent; undefined for any other name. */
export function hashTableNamed(name: string): HashTable | undefined {
  return hashTables.find((table) => table === name)
}

/** Digits of the largest integer of a table, 2^512 − 1; nothing longer is decoded. */
const maxSlotTextLength = 88

/**
 * The slot that a peer names. Undefined when the text is no base58 integer or too large for the
 * table; py2p closes the link over such a store. Leading zeros are taken off, so one slot has one name.
 */
export function slotNamed(table: HashTable, text: string): Slot | undefined {
  if (text.length === 0 || text.length > maxSlotTextLength) return undefined
  let integer: bigint
  try {
    integer = decodeBase58Integer(text)
  } catch {
    return undefined
  }
  const bits = table === 'sha512' ? 512 : ringBits
  if (integer >> BigInt(bits) !== 0n) return undefined
  // Only a leading zero, the digit 1, makes another text of the same integer.
  const slotText = text.startsWith('1') ? encodeBase58Integer(integer) : text
  return { table, slotText, position: toPosition(integer) }
}
