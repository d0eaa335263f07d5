/**
 * Where msgpack values end, without decoding them: stored values travel as the bytes they came in.
 *
 * Source: the msgpack specification, "Formats". Works on bytes that were decoded once before (message
 * bodies) and on bytes that nobody has seen yet (records of another node); for the latter a broken
 * structure gives -1.
 */

/** Nesting beyond this is refused, as by the decoder of @p2p/serializer. */
const maxDepth = 64

/** Offset behind the value that begins at `offset`; -1 when it is broken, cut off or too deep. */
export function skipValue(bytes: Uint8Array, offset: number): number {
  return skip(bytes, offset, 0)
}

/** Number of elements of the array at `offset` and where the first begins; undefined when it is none. */
export function readArraySpan(
  bytes: Uint8Array,
  offset: number,
): { readonly count: number; readonly start: number } | undefined {
  return readContainer(bytes, offset, { fixed: 0x90, wide: 0xdc })
}

/** Number of entries of the map at `offset` and where the first key begins; undefined when it is none. */
export function readMapSpan(
  bytes: Uint8Array,
  offset: number,
): { readonly count: number; readonly start: number } | undefined {
  return readContainer(bytes, offset, { fixed: 0x80, wide: 0xde })
}

function readContainer(
  bytes: Uint8Array,
  offset: number,
  tags: { readonly fixed: number; readonly wide: number },
): { readonly count: number; readonly start: number } | undefined {
  const tag = bytes[offset]
  if (tag === undefined) return undefined
  if ((tag & 0xf0) === tags.fixed) return { count: tag & 0x0f, start: offset + 1 }
  const width = tag === tags.wide ? 2 : tag === tags.wide + 1 ? 4 : 0
  if (width === 0 || offset + 1 + width > bytes.length) return undefined
  return { count: readUint(bytes, offset + 1, width), start: offset + 1 + width }
}

function readUint(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[offset + i] ?? 0)
  return value
}

function skip(bytes: Uint8Array, offset: number, depth: number): number {
  const tag = bytes[offset]
  if (tag === undefined) return -1
  const map = readMapSpan(bytes, offset)
  if (map !== undefined) return skipMany(bytes, map.start, 2 * map.count, depth + 1)
  const array = readArraySpan(bytes, offset)
  if (array !== undefined) return skipMany(bytes, array.start, array.count, depth + 1)
  const length = scalarLength(bytes, offset, tag)
  return length < 0 || offset + length > bytes.length ? -1 : offset + length
}

function skipMany(bytes: Uint8Array, start: number, count: number, depth: number): number {
  if (depth > maxDepth || count > bytes.length - start) return -1
  let offset = start
  for (let i = 0; i < count && offset >= 0; i++) offset = skip(bytes, offset, depth)
  return offset
}

/** Of the tags from 0xc0 on: bytes without those that are counted; -1 for one that starts no value. */
// prettier-ignore
const fixedBytes = [
  1, -1, 1, 1, 2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18, 2, 3, 5,
]
/** Of the same tags: how wide the count of the others is. */
const countWidths = [
  0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4,
]

/** Bytes of a value that is neither map nor array, with its tag; -1 for tags that start none. */
function scalarLength(bytes: Uint8Array, offset: number, tag: number): number {
  if (tag < 0x80 || tag >= 0xe0) return 1
  if (tag < 0xc0) return 1 + (tag & 0x1f)
  const at = tag - 0xc0
  return (fixedBytes[at] ?? -1) + readUint(bytes, offset + 1, countWidths[at] ?? 0)
}
