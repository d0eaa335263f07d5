/**
 * Inflates deflated bytes (RFC 1951), to at most so many. fflate, which deflates here, cannot be stopped
 * between two bytes of its input, and copies byte by byte: a bomb cost it ten times what it costs here.
 *
 *   block      last one? (1 bit)  |  kind (2 bits)  |  data
 *     0        from the next byte: length (2 bytes), its complement (2 bytes), bytes as they are
 *     1, 2     symbols until 256, in fixed codes, or in codes that are described first
 *   symbol     0…255 a byte; 256 the end; 257…285 a length, with a distance behind it: what stands there
 *
 * Output beyond the buffer is counted and not kept. So a first pass tells the size, or that it is beyond
 * the limit, and only when the first buffer was too small, a second one fills a buffer of that size.
 *
 * Short codes are looked up, longer ones counted out bit by bit: a table of all would take longer to
 * fill than a hostile block takes to send.
 */
import { InflateFailure } from '../inflate-failure.ts'

/** Most messages inflate to less than this many times their size. */
export const likelyRatio = 8
const longestCode = 15
/** Codes of up to so many bits are looked up. */
const tableBits = 9
const tableMask = (1 << tableBits) - 1
const endOfBlock = 256
const literalSymbols = 286
const distanceSymbols = 30
const lengthSymbols = 29
const longestMatch = 258
/** The order in which the lengths of the codes for code lengths are written. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
/** Symbols 16, 17 and 18 among code lengths: bits of the count, and the least count. */
const repeats = [
  [2, 3],
  [3, 3],
  [7, 11],
] as const

/**
 * Of lengths 4, of distances 2 symbols in a row have the same number of further bits, one more than those
 * before them; in front of the further bits stands a one, and the place of the symbol among its row.
 */
const furtherBits = (symbol: number, rowBits: number): number =>
  Math.max(0, (symbol >> rowBits) - 1)

const firstValue = (symbol: number, rowBits: number): number =>
  symbol >> rowBits === 0
    ? symbol
    : ((symbol & ((1 << rowBits) - 1)) | (1 << rowBits)) << furtherBits(symbol, rowBits)

/** A canonical Huffman code: symbols by code, codes numbered by length and then by symbol. */
class Code {
  /** Symbol × 16 + length by the next bits; 0 where the code is longer, or none. */
  readonly table: Uint16Array = new Uint16Array(1 << tableBits)
  /** How many codes have each length. */
  readonly counts: Uint16Array = new Uint16Array(longestCode + 1)
  /** By length, then in order. */
  readonly symbols: Uint16Array

  /** The length of each symbol's code, 0 for none. Incomplete is only a code with one symbol of one bit. */
  constructor(lengths: Uint8Array) {
    const { counts, table } = this
    for (const length of lengths) counts[length] = (counts[length] as number) + 1
    this.symbols = new Uint16Array(lengths.length - (counts[0] as number))
    counts[0] = 0
    const nextCodes = new Uint16Array(longestCode + 2)
    const nextPlaces = new Uint16Array(longestCode + 2)
    let left = 1
    for (let length = 1; length <= longestCode; length++) {
      const count = counts[length] as number
      left = 2 * left - count
      if (left < 0) throw new InflateFailure('invalid')
      nextCodes[length + 1] = ((nextCodes[length] as number) + count) << 1
      nextPlaces[length + 1] = (nextPlaces[length] as number) + count
    }
    const isSingle = this.symbols.length === 0 || (this.symbols.length === 1 && counts[1] === 1)
    if (left > 0 && !isSingle) throw new InflateFailure('invalid')
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol] as number
      if (length === 0) continue
      const place = nextPlaces[length] as number
      nextPlaces[length] = place + 1
      this.symbols[place] = symbol
      const code = nextCodes[length] as number
      nextCodes[length] = code + 1
      if (length > tableBits) continue
      const step = 1 << length
      for (let i = reversed(code, length); i < table.length; i += step) {
        table[i] = (symbol << 4) | length
      }
    }
  }
}

/** Codes stand in the stream with their high bit first, everything else with the low bit first. */
function reversed(code: number, length: number): number {
  let result = 0
  for (let i = 0; i < length; i++) result |= ((code >> i) & 1) << (length - 1 - i)
  return result
}

let fixedCodes: readonly [Code, Code] | undefined

function fixed(): readonly [Code, Code] {
  const lengths = new Uint8Array(288).fill(8)
  lengths.fill(9, 144, 256)
  lengths.fill(7, 256, 280)
  return [new Code(lengths), new Code(new Uint8Array(32).fill(5))]
}

class Inflation {
  readonly #source: Uint8Array
  readonly #maxBytes: number
  readonly #output: Uint8Array
  /** Bytes of output, those included that did not fit. */
  #length = 0
  #at = 0
  #bits = 0
  #bitCount = 0

  constructor(source: Uint8Array, maxBytes: number, output: Uint8Array) {
    this.#source = source
    this.#maxBytes = maxBytes
    this.#output = output
  }

  /** Reads the last block to its end. */
  run(): { readonly length: number; readonly end: number } {
    for (let isLast = false; !isLast;) {
      isLast = this.#take(1) === 1
      const kind = this.#take(2)
      if (kind === 0) this.#stored()
      else if (kind === 1) this.#block((fixedCodes ??= fixed()))
      else if (kind === 2) this.#block(this.#describedCodes())
      else throw new InflateFailure('invalid')
    }
    return { length: this.#length, end: this.#nextWholeByte() }
  }

  /** Gives whole bytes back. */
  #nextWholeByte(): number {
    this.#at -= this.#bitCount >> 3
    this.#bits = 0
    this.#bitCount = 0
    return this.#at
  }

