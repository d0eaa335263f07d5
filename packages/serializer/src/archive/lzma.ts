/**
 * LZMA, read: literals and copies in bits of a range coder whose odds follow what came before.
 *
 * The decoder knows the last four distances and twelve states, which tell what the last steps were. Every
 * bit has its own odds of being 0, eleven bits wide, in one table:
 *
 *   is it a copy, by state and place  |  of an old distance, and of which  |  trees for lengths, for the
 *   size of a distance and for its low bits  |  trees for literals, by place and the byte before
 *
 * Source: "LZMA specification", I. Pavlov 2015 (public domain), whose names are used.
 */
import { InflateFailure } from '../inflate-failure.ts'
import type { BoundedOutput } from './bounded-output.ts'

const even = 1024
const oddsBits = 11
const adaptShift = 5
const renormalizeBelow = 2 ** 24

const stateCount = 12
/** States below this follow a literal. */
const firstCopyState = 7
const placeCount = 16
const leastLength = 2
const distanceTrees = 4
const literalTree = 0x300
/** Two choices, trees of 3 bits for each place twice, a tree of 8 bits. */
const lengthOdds = 2 + 2 * placeCount * 8 + 256

/** Where each kind of odds begins. */
const isMatch = 0
const isRep = isMatch + stateCount * placeCount
const isRepG0 = isRep + stateCount
const isRepG1 = isRepG0 + stateCount
const isRepG2 = isRepG1 + stateCount
const isRep0Long = isRepG2 + stateCount
const distanceSlots = isRep0Long + stateCount * placeCount
const distanceLow = distanceSlots + distanceTrees * 64
const distanceAlign = distanceLow + 115
const matchLengths = distanceAlign + 16
const repLengths = matchLengths + lengthOdds
const literals = repLengths + lengthOdds

/** A distance that is none: it ends the data. */
const endMark = 0xffff_ffff

export class LzmaDecoder {
  readonly #output: BoundedOutput
  readonly #input: Uint8Array
  #at = 0
  #end = 0
  #range = 0
  #code = 0

  #odds = new Uint16Array(0)
  #literalContextBits = 0
  #literalPlaceMask = 0
  #placeMask = 0
  #state = 0
  #reps = new Uint32Array(4)
  /** Copies reach back no farther than this. */
  #dictionaryStart = 0

  constructor(input: Uint8Array, output: BoundedOutput) {
    this.#input = input
    this.#output = output
  }

