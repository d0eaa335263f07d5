/**
 * What nodes of ours say to each other about slots: with versions, in numbers, and answered.
 *
 *   write    [0x7061, 0, request, key, time, writer, value, tables]   a value for some of a key's slots
 *   stored   [0x7061, 1, request, tables, time]                       those that have it now, or a newer one, and
 *                                                                     the time of the newest that they have
 *   read     [0x7061, 2, request, key, tables]
 *   found    [0x7061, 3, request, [[time, writer, value]…], which, unsure]    which: an index per table asked, -1 for
 *            none; unsure: the places in it of slots that may have missed a later write; left out when there is none
 *   put      [0x7061, 4, [entry…]]                                    slots to keep; nothing answers
 *   offer    [0x7061, 5, request, [head…]]                            "I have these"
 *   want     [0x7061, 6, request, [[table, slot]…]]                   "and I need those of them"
 *   compare  [0x7061, 7, from, to, count, sum]                        "is this what you hold there?"
 *   list     [0x7061, 8, from, to, [head…]]                           "no, it is this"
 *   copy     [0x7061, 9, [[key, time, writer, value, tables]…]]       writes; nothing answers
 *
 *   head     [table, slot, time, writer]
 *   entry    [table, slot, time, writer, value, key]
 *
 * All are whispers. A table is its number in `hashTables`, a slot its integer in hexadecimal without the
 * zeros at its end, a place on the ring 48 bytes. A value is its own msgpack as bytes, which are kept and
 * passed on as they are; nil in its place is a tombstone. A key of nil is not known.
 */
