/**
 * The snappy block format, without framing, as python-snappy and node-snappy write it.
 *
 *   block     inflated length as a varint (seven bits per byte, low ones first)  |  elements
 *   element   tag byte, whose two low bits tell the kind
 *     0  literal   length − 1 in six bits; 60…63: in the next one to four bytes, low one first
 *     1  copy      length 4…11 in three bits, offset in three bits and the next byte
 *     2  copy      length 1…64 in six bits, offset in the next two bytes
 *     3  copy      length 1…64 in six bits, offset in the next four bytes
 *
 * Written here because a reader has to survive any input: of the package on npm, a crafted block never
 * returned. Source: format_description.txt of google/snappy.
 */

/** Three bytes make at most 64, so what announces more than this was never written by a compressor. */
const largestRatio = 22
const largestLength = 0xffff_ffff

const leastMatch = 4
const longestCopy = 64
const farthestOffset = 0xffff
/** Below this offset a match of 4 to 11 bytes fits in two bytes. */
const nearOffset = 2_048

/** The inflated length that a block announces; undefined when that cannot be right. */
export function snappyLength(block: Uint8Array): number | undefined {
  return readLength(block)?.length
}

function readLength(block: Uint8Array): { length: number; start: number } | undefined {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte >= 0x80) continue
    const possible = length <= largestLength && length <= block.length * largestRatio
    return possible ? { length, start: i + 1 } : undefined
  }
  return undefined
}

/** The inflated block; undefined when it is damaged. Takes as much memory as `snappyLength` says. */
export function inflateSnappy(block: Uint8Array): Uint8Array | undefined {
  const header = readLength(block)
  if (header === undefined) return undefined
  const out = new Uint8Array(header.length)
  let to = 0
  let at = header.start
  while (at < block.length) {
    const tag = block[at++] as number
    const kind = tag & 3
    const extraBytes = kind === 0 ? Math.max(0, (tag >> 2) - 59) : kind === 3 ? 4 : kind
    if (at + extraBytes > block.length) return undefined
    const extra = lowFirst(block, at, extraBytes)
    at += extraBytes
    if (kind === 0) {
      const length = 1 + (extraBytes === 0 ? tag >> 2 : extra)
      if (length > block.length - at || length > out.length - to) return undefined
      out.set(block.subarray(at, at + length), to)
      at += length
      to += length
    } else {
      const length = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
      const offset = kind === 1 ? ((tag >> 5) << 8) | extra : extra
      if (offset === 0 || offset > to || length > out.length - to) return undefined
      // Byte by byte: a copy may overlap what it writes.
      for (const end = to + length; to < end; to++) out[to] = out[to - offset] as number
    }
  }
  return to === out.length ? out : undefined
}

function lowFirst(bytes: Uint8Array, at: number, count: number): number {
  let number = 0
  for (let i = count - 1; i >= 0; i--) number = number * 0x100 + (bytes[at + i] as number)
  return number
}

/** The block compressed; incompressible input grows by a sixth at most. */
export function compressSnappy(input: Uint8Array): Uint8Array {
  const writer = new ElementWriter(input)
  const table = new Int32Array(tableSize(input.length))
  const mask = table.length - 1
  let literalStart = 0
  // The longer nothing was found, the larger the steps: what does not compress is passed quickly.
  let misses = 32
  for (let at = 1; at + leastMatch <= input.length;) {
    const slot = hashOfFour(input, at) & mask
    const candidate = table[slot] as number
    table[slot] = at
    if (at - candidate > farthestOffset || !sameFour(input, candidate, at)) {
      at += misses++ >> 5
      continue
    }
    misses = 32
    let length = leastMatch
    while (at + length < input.length && input[candidate + length] === input[at + length]) length++
    writer.literal(literalStart, at)
    writer.copy(at - candidate, length)
    at += length
    literalStart = at
  }
  writer.literal(literalStart, input.length)
  return writer.finish()
}

/** Slots for the positions that were passed: a power of two, since a larger table takes time to clear. */
function tableSize(inputBytes: number): number {
  let size = 256
  while (size < inputBytes && size < 16_384) size *= 2
  return size
}

function hashOfFour(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  const four = low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
  return Math.imul(four, 0x1e35_a7bd) >>> 17
}

function sameFour(bytes: Uint8Array, a: number, b: number): boolean {
  for (let i = 0; i < leastMatch; i++) if (bytes[a + i] !== bytes[b + i]) return false
  return true
}

class ElementWriter {
  readonly #input: Uint8Array
  readonly #out: Uint8Array
  #at = 0

  constructor(input: Uint8Array) {
    this.#input = input
    this.#out = new Uint8Array(32 + input.length + Math.ceil(input.length / 6))
    let length = input.length
    for (; length >= 0x80; length = Math.floor(length / 0x80)) {
      this.#out[this.#at++] = (length & 0x7f) | 0x80
    }
    this.#out[this.#at++] = length
  }

  literal(start: number, end: number): void {
    const length = end - start
    if (length === 0) return
    let rest = length - 1
    if (rest < 60) this.#out[this.#at++] = rest << 2
    else {
      const tagAt = this.#at++
      for (; rest > 0; rest = Math.floor(rest / 0x100)) this.#out[this.#at++] = rest & 0xff
      this.#out[tagAt] = (59 + this.#at - tagAt - 1) << 2
    }
    this.#out.set(this.#input.subarray(start, end), this.#at)
    this.#at += length
  }

  copy(offset: number, length: number): void {
    for (let rest = length; rest > 0;) {
      const part = Math.min(rest, longestCopy)
      if (part >= 4 && part <= 11 && offset < nearOffset) {
        this.#out[this.#at++] = 1 | ((part - 4) << 2) | ((offset >> 8) << 5)
        this.#out[this.#at++] = offset & 0xff
      } else {
        this.#out[this.#at++] = 2 | ((part - 1) << 2)
        this.#out[this.#at++] = offset & 0xff
        this.#out[this.#at++] = offset >> 8
      }
      rest -= part
    }
  }

  finish(): Uint8Array {
    return this.#out.slice(0, this.#at)
  }
}