  /** Takes the byte (pb × 5 + lp) × 9 + lc, and resets the state. `mostLiteralBits` bounds lc + lp. */
  setProperties(byte: number, mostLiteralBits: number): void {
    const contextBits = byte % 9
    const placeBits = Math.floor(byte / 9) % 5
    const pb = Math.floor(byte / 45)
    if (pb > 4 || contextBits + placeBits > mostLiteralBits) throw new InflateFailure('invalid')
    this.#literalContextBits = contextBits
    this.#literalPlaceMask = (1 << placeBits) - 1
    this.#placeMask = (1 << pb) - 1
    const size = literals + (literalTree << (contextBits + placeBits))
    if (this.#odds.length !== size) this.#odds = new Uint16Array(size)
    this.resetState()
  }

  resetState(): void {
    this.#odds.fill(even)
    this.#state = 0
    this.#reps.fill(0)
  }

  resetDictionary(): void {
    this.#dictionaryStart = this.#output.length
  }

  /**
   * Writes `count` bytes from the input between `start` and `end`, or fewer when an end mark comes, which
   * is right only where `mayEnd` says so.
   */
  decode(
    { start, end }: { readonly start: number; readonly end: number },
    count: number,
    mayEnd: boolean,
  ): void {
    this.#startRange(start, end)
    const output = this.#output
    const stop = output.length + count
    while (output.length < stop) {
      const place = (output.length - this.#dictionaryStart) & this.#placeMask
      if (this.#bit(isMatch + this.#state * placeCount + place) === 0) {
        this.#literal()
        continue
      }
      const length = this.#copyLength(place)
      const distance = this.#reps[0] as number
      if (distance === endMark) {
        if (mayEnd) return
        throw new InflateFailure('invalid')
      }
      const isBefore = distance >= output.length - this.#dictionaryStart
      if (isBefore || length > stop - output.length) throw new InflateFailure('invalid')
      output.copy(distance + 1, length)
    }
  }

  #literal(): void {
    const output = this.#output
    const written = output.length - this.#dictionaryStart
    const before = written === 0 ? 0 : output.byteBack(1)
    const context =
      ((written & this.#literalPlaceMask) << this.#literalContextBits) +
      (before >> (8 - this.#literalContextBits))
    const tree = literals + literalTree * context
    let symbol = 1
    if (this.#state >= firstCopyState) {
      // Behind a copy the byte that would have continued it tells which of two more trees is meant.
      const distance = (this.#reps[0] as number) + 1
      let expected = distance > written ? 0 : output.byteBack(distance)
      while (symbol < 0x100) {
        const expectedBit = (expected >> 7) & 1
        expected <<= 1
        const bit = this.#bit(tree + ((1 + expectedBit) << 8) + symbol)
        symbol = (symbol << 1) | bit
        if (bit !== expectedBit) break
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(tree + symbol)
    output.push(symbol & 0xff)
    const state = this.#state
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6
  }

  /** The length of a copy; its distance, less one, becomes the first of the last four. */
  #copyLength(place: number): number {
    const reps = this.#reps
    const state = this.#state
    const afterLiteral = state < firstCopyState
    if (this.#bit(isRep + state) === 0) {
      reps.copyWithin(1, 0, 3)
      const length = this.#length(matchLengths, place)
      this.#state = afterLiteral ? 7 : 10
      reps[0] = this.#distance(length)
      return length
    }
    if (this.#bit(isRepG0 + state) === 0) {
      if (this.#bit(isRep0Long + state * placeCount + place) === 0) {
        this.#state = afterLiteral ? 9 : 11
        return 1
      }
    } else {
      const which = this.#bit(isRepG1 + state) === 0 ? 1 : this.#bit(isRepG2 + state) === 0 ? 2 : 3
      const distance = reps[which] as number
      reps.copyWithin(1, 0, which)
      reps[0] = distance
    }
    const length = this.#length(repLengths, place)
    this.#state = afterLiteral ? 8 : 11
    return length
  }

  #length(odds: number, place: number): number {
    const low = odds + 2
    const middle = low + placeCount * 8
    if (this.#bit(odds) === 0) return leastLength + this.#tree(low + place * 8, 3)
    if (this.#bit(odds + 1) === 0) return leastLength + 8 + this.#tree(middle + place * 8, 3)
    return leastLength + 16 + this.#tree(middle + placeCount * 8, 8)
  }

  /** A slot of six bits gives the two high bits and how many follow. */
  #distance(length: number): number {
    const tree = Math.min(length - leastLength, distanceTrees - 1)
    const slot = this.#tree(distanceSlots + tree * 64, 6)
    if (slot < 4) return slot
    const lowBits = (slot >> 1) - 1
    const high = ((2 | (slot & 1)) << lowBits) >>> 0
    if (slot < 14) return high + this.#reverseTree(distanceLow + high - slot, lowBits)
    const direct = this.#evenBits(lowBits - 4) * 16
    return high + direct + this.#reverseTree(distanceAlign, 4)
  }

  #tree(odds: number, bits: number): number {
    let symbol = 1
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(odds + symbol)
    return symbol - (1 << bits)
  }

  #reverseTree(odds: number, bits: number): number {
    let symbol = 1
    let value = 0
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(odds + symbol)
      symbol = (symbol << 1) | bit
      value |= bit << i
    }
    return value
  }

  #startRange(start: number, end: number): void {
    if (end - start < 5 || this.#input[start] !== 0) throw new InflateFailure('invalid')
    this.#at = start + 1
    this.#end = end
    this.#range = endMark
    this.#code = 0
    for (let i = 0; i < 4; i++) this.#code = ((this.#code << 8) | this.#nextByte()) >>> 0
  }

  #nextByte(): number {
    if (this.#at >= this.#end) throw new InflateFailure('invalid')
    return this.#input[this.#at++] as number
  }

  #renormalize(): void {
    if (this.#range >= renormalizeBelow) return
    this.#range = (this.#range << 8) >>> 0
    this.#code = ((this.#code << 8) | this.#nextByte()) >>> 0
  }

  #bit(index: number): 0 | 1 {
    this.#renormalize()
    const odds = this.#odds[index] as number
    const bound = (this.#range >>> oddsBits) * odds
    if (this.#code < bound) {
      this.#range = bound
      this.#odds[index] = odds + ((2 * even - odds) >> adaptShift)
      return 0
    }
    this.#range -= bound
    this.#code -= bound
    this.#odds[index] = odds - (odds >> adaptShift)
    return 1
  }

  /** Bits that are 0 or 1 equally often. */
  #evenBits(count: number): number {
    let value = 0
    for (let i = 0; i < count; i++) {
      this.#renormalize()
      this.#range >>>= 1
      const bit = this.#code >= this.#range ? 1 : 0
      if (bit === 1) this.#code -= this.#range
      value = value * 2 + bit
    }
    return value
  }
}