import { bytesToInteger, decodeValue, integerToBytes, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { hashTables, slotOfDigits } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import { ringBits } from './ring.ts'
import type { Arc } from './ring.ts'
import { SlotHead, StoredSlot } from './slot-store.ts'
import type { ArcSummary } from './slot-store.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'

export const tableFlag = 0x7061

/** In the order of their numbers on the wire. */
const verbs = [
  'write',
  'stored',
  'read',
  'found',
  'put',
  'offer',
  'want',
  'compare',
  'list',
  'copy',
] as const

/** Entries and heads in one message. */
export const maxListed = 1_024
const maxWriterLength = 100
const tableCount = hashTables.length

/** What one table said: nothing, a tombstone (no value), or a value. */
export interface FoundSlot {
  readonly version: Version
  readonly value: Uint8Array | undefined
  readonly isUnsure?: boolean
}

/** A write for some of a key's slots. */
export interface Copy {
  readonly key: Uint8Array
  readonly version: Version
  readonly value: Uint8Array | undefined
  readonly tables: readonly number[]
  /** Who should have it as well, and could not be reached: whoever has a link to it passes the write on. */
  readonly to?: string | undefined
}

export type TableMessage =
  | ({ readonly type: 'write'; readonly request: number } & Copy)
  | { readonly type: 'copy'; readonly copies: readonly Copy[] }
  | {
      readonly type: 'stored'
      readonly request: number
      readonly tables: readonly number[]
      readonly newest: number
    }
  | {
      readonly type: 'read'
      readonly request: number
      readonly key: Uint8Array
      readonly tables: readonly number[]
    }
  | {
      readonly type: 'found'
      readonly request: number
      readonly slots: readonly (FoundSlot | undefined)[]
    }
  | { readonly type: 'put'; readonly entries: readonly StoredSlot[] }
  | { readonly type: 'offer'; readonly request: number; readonly heads: readonly SlotHead[] }
  | { readonly type: 'want'; readonly request: number; readonly slots: readonly Slot[] }
  | { readonly type: 'compare'; readonly arc: Arc; readonly summary: ArcSummary }
  | { readonly type: 'list'; readonly arc: Arc; readonly heads: readonly SlotHead[] }

/** Undefined when it cannot be read. */
export function readTableMessage(payload: readonly Value[]): TableMessage | undefined {
  const [, verb, a, b, c, d] = payload
  const type = verbs[wholeNumber(verb) ?? -1]
  const arc = readArc(a, b)
  switch (type) {
    case 'put':
      return { type, entries: listOf(a, readEntry) }
    case 'copy':
      return { type, copies: listOf(a, (copy) => readCopy(itemsOf(copy))) }
    case 'compare': {
      const [count, sum] = [wholeNumber(c), wholeNumber(d)]
      if (arc === undefined || count === undefined || sum === undefined) return undefined
      return { type, arc, summary: { count, sum } }
    }
    case 'list':
      return arc && { type, arc, heads: listOf(c, readHead) }
    default: {
      const number = wholeNumber(a)
      return number === undefined ? undefined : readRequest(type, payload, number)
    }
  }
}

/** Those with the number of a request. */
function readRequest(
  type: (typeof verbs)[number] | undefined,
  payload: readonly Value[],
  request: number,
): TableMessage | undefined {
  const [, , , b, c, d] = payload
  switch (type) {
    case 'write': {
      const copy = readCopy(payload.slice(3))
      return copy && { type, request, ...copy }
    }
    case 'stored':
      return { type, request, tables: readTables(b), newest: wholeNumber(c) ?? 0 }
    case 'read':
      return b instanceof Uint8Array ? { type, request, key: b, tables: readTables(c) } : undefined
    case 'found':
      return readFound(request, b, c, d)
    case 'offer':
      return { type, request, heads: listOf(b, readHead) }
    case 'want':
      return { type, request, slots: listOf(b, readSlot) }
    default:
      return undefined
  }
}

function readCopy([key, time, writer, value, tables, to]: readonly Value[]): Copy | undefined {
  const version = readVersion(time, writer)
  const held = readHeld(value)
  return key instanceof Uint8Array && version && held
    ? { key, version, ...held, tables: readTables(tables), ...(typeof to === 'string' && { to }) }
    : undefined
}

function readFound(
  request: number,
  writes: Value | undefined,
  which: Value | undefined,
  unsure: Value | undefined,
): TableMessage | undefined {
  if (!Array.isArray(writes) || !Array.isArray(which)) return undefined
  const distinct = writes.slice(0, tableCount).map((write: Value): FoundSlot | undefined => {
    if (!Array.isArray(write)) return undefined
    const [time, writer, value] = write as readonly Value[]
    const version = readVersion(time, writer)
    const held = readHeld(value)
    return version && held && { version, ...held }
  })
  const doubted = Array.isArray(unsure) ? unsure.slice(0, tableCount) : []
  const slots = which.slice(0, tableCount).map((index: Value, place) => {
    const found = distinct[wholeNumber(index) ?? -1]
    return found && doubted.includes(place) ? { ...found, isUnsure: true } : found
  })
  return { type: 'found', request, slots }
}

/** Undefined for what is no version. */
export function readVersion(
  time: Value | undefined,
  writer: Value | undefined,
): Version | undefined {
  const milliseconds = wholeNumber(time)
  if (milliseconds === undefined || milliseconds < 0) return undefined
  if (typeof writer !== 'string' || writer.length > maxWriterLength) return undefined
  return { time: milliseconds, writer }
}

/** A value or a tombstone; undefined for bytes that are no msgpack, which nobody could read later. */
function readHeld(
  value: Value | undefined,
): { readonly value: Uint8Array | undefined } | undefined {
  if (value === null) return { value: undefined }
  if (!(value instanceof Uint8Array)) return undefined
  try {
    return decodeValue(value) === null ? undefined : { value }
  } catch {
    return undefined
  }
}

function readTables(value: Value | undefined): readonly number[] {
  const numbers = itemsOf(value).slice(0, tableCount).map(wholeNumber)
  return numbers.filter((table): table is number => table !== undefined && table in hashTables)
}

function readSlot(value: Value): Slot | undefined {
  const [number, digits] = itemsOf(value)
  const table = hashTables[wholeNumber(number) ?? -1]
  return table && typeof digits === 'string' ? slotOfDigits(table, digits) : undefined
}

function readHead(value: Value): SlotHead | undefined {
  const slot = readSlot(value)
  const [, , time, writer] = itemsOf(value)
  const version = readVersion(time, writer)
  return slot && version && new SlotHead(slot, version)
}

function readEntry(value: Value): StoredSlot | undefined {
  const head = readHead(value)
  const [, , , , bytes, key] = itemsOf(value)
  return head && storedSlot(head, head.version, bytes, key)
}

/** Undefined where the version is, and for a value that is none. */
export function storedSlot(
  slot: Slot,
  version: Version | undefined,
  bytes: Value | undefined,
  name: Value | undefined,
): StoredSlot | undefined {
  const held = readHeld(bytes)
  const key = name instanceof Uint8Array ? name : undefined
  return version && held && new StoredSlot(slot, { ...held, version, key })
}

function listOf<Item>(
  value: Value | undefined,
  read: (item: Value) => Item | undefined,
): readonly Item[] {
  return itemsOf(value)
    .slice(0, maxListed)
    .flatMap((item) => read(item) ?? [])
}

/** None for what is no array. */
export function itemsOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : []
}

