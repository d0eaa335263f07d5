/**
 * Writes on their way to another node of ours, or to the store: everything that is known of them.
 *
 *   block
 *     varint   number of owners, and their ids
 *     record …
 *
 *   record
 *     u8       kind (0 set, 1 delete, 2 delta), and bits for what follows or is meant:
 *              4 another time, 8 sequence, 16 knowledge, 32 is a base, 64 holds, 128 another owner
 *     text     key
 *     text     msgpack value; not for a delete
 *     varint   128: number of the owner, from 0
 *     varint   4: time in UTC seconds
 *     varint   8: sequence; else 0
 *     seen     16: what the writer knew of other owners, and of its tenure (tenure.ts); else nothing
 *     seen     64: other owners' writes whose fields the value holds
 *
 *   seen       varint number of owners, and for each of them text mark, varint time, varint sequence;
 *              number 0 as knowledge means that an old node wrote it, which tells nobody what it knew
 *   text       varint number of bytes, and the bytes
 *
 * Owner and time stay what they were for the record before; for the first one they are what the reader
 * knows already, if it does: sender and time of a message (messages.ts).
 */
import { decodeValue } from '@p2p/serializer'
import { ByteReader, ByteWriter, maxVarintBytes } from './byte-cursor.ts'
import type { ByteText } from './byte-text.ts'
import { isMapping } from './delta.ts'
import { markLength, maxSeenOwners, nothingSeen, ownerMark } from './write.ts'
import type { Seen, Write, WriteKind } from './write.ts'

export interface WriteRecord {
  readonly key: ByteText
  /** True when older writes are folded into this one. */
  readonly isBase: boolean
  readonly write: Write
}

/** What holds for the first record unless it says something else. */
export interface Implied {
  readonly owner: ByteText
  /** UTC seconds */
  readonly time: number
}

/** A block with more records is not read: it would unfold into far more memory than its bytes. */
export const maxBlockRecords = 16_384
const maxBlockOwners = maxBlockRecords

const kinds = ['set', 'delete', 'delta'] as const
const kindBits = 3
const otherTime = 4
const hasSequence = 8
const hasKnowledge = 16
const baseBit = 32
const hasHolds = 64
const otherOwner = 128

export function encodeRecords(records: readonly WriteRecord[], implied?: Implied): Uint8Array {
  const owners = new Map<ByteText, number>()
  let mostBytes = maxVarintBytes
  let owner = implied?.owner
  for (const { key, write } of records) {
    mostBytes += recordBytesAtMost(key, write)
    if (write.owner === owner) continue
    owner = write.owner
    if (owners.has(owner)) continue
    owners.set(owner, owners.size)
    mostBytes += maxVarintBytes + owner.length
  }
  const writer = new ByteWriter(mostBytes)
  writer.varint(owners.size)
  for (const id of owners.keys()) writer.text(id)
  let last = implied
  for (const record of records) {
    writeRecord(writer, record, last, owners)
    last = record.write
  }
  return writer.written()
}

function recordBytesAtMost(key: ByteText, { value, knew, holds }: Write): number {
  const seenCount = (knew?.length ?? 0) + (holds?.length ?? 0)
  const seenBytes = (markLength + 3 * maxVarintBytes) * seenCount
  return 1 + 7 * maxVarintBytes + key.length + value.length + seenBytes
}

function writeRecord(
  writer: ByteWriter,
  { key, isBase, write }: WriteRecord,
  last: Implied | undefined,
  owners: ReadonlyMap<ByteText, number>,
): void {
  const { kind, owner, time, sequence, value, knew, holds } = write
  const isOtherOwner = owner !== last?.owner
  const isOtherTime = time !== (last?.time ?? 0)
  const knowsNobody = knew !== undefined && knew.length === 0
  writer.byte(
    kinds.indexOf(kind) |
      (isOtherTime ? otherTime : 0) |
      (sequence === 0 ? 0 : hasSequence) |
      (knowsNobody ? 0 : hasKnowledge) |
      (isBase ? baseBit : 0) |
      (holds === undefined ? 0 : hasHolds) |
      (isOtherOwner ? otherOwner : 0),
  )
  writer.text(key)
  if (kind !== 'delete') writer.bytes(value)
  if (isOtherOwner) writer.varint(owners.get(owner) ?? 0)
  if (isOtherTime) writer.varint(time)
  if (sequence !== 0) writer.varint(sequence)
  if (!knowsNobody) writeSeen(writer, knew ?? [])
  if (holds !== undefined) writeSeen(writer, holds)
}

