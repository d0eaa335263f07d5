/**
 * Compresses as the reference implementation of snappy does (1.1), so that its frames can be rebuilt byte
 * by byte: fragments of 64 KiB, each with a table of positions by the hash of four bytes.
 *
 * Source: google/snappy, snappy.cc, CompressFragment, described in its comments; format_description.txt.
 */
const fragmentBytes = 65_536
const largestTable = 16_384
/** The search for copies stops so far before the end of a fragment. */
const marginBytes = 15

export function referenceSnappy(input: Uint8Array): Uint8Array {
  const out: number[] = []
  for (let rest = input.length; ; rest = Math.floor(rest / 128)) {
    out.push(rest < 128 ? rest : (rest % 128) | 128)
    if (rest < 128) break
  }
  for (let start = 0; start < input.length; start += fragmentBytes) {
    compressFragment(input.subarray(start, start + fragmentBytes), out)
  }
  return Uint8Array.from(out)
}

function compressFragment(input: Uint8Array, out: number[]): void {
  let tableBits = 8
  while (1 << tableBits < largestTable && 1 << tableBits < input.length) tableBits++
  const table = new Uint16Array(1 << tableBits)
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const four = (at: number): number => view.getUint32(at, true)
  const hash = (at: number): number => Math.imul(four(at), 0x1e35_a7bd) >>> (32 - tableBits)
  /** The position that was last seen with this hash; notes the new one. */
  const swap = (at: number): number => {
    const slot = hash(at)
    const before = table[slot] as number
    table[slot] = at
    return before
  }
  const limit = input.length - marginBytes
  let literalStart = 0
  let at = 1
  while (at <= limit) {
    let candidate = 0
    let skip = 32
    for (let next = at; ; at = next) {
      const step = skip >> 5
      skip += step
      next = at + step
      if (next > limit) {
        writeLiteral(input.subarray(literalStart), out)
        return
      }
      candidate = swap(at)
      if (four(at) === four(candidate)) break
    }
    writeLiteral(input.subarray(literalStart, at), out)
    do {
      let length = 4
      while (at + length < input.length && input[candidate + length] === input[at + length])
        length++
      writeCopy(at - candidate, length, out)
      at += length
      literalStart = at
      if (at >= limit) break
      table[hash(at - 1)] = at - 1
      candidate = swap(at)
    } while (four(at) === four(candidate))
    at++
  }
  writeLiteral(input.subarray(literalStart), out)
}

function writeLiteral(bytes: Uint8Array, out: number[]): void {
  if (bytes.length === 0) return
  const rest = bytes.length - 1
  if (rest < 60) out.push(rest << 2)
  else if (rest < 0x100) out.push(60 << 2, rest)
  else out.push(61 << 2, rest & 0xff, rest >> 8)
  for (const byte of bytes) out.push(byte)
}

/** Never leaves less than four bytes for the last part, which may then take the short form. */
function writeCopy(offset: number, length: number, out: number[]): void {
  let rest = length
  for (; rest >= 68; rest -= 64) writeCopyPart(offset, 64, out)
  if (rest > 64) {
    writeCopyPart(offset, 60, out)
    rest -= 60
  }
  writeCopyPart(offset, rest, out)
}

function writeCopyPart(offset: number, length: number, out: number[]): void {
  if (length < 12 && offset < 2048) {
    out.push(1 | ((length - 4) << 2) | ((offset >> 8) << 5), offset & 0xff)
  } else out.push(2 | ((length - 1) << 2), offset & 0xff, offset >> 8)
}