const placeBytes = ringBits / 8

function readArc(from: Value | undefined, to: Value | undefined): Arc | undefined {
  if (!(from instanceof Uint8Array) || from.length !== placeBytes) return undefined
  if (!(to instanceof Uint8Array) || to.length !== placeBytes) return undefined
  return { from: bytesToInteger(from), to: bytesToInteger(to) }
}

function bytesOfArc({ from, to }: Arc): readonly Uint8Array[] {
  return [integerToBytes(from, placeBytes), integerToBytes(to, placeBytes)]
}

function message(verb: (typeof verbs)[number], ...content: readonly Value[]): readonly Value[] {
  return [tableFlag, verbs.indexOf(verb), ...content]
}

export function writePayload(request: number, copy: Copy): readonly Value[] {
  return message('write', request, ...copyValue(copy))
}

export function copyPayload(copies: readonly Copy[]): readonly Value[] {
  return message('copy', copies.map(copyValue))
}

function copyValue({ key, version, value, tables, to }: Copy): readonly Value[] {
  const { time, writer } = version
  return [key, time, writer, value ?? null, [...tables], ...(to === undefined ? [] : [to])]
}

export function storedPayload(
  request: number,
  tables: readonly number[],
  newest: number,
): readonly Value[] {
  return message('stored', request, [...tables], newest)
}

export function readPayload(
  request: number,
  key: Uint8Array,
  tables: readonly number[],
): readonly Value[] {
  return message('read', request, key, [...tables])
}

/** Equal writes are sent once. */
export function foundPayload(
  request: number,
  slots: readonly (StoredSlot | undefined)[],
  /** Places in `slots`. */
  unsure: readonly number[] = [],
): readonly Value[] {
  const distinct: StoredSlot[] = []
  const which = slots.map((slot) => {
    if (slot === undefined) return -1
    const index = distinct.findIndex(({ version }) => compareVersions(version, slot.version) === 0)
    return index < 0 ? distinct.push(slot) - 1 : index
  })
  const writes = distinct.map(({ version: { time, writer }, value }) => [
    time,
    writer,
    value ?? null,
  ])
  return message('found', request, writes, which, ...(unsure.length > 0 ? [[...unsure]] : []))
}

function slotValue({ table, digits }: Slot): readonly Value[] {
  return [hashTables.indexOf(table), digits]
}

function headOf(head: SlotHead): readonly Value[] {
  return [...slotValue(head), head.version.time, head.version.writer]
}

export function putPayload(entries: readonly StoredSlot[]): readonly Value[] {
  const list = entries.map((entry) => [...headOf(entry), entry.value ?? null, entry.key ?? null])
  return message('put', list)
}

export function offerPayload(request: number, heads: readonly SlotHead[]): readonly Value[] {
  return message('offer', request, heads.map(headOf))
}

export function wantPayload(request: number, slots: readonly Slot[]): readonly Value[] {
  return message('want', request, slots.map(slotValue))
}

export function comparePayload(arc: Arc, { count, sum }: ArcSummary): readonly Value[] {
  return message('compare', ...bytesOfArc(arc), count, sum)
}

export function listPayload(arc: Arc, heads: readonly SlotHead[]): readonly Value[] {
  return message('list', ...bytesOfArc(arc), heads.map(headOf))
}
