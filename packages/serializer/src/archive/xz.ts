/**
 * The xz container with LZMA2, which Python's lzma.compress writes, and the older lzma container, read.
 *
 *   xz      header (12 bytes)  |  blocks  |  index  |  footer (12 bytes, ends in 'YZ')
 *   block   header: size, flags, sizes, filters, padding, CRC-32  |  LZMA2 chunks  |  up to four  |  check
 *   chunk   0: end   |   1, 2: length − 1 (2 bytes), bytes as they are; 1 forgets what came before
 *           from 80 on: length − 1 (21 bits), packed length − 1 (2 bytes), properties if any, LZMA;
 *           bits 5 and 6: 0 goes on, 1 resets the state, 2 brings properties too, 3 forgets too
 *   lzma    properties, dictionary size (4 bytes), length (8 bytes, all ff when unknown), LZMA
 *
 * Only the filter LZMA2 is read. The checks (none, CRC-32, CRC-64, SHA-256) are passed over by their size,
 * the sums of headers too: the checksum of the frame covers what they do. The dictionary size says how much
 * a reader has to keep, and we keep all.
 *
 * Source: "The .xz File Format", version 1.1.0, and LZMA2 as in the public-domain XZ Embedded.
 */
import { InflateFailure } from '../inflate-failure.ts'
import type { BoundedOutput } from './bounded-output.ts'
import { LzmaDecoder } from './lzma.ts'

const streamMark = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
const lzmaMark = [0x5d, 0x00, 0x00]
const streamHeaderBytes = 12
const footerBytes = 12
const crcBytes = 4
const lzma2Filter = 0x21
const lzmaHeaderBytes = 13
/** lc + lp: in LZMA2 at most 4; the other container allows 12, which takes 6 MiB and which nobody writes. */
const mostLiteralBits = 4
/** Bytes of the check that follows a block, by its number. */
const checkBytes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]
/** A reset costs as much as some 5,000 bytes. A writer makes one for 64 KiB, a hostile one for twelve bytes. */
const freeResets = 64
const bytesPerReset = 1024

export function hasXzMark(block: Uint8Array): boolean {
  return startsWith(block, 0, streamMark) || startsWith(block, 0, lzmaMark)
}

function startsWith(block: Uint8Array, at: number, mark: readonly number[]): boolean {
  return mark.every((byte, i) => block[at + i] === byte)
}

/** Writes what the streams in the block hold; what stands behind them is ignored, as Python does. */
export function readXz(block: Uint8Array, output: BoundedOutput): void {
  if (startsWith(block, 0, lzmaMark)) {
    readLzmaContainer(block, output)
    return
  }
  const reader = new XzReader(block, output)
  while (startsWith(block, reader.at, streamMark)) reader.readStream()
}

function readLzmaContainer(block: Uint8Array, output: BoundedOutput): void {
  if (block.length < lzmaHeaderBytes) throw new InflateFailure('invalid')
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const length = view.getBigUint64(5, true)
  const isKnown = length !== 0xffff_ffff_ffff_ffffn
  if (isKnown) output.reserve(Number(length))
  const decoder = new LzmaDecoder(block, output)
  decoder.setProperties(block[0] as number, mostLiteralBits)
  const input = { start: lzmaHeaderBytes, end: block.length }
  decoder.decode(input, isKnown ? Number(length) : Number.POSITIVE_INFINITY, true)
  if (isKnown && output.length < Number(length)) throw new InflateFailure('invalid')
}

class XzReader {
  at = 0
  readonly #block: Uint8Array
  readonly #output: BoundedOutput
  readonly #decoder: LzmaDecoder
  #resetsLeft: number

  constructor(block: Uint8Array, output: BoundedOutput) {
    this.#block = block
    this.#output = output
    this.#decoder = new LzmaDecoder(block, output)
    this.#resetsLeft = freeResets + Math.floor(block.length / bytesPerReset)
  }

  readStream(): void {
    const header = this.#take(streamHeaderBytes)
    const sizeOfCheck = checkBytes[header[7] as number]
    if (header[6] !== 0 || sizeOfCheck === undefined) throw new InflateFailure('invalid')
    let blocks = 0
    for (; this.#block[this.at] !== 0; blocks++) {
      this.#blockHeader()
      this.#chunks()
      this.#align()
      this.#take(sizeOfCheck)
    }
    this.#index(blocks)
    const footer = this.#take(footerBytes)
    if (footer[10] !== 0x59 || footer[11] !== 0x5a) throw new InflateFailure('invalid')
  }

  #blockHeader(): void {
    const start = this.at
    const end = start + 4 * (this.#byte() + 1)
    const flags = this.#byte()
    if ((flags & 0x40) !== 0) this.#number()
    if ((flags & 0x80) !== 0) this.#number()
    const isOneFilter = (flags & 0x3f) === 0
    const isLzma2 = isOneFilter && this.#number() === lzma2Filter && this.#number() === 1
    if (!isLzma2) throw new InflateFailure('invalid')
    this.#byte()
    if (this.at > end - crcBytes) throw new InflateFailure('invalid')
    this.#take(end - this.at)
  }

  #chunks(): void {
    let needsDictionary = true
    let needsProperties = true
    for (;;) {
      const control = this.#byte()
      if (control === 0) return
      if (control === 1 || control >= 0xe0) {
        this.#decoder.resetDictionary()
        needsDictionary = false
        needsProperties = true
      }
      if (needsDictionary || (control > 2 && control < 0x80)) throw new InflateFailure('invalid')
      if (control < 0x80) {
        this.#output.append(this.#take(this.#word() + 1))
        continue
      }
      const length = ((control & 0x1f) << 16) + this.#word() + 1
      const packed = this.#word() + 1
      if (control >= 0xc0) needsProperties = false
      if (needsProperties) throw new InflateFailure('invalid')
      if (control >= 0xa0) this.#reset(control >= 0xc0)
      this.#output.reserve(length)
      const start = this.at
      this.#take(packed)
      this.#decoder.decode({ start, end: this.at }, length, false)
    }
  }

  #reset(bringsProperties: boolean): void {
    if (this.#resetsLeft-- === 0) throw new InflateFailure('invalid')
    if (bringsProperties) this.#decoder.setProperties(this.#byte(), mostLiteralBits)
    else this.#decoder.resetState()
  }

  /** A zero, the number of blocks, two sizes for each, padding, CRC-32. */
  #index(blocks: number): void {
    this.#byte()
    if (this.#number() !== blocks) throw new InflateFailure('invalid')
    for (let i = 0; i < 2 * blocks; i++) this.#number()
    this.#align()
    this.#take(crcBytes)
  }

  /** Streams begin at multiples of four, so everything in them is measured from the start of the block. */
  #align(): void {
    this.#take(-this.at & 3)
  }

  #take(count: number): Uint8Array {
    if (count > this.#block.length - this.at) throw new InflateFailure('invalid')
    this.at += count
    return this.#block.subarray(this.at - count, this.at)
  }

  #byte(): number {
    return this.#take(1)[0] as number
  }

  #word(): number {
    return this.#byte() * 0x100 + this.#byte()
  }

  /** Seven bits per byte, low ones first, at most nine bytes. */
  #number(): number {
    let number = 0
    for (let i = 0; i < 9; i++) {
      const byte = this.#byte()
      number += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return number
    }
    throw new InflateFailure('invalid')
  }
}