  /** Gets at least `longestCode` bits, or all that are left. */
  #fill(): void {
    while (this.#bitCount < longestCode && this.#at < this.#source.length) {
      this.#bits |= (this.#source[this.#at++] as number) << this.#bitCount
      this.#bitCount += 8
    }
  }

  #drop(count: number): void {
    if (count > this.#bitCount) throw new InflateFailure('invalid')
    this.#bits >>>= count
    this.#bitCount -= count
  }

  #take(count: number): number {
    this.#fill()
    const value = this.#bits & ((1 << count) - 1)
    this.#drop(count)
    return value
  }

  #symbol(code: Code): number {
    this.#fill()
    const entry = code.table[this.#bits & tableMask] as number
    if (entry === 0) return this.#countedOut(code)
    this.#drop(entry & 15)
    return entry >> 4
  }

  /** Codes of one length are consecutive numbers, and go on at twice the number in the next length. */
  #countedOut({ counts, symbols }: Code): number {
    let code = 0
    let first = 0
    let place = 0
    for (let length = 1; length <= longestCode; length++) {
      code |= (this.#bits >> (length - 1)) & 1
      const count = counts[length] as number
      if (code < first + count) {
        this.#drop(length)
        return symbols[place + code - first] as number
      }
      place += count
      first = (first + count) << 1
      code <<= 1
    }
    throw new InflateFailure('invalid')
  }

  #stored(): void {
    const start = this.#nextWholeByte() + 4
    const [low = 0, high = 0, notLow = 0, notHigh = 0] = this.#source.subarray(start - 4, start)
    const length = low | (high << 8)
    const isSound = (length ^ 0xffff) === (notLow | (notHigh << 8))
    if (!isSound || start + length > this.#source.length) throw new InflateFailure('invalid')
    this.#reserve(length)
    const room = Math.max(0, this.#output.length - this.#length)
    if (room > 0) {
      this.#output.set(this.#source.subarray(start, start + Math.min(length, room)), this.#length)
    }
    this.#length += length
    this.#at = start + length
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#maxBytes) throw new InflateFailure('too-large')
  }

  #describedCodes(): readonly [Code, Code] {
    const literals = 257 + this.#take(5)
    const distances = 1 + this.#take(5)
    if (literals > literalSymbols || distances > distanceSymbols)
      throw new InflateFailure('invalid')
    const described = 4 + this.#take(4)
    const lengthLengths = new Uint8Array(lengthOrder.length)
    for (const symbol of lengthOrder.slice(0, described)) lengthLengths[symbol] = this.#take(3)
    const lengthCode = new Code(lengthLengths)
    const lengths = new Uint8Array(literals + distances)
    for (let i = 0; i < lengths.length;) {
      const symbol = this.#symbol(lengthCode)
      if (symbol < 16) {
        lengths[i++] = symbol
        continue
      }
      if (symbol === 16 && i === 0) throw new InflateFailure('invalid')
      const [bits, least] = repeats[symbol - 16] as readonly [number, number]
      const end = i + least + this.#take(bits)
      if (end > lengths.length) throw new InflateFailure('invalid')
      lengths.fill(symbol === 16 ? (lengths[i - 1] as number) : 0, i, end)
      i = end
    }
    if (lengths[endOfBlock] === 0) throw new InflateFailure('invalid')
    return [new Code(lengths.subarray(0, literals)), new Code(lengths.subarray(literals))]
  }

  #block([literals, distances]: readonly [Code, Code]): void {
    for (;;) {
      const symbol = this.#symbol(literals)
      if (symbol < endOfBlock) {
        this.#reserve(1)
        this.#output[this.#length++] = symbol
      } else if (symbol === endOfBlock) return
      else this.#match(symbol - endOfBlock - 1, distances)
    }
  }

  #range(symbol: number, rowBits: number): number {
    return firstValue(symbol, rowBits) + this.#take(furtherBits(symbol, rowBits))
  }

  #match(symbol: number, distances: Code): void {
    if (symbol >= lengthSymbols) throw new InflateFailure('invalid')
    const isLongest = symbol === lengthSymbols - 1
    const count = isLongest ? longestMatch : 3 + this.#range(symbol, 2)
    const distanceSymbol = this.#symbol(distances)
    if (distanceSymbol >= distanceSymbols) throw new InflateFailure('invalid')
    const distance = 1 + this.#range(distanceSymbol, 1)
    if (distance > this.#length) throw new InflateFailure('invalid')
    this.#reserve(count)
    const output = this.#output
    const end = Math.min(this.#length + count, output.length)
    for (let to = this.#length; to < end; to++) output[to] = output[to - distance] as number
    this.#length += count
  }
}

/**
 * What `source` begins with, inflated, and where what follows stands.
 *
 * @throws InflateFailure `too-large` beyond `maxBytes`, `invalid` for what is cut or damaged
 */
export function inflateDeflated(
  source: Uint8Array,
  maxBytes: number,
): { readonly bytes: Uint8Array; readonly end: number } {
  const likely = new Uint8Array(Math.min(maxBytes, likelyRatio * source.length))
  const { length, end } = new Inflation(source, maxBytes, likely).run()
  if (length <= likely.length) return { bytes: likely.slice(0, length), end }
  const bytes = new Uint8Array(length)
  new Inflation(source, maxBytes, bytes).run()
  return { bytes, end }
}

/**
 * How many bytes `source` begins with when inflated; nothing is kept of them.
 *
 * @throws InflateFailure as `inflateDeflated`
 */
export function inflatedLength(source: Uint8Array, maxBytes: number): number {
  return new Inflation(source, maxBytes, new Uint8Array(0)).run().length
}
