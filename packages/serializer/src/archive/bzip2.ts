/**
 * The bzip2 format, read. Bits come high ones first.
 *
 *   stream  'BZh', block size '1'…'9' (times 100,000)  |  blocks  |  end mark, CRC-32, bits up to a byte
 *   block   mark of 48 bits, CRC-32, bit "randomised", position of the original row (24 bits),
 *           map of the byte values that occur, tables and selectors, Huffman symbols
 *
 * A block is undone in four steps: Huffman codes, of which every 50 choose one of up to six tables; runs
 * of the front value and moves to front; Burrows and Wheeler's transform; runs of four bytes and a count.
 * Randomised blocks have not been written since 1997 and are refused. The sums are not looked at: the
 * checksum of the frame covers what they do.
 *
 * Source: the format as documented by J. Tsai, "BZIP2: Format Specification", and the paper "A Block-sorting
 * Lossless Data Compression Algorithm", Burrows and Wheeler 1994.
 */
import { InflateFailure } from '../inflate-failure.ts'
import type { BoundedOutput } from './bounded-output.ts'

const blockUnit = 100_000
const longestCode = 20
const largestAlphabet = 258
const symbolsPerSelector = 50
const largestTableCount = 6
/** Two symbols write runs, as the digits 1 and 2 of a number to the base 2. */
const runSymbols = 2
/** After so many equal bytes comes a count of more. */
const runStart = 4

export function hasBzip2Mark(block: Uint8Array): boolean {
  return isStreamAt(block, 0)
}

function isStreamAt(block: Uint8Array, at: number): boolean {
  const level = block[at + 3] ?? 0
  return (
    block[at] === 0x42 &&
    block[at + 1] === 0x5a &&
    block[at + 2] === 0x68 &&
    level >= 0x31 &&
    level <= 0x39
  )
}

/** Writes what the streams in the block hold; what stands behind them is ignored, as Python does. */
export function readBzip2(block: Uint8Array, output: BoundedOutput): void {
  const reader = new Bzip2Reader(block, output)
  for (let at = 0; isStreamAt(block, at);) at = reader.readStream(at)
}

class Bzip2Reader {
  readonly #block: Uint8Array
  readonly #bits: BitReader
  readonly #output: BoundedOutput
  readonly #tables = Array.from({ length: largestTableCount }, () => new HuffmanTable())
  readonly #selectors = new Uint8Array(1 << 15)
  #selectorCount = 0
  readonly #alphabet = new Uint8Array(256)
  /** Bytes of the block in the low 8 bits, later the row that follows above them. */
  #rows = new Uint32Array(0)

  constructor(block: Uint8Array, output: BoundedOutput) {
    this.#block = block
    this.#bits = new BitReader(block)
    this.#output = output
  }

  /** Returns where the stream ends. */
  readStream(start: number): number {
    const bits = this.#bits
    bits.moveTo(start + 4)
    const blockBytes = ((this.#block[start + 3] as number) - 0x30) * blockUnit
    for (;;) {
      const mark = [bits.read(24), bits.read(24)]
      bits.read(16)
      bits.read(16)
      if (mark[0] === 0x177245 && mark[1] === 0x385090) return bits.position
      if (mark[0] !== 0x314159 || mark[1] !== 0x265359) throw new InflateFailure('invalid')
      this.#readBlock(blockBytes)
    }
  }

  #readBlock(blockBytes: number): void {
    const bits = this.#bits
    if (bits.read(1) === 1) throw new InflateFailure('invalid')
    const origin = bits.read(24)
    const valueCount = this.#readAlphabet()
    this.#readTables(valueCount + runSymbols)
    const count = this.#readRows(valueCount, blockBytes)
    if (origin >= count) throw new InflateFailure('invalid')
    this.#linkRows(count)
    this.#writeRows(origin, count)
  }

  /** Which bytes occur: 16 bits for the ranges, 16 for each range that has any. */
  #readAlphabet(): number {
    const ranges = this.#bits.read(16)
    let count = 0
    for (let range = 0; range < 16; range++) {
      if (((ranges >> (15 - range)) & 1) === 0) continue
      const values = this.#bits.read(16)
      for (let value = 0; value < 16; value++) {
        if (((values >> (15 - value)) & 1) === 1) this.#alphabet[count++] = range * 16 + value
      }
    }
    if (count === 0) throw new InflateFailure('invalid')
    return count
  }

