/**
 * Data behind the msgpack array of a message. Old programs ignore it and relay it unchanged; it is
 * covered by the message id, so nobody can change it on the way.
 *
 * ```
 *  offset  size  field
 *  0       4     magic "p2p+" (70 32 70 2b)
 *  4       1     version, 1
 *  5       …     items: type (1 byte), length (1 byte), value
 *  -2      2     length of the whole tail, unsigned big-endian
 * ```
 *
 * Anything that does not read as this is a foreign tail: it is relayed, and otherwise left alone.
 * Source: spec/capabilities.md, 3.5; spec/wire.md, 9.
 */

/** Item types. Further ones are skipped by readers that do not know them. */
export const tailItems = {
  /** A number that makes two equal messages of one second different: 4 bytes, big-endian. */
  messageNumber: 0x01,
  /** Marks a search as one whose searcher can read the answer (search.ts); empty. */
  answerable: 0x02,
} as const

const magic = [0x70, 0x32, 0x70, 0x2b] as const
const version = 1
const headerBytes = 5
const trailerBytes = 2
const maxTailBytes = 0xffff

/**
 * Writes a tail.
 *
 * @throws RangeError for an item above 255 bytes, a type above 255, or a tail above 65,535 bytes
 */
export function encodeTail(items: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const bytes: number[] = [...magic, version]
  for (const [type, value] of items) bytes.push(type, value.length, ...value)
  const total = bytes.length + trailerBytes
  const isEachByte = bytes.every((byte) => byte === (byte & 0xff))
  if (!isEachByte || total > maxTailBytes) {
    throw new RangeError(`tail of ${total} bytes, or an item in it, is too long`)
  }
  bytes.push(total >> 8, total & 0xff)
  return Uint8Array.from(bytes)
}

/** Reads a tail; undefined when it is not one of ours. The first of two items of one type counts. */
export function decodeTail(tail: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined {
  if (tail.length < headerBytes + trailerBytes || tail.length > maxTailBytes) return undefined
  for (const [at, byte] of magic.entries()) if (tail[at] !== byte) return undefined
  if (tail[magic.length] !== version) return undefined
  const end = tail.length - trailerBytes
  if (((tail[end] ?? 0) << 8) + (tail[end + 1] ?? 0) !== tail.length) return undefined
  const items = new Map<number, Uint8Array>()
  let offset = headerBytes
  while (offset < end) {
    const type = tail[offset]
    const length = tail[offset + 1]
    if (type === undefined || length === undefined || offset + 2 + length > end) return undefined
    if (!items.has(type)) items.set(type, tail.subarray(offset + 2, offset + 2 + length))
    offset += 2 + length
  }
  return items
}
