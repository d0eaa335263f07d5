/**
 * The messages of the hash table and their bytes.
 *
 *   meta       whisper    [5, "1" | "0"]              leeching | storing; exactly two packets
 *   notice     broadcast  [6, key]                    a key is there; also whispered after a meta
 *   removal    broadcast  [6, key, "del"]             three packets remove, whatever the third is
 *   store      whisper    [11, table, slot, value]    nil deletes
 *   retrieve   whisper    [12, table, slot]
 *   retrieved  whisper    [13, table, slot, value]    nil: not here, or not yet
 *   delta      whisper    [17, table, slot, mapping]  written over the fields of the stored mapping
 *
 * Tables go out as bin and slots as str, as py2p sends them; both types are read for either. Only the
 * five names are tables. Further packets are left alone: both originals ignore them.
 *
 * Source: spec/chord.md §4.1 and §5; spec/observed.md on who sends which type.
 */
import { encodeValue, flags, idText, utf8Encode, wholeNumber } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { fieldsOf } from './fields.ts'
import { hashTableNamed, slotNamed } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'

const subFlags = { meta: 5, notice: 6, store: 11, retrieve: 12, retrieved: 13, delta: 17 } as const
const metaPackets = 2
const removalPackets = 3
const leechingText = '1'
const storingText = '0'

export type ChordMessage =
  | { readonly type: 'meta'; readonly isStoring: boolean }
  | { readonly type: 'notice' | 'removal'; readonly key: Uint8Array }
  /** Value as msgpack; undefined deletes. */
  | { readonly type: 'store'; readonly slot: Slot; readonly value: Uint8Array | undefined }
  | { readonly type: 'delta'; readonly slot: Slot; readonly fields: ReadonlyMap<Value, Value> }
  | {
      readonly type: 'retrieve'
      readonly slot: Slot
      /** Table and slot as they came, to be echoed: a py2p finds its question again only by its own types. */
      readonly wording: readonly [Value, Value]
    }
  | { readonly type: 'retrieved'; readonly slot: Slot; readonly value: Uint8Array | undefined }

/**
 * The message of the hash table in a message of the mesh. `ignored` for others, `invalid` for one that
 * should be ours and is not right; py2p raises on some of these and drops the link.
 */
export function readMessage(message: WireMessage): ChordMessage | 'ignored' | 'invalid' {
  const { payload } = message
  const subFlag = wholeNumber(payload[0])
  if (subFlag === subFlags.notice) {
    if (message.type !== flags.whisper && message.type !== flags.broadcast) return 'ignored'
    return readNotice(payload)
  }
  if (message.type !== flags.whisper) return 'ignored'
  if (subFlag === subFlags.meta) return readMeta(payload)
  switch (subFlag) {
    case subFlags.store:
    case subFlags.delta:
    case subFlags.retrieve:
    case subFlags.retrieved:
      return readSlotMessage(subFlag, payload)
    default:
      return 'ignored'
  }
}

/** A handshake has the same sub-flag and more packets; only two are a meta. */
function readMeta(payload: readonly Value[]): ChordMessage | 'ignored' | 'invalid' {
  if (payload.length !== metaPackets) return 'ignored'
  const [, state] = payload
  if (typeof state === 'boolean') return { type: 'meta', isStoring: !state }
  const number = wholeNumber(state) ?? integerText(idText(state ?? null))
  return number === undefined ? 'invalid' : { type: 'meta', isStoring: number === 0 }
}

/** py2p reads the state with `int()`. */
function integerText(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*[+-]?\d{1,15}\s*$/.test(text) ? Number(text) : undefined
}

function readNotice(payload: readonly Value[]): ChordMessage | 'invalid' {
  const key = keyBytes(payload[1])
  if (key === undefined) return 'invalid'
  return { type: payload.length === removalPackets ? 'removal' : 'notice', key }
}

function readSlotMessage(
  subFlag: 11 | 12 | 13 | 17,
  payload: readonly Value[],
): ChordMessage | 'invalid' {
  const [, tableName = null, slotName = null, value] = payload
  const table = hashTableNamed(idText(tableName) ?? '')
  const slot = table && slotNamed(table, idText(slotName) ?? '')
  if (slot === undefined) return 'invalid'
  if (subFlag === subFlags.retrieve) {
    return { type: 'retrieve', slot, wording: [tableName, slotName] }
  }
  if (value === undefined) return 'invalid'
  if (subFlag === subFlags.delta) {
    const fields = fieldsOf(value)
    return fields === undefined ? 'invalid' : { type: 'delta', slot, fields }
  }
  const bytes = value === null ? undefined : encodeValue(value)
  return { type: subFlag === subFlags.store ? 'store' : 'retrieved', slot, value: bytes }
}

function keyBytes(key: Value | undefined): Uint8Array | undefined {
  if (typeof key === 'string') return utf8Encode(key)
  return key instanceof Uint8Array ? key : undefined
}

export function metaPayload(isStoring: boolean): readonly Value[] {
  return [subFlags.meta, isStoring ? storingText : leechingText]
}

export function noticePayload(key: Uint8Array): readonly Value[] {
  return [subFlags.notice, key]
}

export function removalPayload(key: Uint8Array): readonly Value[] {
  return [subFlags.notice, key, utf8Encode('del')]
}

/** A null value deletes. */
export function storePayload(slot: Slot, value: Value): readonly Value[] {
  return [subFlags.store, ...wordingOf(slot), value]
}

export function deltaPayload(slot: Slot, fields: ReadonlyMap<Value, Value>): readonly Value[] {
  return [subFlags.delta, ...wordingOf(slot), fields]
}

export function retrievePayload(slot: Slot): readonly Value[] {
  return [subFlags.retrieve, ...wordingOf(slot)]
}

/** null says that nothing is there. */
export function retrievedPayload(wording: readonly [Value, Value], value: Value): readonly Value[] {
  return [subFlags.retrieved, ...wording, value]
}

function wordingOf(slot: Slot): readonly [Value, Value] {
  return [utf8Encode(slot.table), slot.slotText]
}
