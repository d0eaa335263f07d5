/** Where the deflated bytes begin behind a header of zlib (RFC 1950) or gzip (RFC 1952). */

const zlibHeaderBytes = 2
const gzipHeaderBytes = 10

/** The end of the block when its header is none. */
export function zlibDataStart(block: Uint8Array): number {
  // Bit 5 of the second byte announces a dictionary, which nobody gave us.
  const [method = 0, flags = 0] = block
  const isZlib = (method & 0x0f) === 8 && (flags & 0x20) === 0
  return isZlib ? zlibHeaderBytes : block.length
}

/** The end of the block when its header is none. */
export function gzipDataStart(block: Uint8Array): number {
  const flags = block[3] ?? 0
  if (block[0] !== 0x1f || block[1] !== 0x8b || block[2] !== 8) return block.length
  let start = gzipHeaderBytes
  if ((flags & 4) !== 0) start += 2 + (block[start] ?? 0) + 0x100 * (block[start + 1] ?? 0)
  // Name and comment end in a zero each.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue
    const zero = block.indexOf(0, start)
    if (zero < 0) return block.length
    start = zero + 1
  }
  return (flags & 2) === 0 ? start : start + 2
}