function writeSeen(writer: ByteWriter, seen: readonly Seen[]): void {
  writer.varint(seen.length)
  for (const { owner, time, sequence } of seen) {
    writer.text(owner)
    writer.varint(time)
    writer.varint(sequence)
  }
}

/** The records in a block; undefined when anything about it is not as it should be. */
export function decodeRecords(
  block: Uint8Array,
  implied?: Implied,
): readonly WriteRecord[] | undefined {
  const reader = new ByteReader(block)
  const owners = readOwners(reader)
  const records: WriteRecord[] = []
  let last = implied
  while (!reader.isAtEnd) {
    const record = readRecord(reader, last, owners)
    if (record === undefined || records.length >= maxBlockRecords) return undefined
    records.push(record)
    last = record.write
  }
  return reader.isBroken ? undefined : records
}

function readOwners(reader: ByteReader): readonly ByteText[] {
  const count = reader.varint()
  const owners: ByteText[] = []
  if (count > maxBlockOwners) reader.isBroken = true
  while (owners.length < count && !reader.isBroken) owners.push(reader.text())
  return owners
}

function readRecord(
  reader: ByteReader,
  last: Implied | undefined,
  owners: readonly ByteText[],
): WriteRecord | undefined {
  const bits = reader.byte()
  const kind = kinds[bits & kindBits]
  const key = reader.text()
  const value = kind === 'delete' ? noBytes : reader.bytes()
  const owner = (bits & otherOwner) === 0 ? last?.owner : owners[reader.varint()]
  const time = (bits & otherTime) === 0 ? (last?.time ?? 0) : reader.varint()
  const sequence = (bits & hasSequence) === 0 ? 0 : reader.varint()
  const knew = (bits & hasKnowledge) === 0 ? nothingSeen : readSeen(reader)
  const holds = (bits & hasHolds) === 0 ? undefined : readSeen(reader)
  if (reader.isBroken || kind === undefined || owner === undefined) return undefined
  if (!isValueOf(kind, value)) return undefined
  const known = knew !== nothingSeen && knew.length === 0 ? undefined : knew
  const write: Write = { kind, owner, time, sequence, value, knew: known }
  const isBase = (bits & baseBit) !== 0
  return { key, isBase, write: holds === undefined ? write : { ...write, holds } }
}

function readSeen(reader: ByteReader): readonly Seen[] {
  const count = reader.varint()
  const seen: Seen[] = []
  if (count > maxSeenOwners) reader.isBroken = true
  while (seen.length < count && !reader.isBroken) {
    const owner = ownerMark(reader.text())
    seen.push({ owner, time: reader.varint(), sequence: reader.varint() })
  }
  return seen
}

const noBytes = new Uint8Array(0)

/** True when these bytes are what a write of this kind may carry: later reads never fail. */
export function isValueOf(kind: WriteKind, bytes: Uint8Array): boolean {
  if (kind === 'delete') return bytes.length === 0
  if (kind === 'set' && isAsciiText(bytes)) return true
  try {
    return decodeValue(bytes) !== null && (kind === 'set' || isMapping(bytes))
  } catch {
    return false
  }
}

const fixedText = 0xa0
const longestFixedText = 0x1f
const text8 = 0xd9

/** True for the most usual kind of value: a short text whose bytes need no decoder to be judged. */
function isAsciiText(bytes: Uint8Array): boolean {
  const tag = bytes[0] ?? 0
  const isShort = (tag & ~longestFixedText) === fixedText
  if (!isShort && tag !== text8) return false
  const start = isShort ? 1 : 2
  const length = isShort ? tag & longestFixedText : bytes[1]
  if (bytes.length - start !== length) return false
  for (let at = start; at < bytes.length; at++) if ((bytes[at] ?? 0) > 0x7f) return false
  return true
}