  #readTables(symbolCount: number): void {
    const bits = this.#bits
    const tableCount = bits.read(3)
    const selectorCount = bits.read(15)
    if (tableCount < 2 || tableCount > largestTableCount || selectorCount === 0) {
      throw new InflateFailure('invalid')
    }
    const recent = Array.from({ length: tableCount }, (_, table) => table)
    for (let i = 0; i < selectorCount; i++) {
      let index = 0
      while (bits.read(1) === 1) if (++index === tableCount) throw new InflateFailure('invalid')
      const table = recent[index] as number
      recent.splice(index, 1)
      recent.unshift(table)
      this.#selectors[i] = table
    }
    this.#selectorCount = selectorCount
    for (let table = 0; table < tableCount; table++) {
      this.#tables[table]?.read(bits, symbolCount)
    }
  }

  /** Undoes the Huffman codes and the moves to front; returns how many bytes the block has. */
  #readRows(valueCount: number, blockBytes: number): number {
    // Of five bytes at least four are written, so a block that is longer than this is beyond the limit.
    const most = Math.min(blockBytes, Math.ceil(this.#output.maxBytes * 1.25) + 1)
    if (this.#rows.length < most) this.#rows = new Uint32Array(most)
    const rows = this.#rows
    const recent = this.#alphabet
    const end = valueCount + 1
    let count = 0
    let run = 0
    let digit = 1
    for (let symbols = 0; ; symbols++) {
      const symbol = this.#tableFor(symbols).decode(this.#bits)
      if (symbol < runSymbols) {
        run += digit * (symbol + 1)
        digit *= 2
        if (run > most - count)
          throw new InflateFailure(most < blockBytes ? 'too-large' : 'invalid')
        continue
      }
      if (run > 0) {
        rows.fill(recent[0] as number, count, count + run)
        count += run
        run = 0
        digit = 1
      }
      if (symbol === end) return count
      if (count === most) throw new InflateFailure(most < blockBytes ? 'too-large' : 'invalid')
      const byte = recent[symbol - 1] as number
      recent.copyWithin(1, 0, symbol - 1)
      recent[0] = byte
      rows[count++] = byte
    }
  }

  #tableFor(symbols: number): HuffmanTable {
    const selector = Math.floor(symbols / symbolsPerSelector)
    const table = this.#tables[this.#selectors[selector] as number]
    if (selector >= this.#selectorCount || table === undefined) throw new InflateFailure('invalid')
    return table
  }

  /** Sorting the last column gives the first, and with it the row that follows each. */
  #linkRows(count: number): void {
    const rows = this.#rows
    const starts = new Uint32Array(257)
    for (let row = 0; row < count; row++) {
      const next = ((rows[row] as number) & 0xff) + 1
      starts[next] = (starts[next] as number) + 1
    }
    for (let value = 1; value < 257; value++) {
      starts[value] = (starts[value] as number) + (starts[value - 1] as number)
    }
    for (let row = 0; row < count; row++) {
      const value = (rows[row] as number) & 0xff
      const place = starts[value] as number
      starts[value] = place + 1
      rows[place] = (rows[place] as number) | (row << 8)
    }
  }

  #writeRows(origin: number, count: number): void {
    const rows = this.#rows
    const output = this.#output
    let row = (rows[origin] as number) >>> 8
    let last = -1
    let equal = 0
    for (let i = 0; i < count; i++) {
      const entry = rows[row] as number
      const byte = entry & 0xff
      row = entry >>> 8
      if (equal === runStart) {
        output.repeat(last, byte)
        equal = 0
        last = -1
        continue
      }
      equal = byte === last ? equal + 1 : 1
      last = byte
      output.push(byte)
    }
  }
}

class HuffmanTable {
  readonly #lengths = new Uint8Array(largestAlphabet)
  readonly #symbols = new Uint16Array(largestAlphabet)
  /** By length of code: the largest code that long, and what to subtract to get its place. */
  readonly #largest = new Int32Array(longestCode + 1)
  readonly #first = new Int32Array(longestCode + 1)

  /** Lengths come as differences from the one before: 0 ends, 10 adds one, 11 takes one away. */
  read(bits: BitReader, symbolCount: number): void {
    let length = bits.read(5)
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      for (;;) {
        if (length < 1 || length > longestCode) throw new InflateFailure('invalid')
        if (bits.read(1) === 0) break
        length += bits.read(1) === 0 ? 1 : -1
      }
      this.#lengths[symbol] = length
    }
    this.#build(symbolCount)
  }

  #build(symbolCount: number): void {
    let code = 0
    let place = 0
    for (let length = 1; length <= longestCode; length++) {
      this.#first[length] = code - place
      for (let symbol = 0; symbol < symbolCount; symbol++) {
        if (this.#lengths[symbol] !== length) continue
        this.#symbols[place++] = symbol
        code++
      }
      this.#largest[length] = code - 1
      code *= 2
    }
  }

  decode(bits: BitReader): number {
    let code = 0
    for (let length = 1; length <= longestCode; length++) {
      code = (code << 1) | bits.read(1)
      if (code <= (this.#largest[length] as number)) {
        return this.#symbols[code - (this.#first[length] as number)] as number
      }
    }
    throw new InflateFailure('invalid')
  }
}

class BitReader {
  readonly #bytes: Uint8Array
  #at = 0
  #buffer = 0
  #held = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The next byte that no bit has been taken of. */
  get position(): number {
    return this.#at - (this.#held >> 3)
  }

  moveTo(at: number): void {
    this.#at = at
    this.#held = 0
  }

  /** The next 1 to 24 bits. */
  read(count: number): number {
    while (this.#held < count) {
      if (this.#at >= this.#bytes.length) throw new InflateFailure('invalid')
      this.#buffer = (this.#buffer << 8) | (this.#bytes[this.#at++] as number)
      this.#held += 8
    }
    this.#held -= count
    return (this.#buffer >>> this.#held) & ((1 << count) - 1)
  }
}
