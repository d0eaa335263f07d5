/**
 * Arithmetic on the ring of identifiers.
 *
 * A node stands at its id, read as a base58 integer; a key stands where its hashes say
 * (`hash-tables.ts`). The ring has 2^384 places and distances are measured clockwise, towards larger
 * numbers. A key belongs to the storing node at or nearest *behind* it, not to the one ahead of it as
 * in the MIT paper; so what a node owns begins at the node itself.
 *
 * Source: spec/chord.md §1 and §3; py2p and js2p agree.
 */
import { decodeBase58Integer } from '@p2p/serializer'
import { Recent } from './recent.ts'

export const ringBits = 384
export const ringSize: bigint = 1n << BigInt(ringBits)

const ringMask = ringSize - 1n
const fractionBits = 52

/** A place on the ring: 0 … 2^384−1. */
export type Position = bigint

/** Takes any integer onto the ring, as SHA-512 positions need. */
export function toPosition(integer: bigint): Position {
  return integer & ringMask
}

/** How far `to` lies clockwise of `from`: 0 when they are the same place. */
export function clockwiseDistance({
  from,
  to,
}: {
  readonly from: Position
  readonly to: Position
}): bigint {
  return (to - from) & ringMask
}

/** A part of the ring: from one place on, up to and without another; the whole ring when both are one. */
export interface Arc {
  readonly from: Position
  readonly to: Position
}

/** Whether a position lies in the arc. */
export function covers({ from, to }: Arc, position: Position): boolean {
  if (from === to) return true
  return clockwiseDistance({ from, to: position }) < clockwiseDistance({ from, to })
}

/** Ids and slots that are read: 88 digits have 2^512 and more, nothing longer is decoded. */
export const base58Text: RegExp = /^[1-9A-HJ-NP-Za-km-z]{1,88}$/

const recentPositions = new Recent<Position>(16_384)

/**
 * Where a node with this id stands. Undefined when the id is no base58 integer: such a node can be
 * talked to, but it has no place in the table.
 */
export function nodePosition(id: string): Position | undefined {
  if (!base58Text.test(id)) return undefined
  return recentPositions.get(id, () => toPosition(decodeBase58Integer(id)))
}

/** A node may stand ahead of its id by so many shifts at most, which are once around the ring. */
export const shiftsAround = 65_536
const shiftLength = ringSize / BigInt(shiftsAround)

/**
 * Where a node that has chosen a shift, a whole number, stands: so many 65,536ths of the ring ahead of its id. With the
 * shift 0 it stands at its id, as programs of protocol 0.7 take it to do.
 */
export function shiftedPosition(id: string, shift: number): Position | undefined {
  const position = nodePosition(id)
  return position === undefined ? undefined : toPosition(position + BigInt(shift) * shiftLength)
}

/** How far around the ring a position lies, at least 0 and below 1: by 52 of its bits, which tell thousands of nodes apart. */
export function fractionOf(position: Position): number {
  return Number(position >> BigInt(ringBits - fractionBits)) / 2 ** fractionBits
}

/** A position as hexadecimal text of full width. */
export function positionDigits(position: Position): string {
  return position.toString(16).padStart(ringBits / 4, '0')
}
