/**
 * The messages of the dictionary and their bytes.
 *
 *   live store   broadcast [11, key, value]                     nil deletes; owner and time are the message's
 *   delta        broadcast [17, key, mapping]
 *   copy         whisper   [11, key, value, owner, timestamp]   exactly five packets
 *   turn         whisper   [0x7041, …]                          one step of a comparison (turn.ts)
 *   block        broadcast [0x7043, records]                    many writes of the sender (records.ts)
 *   agreement    whisper   [0x7042, …]                          who agrees with whom (agreement.ts)
 *
 * Any other number of packets is a live store, as in the originals. Keys, owners and the sender go out
 * as bin: py2p does not know a key again that came as str, and closes the link when two owners of
 * different type wrote in one second. Both forms are read. What another node wrote names its owner in
 * the form that this owner uses.
 *
 * Stores and deltas of ours carry a tail item that old programs do not see:
 *
 *   version (item 0x10) = msgpack [sequence, [owner mark, time, sequence], …]
 *
 * Source: spec/sync.md §3; spec/wire.md §2.3 and §2.4; spec/capabilities.md §3.5.
 */
import { decodeTail, encodeTail } from '@p2p/mesh'
import {
  concatBytes,
  createMessage,
  decodeValue,
  encodeValue,
  flags,
  messageFromBody,
  utf8Decode,
  wholeNumber,
} from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { byteTextToBytes, toByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import { copyBytes } from './copy-bytes.ts'
import { isMapping } from './delta.ts'
import { readArraySpan, skipValue } from './msgpack-span.ts'
import { decodeRecords, encodeRecords } from './records.ts'
import type { Implied, WriteRecord } from './records.ts'
import { maxSeenOwners, ownerMark } from './write.ts'
import type { Seen, Write, WriteKind } from './write.ts'

export const turnFlag = 0x7041
export const agreementFlag = 0x7042
export const blockFlag = 0x7043

/** What the hello of a node with a dictionary names, for comparisons and agreement. */
export const compareFeature = 'sync-compare'
/** What one names that reads many writes in one message. */
export const blockFeature = 'sync-blocks'

const versionItem = 0x10
const copyPackets = 5
/** Elements of the body in front of the value: main flag, sender, time, sub-flag, key. */
const elementsBeforeValue = 5

export interface ReadWrite {
  readonly key: ByteText
  readonly write: Write
  readonly origin: 'live' | 'copy'
  /** In which form the owner's id came. */
  readonly ownerForm: OwnerForm
}

/**
 * The write in a message. `ignored` for messages that are not about the dictionary, `invalid` for
 * those that should be and are not right; the originals raise on some of these and drop the link.
 */
export function readWrite(message: WireMessage): ReadWrite | 'ignored' | 'invalid' {
  const subFlag = wholeNumber(message.payload[0])
  const isStore = subFlag === flags.store
  if (!isStore && subFlag !== flags.delta) return 'ignored'
  const isCopy = isStore && message.payload.length === copyPackets
  const expectedType = isCopy ? flags.whisper : flags.broadcast
  const key = toByteText(message.payload[1])
  if (message.type !== expectedType || key === undefined) return 'invalid'
  if (message.payload.length < 3) return 'invalid'
  const bytes = valueBytes(message.body)
  if (bytes === undefined) return 'invalid'
  if (isCopy) return readCopy(message, key, bytes)
  const owner = toByteText(message.sender)
  if (owner === undefined || message.time < 0) return 'invalid'
  const kind: WriteKind = !isStore ? 'delta' : message.payload[2] === null ? 'delete' : 'set'
  if (kind === 'delta' && !isMapping(bytes)) return 'invalid'
  const version = readVersion(message.tail)
  const write = {
    kind,
    owner,
    time: message.time,
    sequence: version?.sequence ?? 0,
    value: kind === 'delete' ? noBytes : copyBytes(bytes),
    knew: version?.knew,
  }
  return { key, write, origin: 'live', ownerForm: formOf(message.sender) }
}

function formOf(id: Value | undefined): OwnerForm {
  return typeof id === 'string' ? 'text' : 'bytes'
}

function readCopy(message: WireMessage, key: ByteText, value: Uint8Array): ReadWrite | 'invalid' {
  const owner = toByteText(message.payload[3])
  const time = countIn(message.payload[4])
  if (message.payload[2] === null || owner === undefined || time === undefined) return 'invalid'
  const write: Write = {
    kind: 'set',
    owner,
    time,
    sequence: 0,
    value: copyBytes(value),
    knew: undefined,
  }
  return { key, write, origin: 'copy', ownerForm: formOf(message.payload[3]) }
}

/** The bytes of the value in the body, which shares its memory with whatever came over the link. */
function valueBytes(body: Uint8Array): Uint8Array | undefined {
  const array = readArraySpan(body, 0)
  if (array === undefined || array.count <= elementsBeforeValue) return undefined
  let start = array.start
  for (let i = 0; i < elementsBeforeValue && start >= 0; i++) start = skipValue(body, start)
  const end = start < 0 ? -1 : skipValue(body, start)
  return end < 0 ? undefined : body.subarray(start, end)
}

/** A write for everybody, as its author sends it: the same bytes whoever makes it. */
export function createWriteMessage(key: ByteText, write: Write): WireMessage {
  const { kind, owner, time, value } = write
  const head = { type: flags.broadcast, sender: byteTextToBytes(owner), time }
  const packets = [
    encodeValue(kind === 'delta' ? flags.delta : flags.store),
    encodeValue(byteTextToBytes(key)),
    kind === 'delete' ? encodeValue(null) : value,
  ]
  return composeMessage(head, packets, encodeTail(new Map([[versionItem, writeVersion(write)]])))
}

/** Many writes of one author for the neighbours that read blocks. */
export function createBlockMessage(writes: readonly WriteRecord[], from: Implied): WireMessage {
  return createMessage({
    type: flags.broadcast,
    sender: byteTextToBytes(from.owner),
    time: from.time,
    payload: [blockFlag, encodeRecords(writes, from)],
  })
}

/** The writes in a block message; undefined when it is broken, or says something in another's name. */
export function readBlock(message: WireMessage): readonly WriteRecord[] | undefined {
  const owner = toByteText(message.sender)
  const block = message.payload[1]
  if (owner === undefined || message.time < 0 || message.payload.length !== 2) return undefined
  if (!(block instanceof Uint8Array)) return undefined
  const records = decodeRecords(block, { owner, time: message.time })
  const isOwn = records?.every(({ isBase, write }) => !isBase && write.owner === owner) === true
  return isOwn ? records : undefined
}

/** How an owner writes its own id. Ours and py2p write bytes, js2p writes text. */
export type OwnerForm = 'text' | 'bytes'

/**
 * An entry as old nodes keep it, for one that has just joined. py2p keeps the owner in the form it came
 * in, and takes the other one for another owner, so it has to be the form that the owner uses.
 */
export function createCopyMessage(
  key: ByteText,
  entry: { readonly value: Uint8Array; readonly holder: Write; readonly ownerForm?: OwnerForm },
  from: { readonly id: ByteText; readonly time: number },
): WireMessage {
  const { owner, time } = entry.holder
  return composeMessage(
    { type: flags.whisper, sender: byteTextToBytes(from.id), time: from.time },
    [
      encodeValue(flags.store),
      encodeValue(byteTextToBytes(key)),
      entry.value,
      encodeValue(ownerOnWire(owner, entry.ownerForm)),
      encodeValue(time),
    ],
  )
}

/**
 * A change as its owner sent it, for one old neighbour that may have missed it. Only for changes that
 * really came from that owner: the protocol cannot tell this from a forgery (spec/sync.md §9). A py2p
 * that has the change already raises when the owner comes in another form than before.
 */
export function createResentMessage(
  key: ByteText,
  write: Write,
  ownerForm?: OwnerForm,
): WireMessage {
  const value = write.kind === 'delete' ? encodeValue(null) : write.value
  return composeMessage(
    { type: flags.whisper, sender: ownerOnWire(write.owner, ownerForm), time: write.time },
    [encodeValue(flags.store), encodeValue(byteTextToBytes(key)), value],
  )
}

function ownerOnWire(owner: ByteText, form: OwnerForm = 'bytes'): string | Uint8Array {
  const bytes = byteTextToBytes(owner)
  return form === 'bytes' ? bytes : (utf8Decode(bytes) ?? bytes)
}

/** A message around bytes that are values already. */
function composeMessage(
  head: {
    readonly type: number
    readonly sender: string | Uint8Array
    readonly time: number
  },
  packets: readonly Uint8Array[],
  tail: Uint8Array = noBytes,
): WireMessage {
  const body = concatBytes(
    Uint8Array.of(0x90 | (3 + packets.length), head.type),
    encodeValue(head.sender),
    encodeValue(head.time),
    ...packets,
    tail,
  )
  return messageFromBody(body)
}

const noBytes = new Uint8Array(0)

interface Version {
  readonly sequence: number
  readonly knew: readonly Seen[]
}

/** Bytes a tail item may have. The oldest knowledge is left out when it does not fit. */
const maxVersionBytes = 255

function writeVersion({ sequence, knew = [] }: Write): Uint8Array {
  for (let count = knew.length; ; count--) {
    const seen = knew
      .slice(0, count)
      .map(({ owner, time, sequence: number }): Value => [byteTextToBytes(owner), time, number])
    const bytes = encodeValue([sequence, ...seen])
    if (bytes.length <= maxVersionBytes) return bytes
  }
}

function readVersion(tail: Uint8Array): Version | undefined {
  const bytes = tail.length === 0 ? undefined : decodeTail(tail)?.get(versionItem)
  if (bytes === undefined) return undefined
  const decoded = decodeOrUndefined(bytes)
  if (!Array.isArray(decoded)) return undefined
  const [first, ...rest] = decoded as readonly Value[]
  const sequence = countIn(first)
  if (sequence === undefined || rest.length > maxSeenOwners) return undefined
  const knew: Seen[] = []
  for (const one of rest) {
    if (!Array.isArray(one)) return undefined
    const [ownerValue, timeValue, numberValue] = one as readonly Value[]
    const owner = toByteText(ownerValue)
    const time = countIn(timeValue)
    const number = countIn(numberValue)
    if (owner === undefined || time === undefined || number === undefined) return undefined
    knew.push({ owner: ownerMark(owner), time, sequence: number })
  }
  return { sequence, knew }
}

/** A whole number from 0 on: a record carries no other. */
function countIn(value: Value | undefined): number | undefined {
  const number = wholeNumber(value)
  return number !== undefined && number >= 0 ? number : undefined
}

function decodeOrUndefined(bytes: Uint8Array): Value | undefined {
  try {
    return decodeValue(bytes)
  } catch {
    return undefined
  }
}
