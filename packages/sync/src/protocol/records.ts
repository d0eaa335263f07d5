/**
 * Writes on their way to another node of ours, or to the store: everything that is known of them.
 *
 *   block  = [ [owner, …], [record, …] ]
 *   record = [ key, kind + 4 if a base, owner number, time, sequence, value, knew, holds ]
 *   knew, holds = nil | [ [owner mark, time, sequence], … ]
 *
 * kind: 0 set, 1 delete, 2 delta. Keys, owners and values are bin. Owners, which are long, stand once.
 */
import { decodeValue, encodeValue, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { byteTextToBytes, toByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import { isMapping } from './delta.ts'
import { maxSeenOwners, ownerMark } from './write.ts'
import type { Seen, Write, WriteKind } from './write.ts'

export interface WriteRecord {
  readonly key: ByteText
  /** True when older writes are folded into this one. */
  readonly isBase: boolean
  readonly write: Write
}

const kinds: readonly WriteKind[] = ['set', 'delete', 'delta']
const baseBit = 4

export function encodeRecords(records: readonly WriteRecord[]): Uint8Array {
  const owners = new Map<ByteText, number>()
  const numberOf = (owner: ByteText): number => {
    const known = owners.get(owner)
    if (known !== undefined) return known
    owners.set(owner, owners.size)
    return owners.size - 1
  }
  const encoded = records.map(({ key, isBase, write }): Value => {
    const kind = kinds.indexOf(write.kind) + (isBase ? baseBit : 0)
    const { owner, time, sequence, value } = write
    const about = [numberOf(owner), time, sequence, value]
    return [byteTextToBytes(key), kind, ...about, seenValue(write.knew), seenValue(write.holds)]
  })
  return encodeValue([[...owners.keys()].map(byteTextToBytes), encoded])
}

/** The records in a block; undefined when anything about it is not as it should be. */
export function decodeRecords(block: Uint8Array): readonly WriteRecord[] | undefined {
  const decoded = decodeOrUndefined(block)
  if (!isArray(decoded)) return undefined
  const [ownerValues, recordValues] = decoded
  if (!isArray(ownerValues) || !isArray(recordValues)) return undefined
  const owners = ownerValues.map(toByteText)
  const records: WriteRecord[] = []
  for (const value of recordValues) {
    const record = readRecord(value, owners)
    if (record === undefined) return undefined
    records.push(record)
  }
  return records
}

function readRecord(
  value: Value,
  owners: readonly (ByteText | undefined)[],
): WriteRecord | undefined {
  if (!isArray(value)) return undefined
  const key = toByteText(value[0])
  const code = wholeNumber(value[1]) ?? -1
  const kind = kinds[code % baseBit]
  const owner = owners[wholeNumber(value[2]) ?? -1]
  const moment = readMoment(value[3], value[4])
  const bytes = value[5]
  const [knew, holds] = [readSeen(value[6]), readSeen(value[7])]
  if (key === undefined || kind === undefined || code >= 2 * baseBit) return undefined
  if (owner === undefined || moment === undefined) return undefined
  if (knew === 'invalid' || holds === 'invalid') return undefined
  if (!(bytes instanceof Uint8Array) || !isValueOf(kind, bytes)) return undefined
  const write = { kind, owner, ...moment, value: bytes.slice(), knew }
  return { key, isBase: code >= baseBit, write: holds === undefined ? write : { ...write, holds } }
}

/** True when these bytes are what a write of this kind may carry: later reads never fail. */
export function isValueOf(kind: WriteKind, bytes: Uint8Array): boolean {
  if (kind === 'delete') return bytes.length === 0
  const value = decodeOrUndefined(bytes)
  return value !== undefined && value !== null && (kind === 'set' || isMapping(bytes))
}

function seenValue(seen: readonly Seen[] | undefined): Value {
  return seen?.map(({ owner, time, sequence }) => [byteTextToBytes(owner), time, sequence]) ?? null
}

function readSeen(value: Value | undefined): readonly Seen[] | undefined | 'invalid' {
  if (value === null || value === undefined) return undefined
  if (!isArray(value) || value.length > maxSeenOwners) return 'invalid'
  const seen: Seen[] = []
  for (const one of value) {
    const owner = isArray(one) ? toByteText(one[0]) : undefined
    const moment = isArray(one) ? readMoment(one[1], one[2]) : undefined
    if (owner === undefined || moment === undefined) return 'invalid'
    seen.push({ owner: ownerMark(owner), ...moment })
  }
  return seen
}

function readMoment(
  timeValue: Value | undefined,
  sequenceValue: Value | undefined,
): { readonly time: number; readonly sequence: number } | undefined {
  const time = wholeNumber(timeValue) ?? -1
  const sequence = wholeNumber(sequenceValue) ?? -1
  return time < 0 || sequence < 0 ? undefined : { time, sequence }
}

function decodeOrUndefined(bytes: Uint8Array): Value | undefined {
  try {
    return decodeValue(bytes)
  } catch {
    return undefined
  }
}

function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}
