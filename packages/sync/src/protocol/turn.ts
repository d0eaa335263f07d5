/**
 * One message of a comparison between two replicas, and its layout.
 *
 *   turn = [ comparison, key, compare, list, want, records, more ]
 *
 *   comparison  number that the opener chose; names the comparison on this link
 *   key         bin 16: the fingerprint key, in the opening turn; else nil
 *   compare     bin: for each range its prefix, then 16 fingerprints of 8 bytes
 *   list        bin: for each range its prefix, u16 count, then so many ids of 8 bytes
 *   want        bin: ids of 8 bytes
 *   records     bin: writes the other lacks, as in records.ts
 *   more        bool: further records follow when this turn is answered
 *
 *   prefix      u8 number of hexadecimal digits, then the digits, two in a byte, the first one high
 *
 * All numbers are big-endian. An id is the keyed mix of an item id (ranges.ts).
 */
import { concatBytes, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { idDigits, partCount } from './ranges.ts'
import type { Fingerprint, FingerprintKey } from './ranges.ts'

export interface Compare {
  readonly prefix: readonly number[]
  /** The fingerprints of its sixteen parts. */
  readonly ids: readonly Fingerprint[]
}

export interface Listing {
  readonly prefix: readonly number[]
  readonly ids: readonly Fingerprint[]
}

export interface Turn {
  readonly comparison: number
  readonly key: FingerprintKey | undefined
  readonly compare: readonly Compare[]
  readonly list: readonly Listing[]
  readonly want: readonly Fingerprint[]
  /** Encoded by `encodeRecords`; empty for none. */
  readonly records: Uint8Array
  readonly more: boolean
}

const idBytes = 8
const keyBytes = 16

/** The packets of a turn, behind the sub-flag. */
export function encodeTurn(turn: Turn): readonly Value[] {
  return [
    turn.comparison,
    turn.key === undefined ? null : writeWords(turn.key),
    packRanges(turn.compare, false),
    packRanges(turn.list, true),
    packIds(turn.want),
    turn.records,
    turn.more,
  ]
}

/** Undefined for anything that is not a turn. */
export function decodeTurn(packets: readonly Value[]): Turn | undefined {
  const [comparisonValue, keyValue, compareBytes, listBytes, wantBytes, records, more] = packets
  const comparison = wholeNumber(comparisonValue)
  if (comparison === undefined || typeof more !== 'boolean') return undefined
  if (!(records instanceof Uint8Array)) return undefined
  if (keyValue !== null && !(keyValue instanceof Uint8Array && keyValue.length === keyBytes)) {
    return undefined
  }
  const compare = unpackRanges(compareBytes, partCount)
  const list = unpackRanges(listBytes, undefined)
  const want = readIds(wantBytes)
  if (compare === undefined || list === undefined || want === undefined) return undefined
  return {
    comparison,
    key: keyValue === null ? undefined : readWords(keyValue),
    compare,
    list,
    want,
    records,
    more,
  }
}

function writeWords(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  words.forEach((word, at) => view.setUint32(4 * at, word >>> 0))
  return bytes
}

/** Four words, of 16 bytes. */
export function readWords(bytes: Uint8Array): FingerprintKey {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}

function packIds(ids: readonly Fingerprint[]): Uint8Array {
  return writeWords(ids.flatMap(({ a, b }) => [a, b]))
}

function readIds(value: Value | undefined): Fingerprint[] | undefined {
  if (!(value instanceof Uint8Array) || value.length % idBytes !== 0) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return Array.from({ length: value.length / idBytes }, (_, at) => ({
    a: view.getUint32(idBytes * at),
    b: view.getUint32(idBytes * at + 4),
  }))
}

function packRanges(ranges: readonly Listing[], counted: boolean): Uint8Array {
  const packed = ranges.map(({ prefix, ids }) => {
    const pairs = Array.from({ length: (prefix.length + 1) >> 1 }, (_, i) => {
      return ((prefix[2 * i] ?? 0) << 4) | (prefix[2 * i + 1] ?? 0)
    })
    const count = counted ? [ids.length >> 8, ids.length] : []
    return concatBytes(Uint8Array.of(prefix.length, ...pairs, ...count), packIds(ids))
  })
  return concatBytes(...packed)
}

function unpackRanges(
  value: Value | undefined,
  fixedCount: number | undefined,
): Listing[] | undefined {
  if (!(value instanceof Uint8Array)) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  const ranges: Listing[] = []
  let at = 0
  while (at < value.length) {
    const digits = value[at++] ?? 0
    const packed = (digits + 1) >> 1
    const head = packed + (fixedCount === undefined ? 2 : 0)
    if (digits >= idDigits || at + head > value.length) return undefined
    const prefix = Array.from({ length: digits }, (_, i) => {
      const byte = value[at + (i >> 1)] ?? 0
      return i % 2 === 0 ? byte >> 4 : byte & 0xf
    })
    const count = fixedCount ?? view.getUint16(at + packed)
    at += head
    if (at + idBytes * count > value.length) return undefined
    const ids = readIds(value.subarray(at, at + idBytes * count)) ?? []
    at += idBytes * count
    ranges.push({ prefix, ids })
  }
  return ranges
}
