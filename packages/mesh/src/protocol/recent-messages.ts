/**
 * The broadcasts of the last minute, whole: what a neighbour may still ask for, and who is known to
 * have each. Bounded by count, bytes and age; the oldest goes first. A message that went early can
 * no longer be handed to a neighbour that lacks it, but another neighbour may still hold it.
 *
 * Every delivery adds one and soon drops one, and each is looked up once for every neighbour that
 * announces it. So messages are numbered in the order they came and lie in rings, one for each thing
 * that is known of them: few bytes to walk through when thousands are kept. They are found by their ids
 * in chains, from the newest to the oldest: one that went ends a chain, so nothing has to be taken out.
 */
import { frameHeaderBytes } from '@p2p/serializer'
import { shortIdBytes } from './message-key.ts'
import { mix, word } from './seen-cache.ts'

/** A neighbour has a bit at its place in each message. */
export interface Placed {
  /** From 0; of no other neighbour at the same time. */
  readonly place: number
}

export interface RecentMessage<Neighbour extends Placed, Tree> {
  /** Uncompressed: one array instead of the dozen objects of a message, for the garbage collector's sake. */
  readonly frame: Uint8Array
  readonly seenMs: number
  /** Who brought the first copy; undefined for our own. */
  readonly first: Neighbour | undefined
  /** The tree it travelled on here, so that later word about it changes the right one. */
  readonly tree: Tree
}

/** The number of no message: they are numbered from 1. */
export const noMessage = 0

/** A power of two. */
const firstCapacity = 16
/** Words at the beginning of a row, which hold the beginning of the id. */
const idWords = shortIdBytes / 4

interface RecentLimits {
  readonly maxRecentMessages: number
  readonly maxRecentBytes: number
  readonly maxAgeMs: number
  /** Decides which ids share a chain, so that nobody can make many that do. */
  readonly secret: number
}

export class RecentMessages<Neighbour extends Placed, Tree> {
  readonly #limits: RecentLimits
  /** Each message lies at its number modulo the capacity. */
  #ring: (RecentMessage<Neighbour, Tree> | undefined)[] = []
  /**
   * A row for each message: the beginning of its id, and a bit for each neighbour that sent it, or was sent
   * it. None of them needs another copy.
   */
  #rows = new Int32Array(0)
  /** The same, in bytes. */
  #rowBytes = new Uint8Array(0)
  #rowWords = idWords + 1
  #capacity = 0
  /** The newest message of each chain, and at its place the next older one of each message. */
  #newest = new Float64Array(0)
  #older = new Float64Array(0)
  #oldest = 1
  #end = 1
  /** Messages from this one on are in no chain yet: most are found without, or never looked for. */
  #unchained = 1
  #lastFound = noMessage
  #bytes = 0

  constructor(limits: RecentLimits) {
    this.#limits = limits
    this.#layOut(firstCapacity, this.#rowWords)
  }

  get count(): number {
    return this.#end - this.#oldest
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The number that the next message gets. */
  get end(): number {
    return this.#end
  }

  /** Undefined when it is no longer kept. */
  get(number: number): RecentMessage<Neighbour, Tree> | undefined {
    return this.#isKept(number) ? this.#ring[this.#place(number)] : undefined
  }

  #isKept(number: number): boolean {
    return number >= this.#oldest && number < this.#end
  }

  /** The number of the message whose id begins at `offset`, where 16 bytes must stand; or `noMessage`. */
  find(id: Uint8Array, offset = 0): number {
    // Neighbours announce in about the order in which we heard: mostly it is the one behind the last one.
    let number = this.#lastFound + 1
    if (!this.#isAt(number, id, offset)) {
      this.#chainAll()
      number = this.#newest[this.#chain(id, offset)] ?? noMessage
      while (this.#isKept(number) && !this.#isAt(number, id, offset)) {
        number = this.#older[this.#place(number)] ?? noMessage
      }
      if (!this.#isKept(number)) return noMessage
    }
    this.#lastFound = number
    return number
  }

  /**
   * Returns the number of the message, which nobody holds yet; `noMessage` for one that has no room here: it must
   * not push out all others.
   */
  add(entry: RecentMessage<Neighbour, Tree>): number {
    if (entry.frame.length > this.#limits.maxRecentBytes) return noMessage
    if (this.count === this.#capacity) this.#layOut(2 * this.#capacity, this.#rowWords)
    const number = this.#end
    const row = this.#row(number)
    // Loops: calls of built-in functions cost more for so few bytes.
    for (let at = 0; at < shortIdBytes; at += 1) {
      this.#rowBytes[4 * row + at] = entry.frame[frameHeaderBytes + at] ?? 0
    }
    for (let at = idWords; at < this.#rowWords; at += 1) this.#rows[row + at] = 0
    this.#ring[this.#place(number)] = entry
    this.#end += 1
    this.#bytes += entry.frame.length
    this.trim(entry.seenMs)
    return number
  }

  /** Makes room for a neighbour: to be called before its place is used. */
  admit({ place }: Placed): void {
    const words = idWords + (place >>> 5) + 1
    if (words > this.#rowWords) this.#layOut(this.#capacity, words)
  }

  holds(number: number, { place }: Placed): boolean {
    if (number < this.#oldest) return false
    return ((this.#rows[this.#holderWord(number, place)] ?? 0) & (1 << place)) !== 0
  }

  noteHolder(number: number, { place }: Placed): void {
    if (number < this.#oldest) return
    const at = this.#holderWord(number, place)
    this.#rows[at] = (this.#rows[at] ?? 0) | (1 << place)
  }

  /** The first message from this one on that the neighbour does not hold; Infinity when there is none. */
  nextUnheld(from: number, neighbour: Placed): number {
    let number = Math.max(from, this.#oldest)
    while (number < this.#end && this.holds(number, neighbour)) number += 1
    return number < this.#end ? number : Infinity
  }

  /** When this message was seen, or the first one kept behind it; Infinity when there is none. */
  seenMs(number: number): number {
    return this.get(Math.max(number, this.#oldest))?.seenMs ?? Infinity
  }

  /**
   * The ids, end to end, of the first messages from this one on that the neighbour does not hold, and the
   * next such message; Infinity when there is none.
   */
  unheldIds(
    from: number,
    neighbour: Placed,
    maxCount: number,
  ): { readonly ids: Uint8Array; readonly next: number } {
    const words: number[] = []
    let next = this.nextUnheld(from, neighbour)
    while (next < this.#end && words.length < idWords * maxCount) {
      const row = this.#row(next)
      for (let at = 0; at < idWords; at += 1) words.push(this.#rows[row + at] ?? 0)
      next = this.nextUnheld(next + 1, neighbour)
    }
    return { ids: new Uint8Array(new Int32Array(words).buffer), next }
  }

  /** Takes a lost neighbour out of every message: its place will be given to another. */
  forget({ place }: Placed): void {
    for (let number = this.#oldest; number < this.#end; number += 1) {
      const at = this.#holderWord(number, place)
      this.#rows[at] = (this.#rows[at] ?? 0) & ~(1 << place)
    }
  }

  /** Drops what is too old now, and the oldest beyond the other limits. */
  trim(monoMs: number): void {
    const { maxAgeMs, maxRecentBytes, maxRecentMessages } = this.#limits
    while (
      this.seenMs(this.#oldest) < monoMs - maxAgeMs ||
      this.count > maxRecentMessages ||
      this.#bytes > maxRecentBytes
    ) {
      const place = this.#place(this.#oldest)
      this.#bytes -= this.#ring[place]?.frame.length ?? 0
      this.#ring[place] = undefined
      this.#oldest += 1
    }
  }

  #layOut(capacity: number, rowWords: number): void {
    const [ring, rows, words] = [this.#ring, this.#rows, this.#rowWords]
    const mask = this.#capacity - 1
    this.#capacity = capacity
    this.#ring = []
    this.#rows = new Int32Array(rowWords * capacity)
    this.#rowBytes = new Uint8Array(this.#rows.buffer)
    this.#rowWords = rowWords
    this.#newest = new Float64Array(capacity)
    this.#older = new Float64Array(capacity)
    for (let number = this.#oldest; number < this.#end; number += 1) {
      const from = number & mask
      this.#rows.set(rows.subarray(words * from, words * (from + 1)), this.#row(number))
      this.#ring[this.#place(number)] = ring[from]
    }
    this.#unchained = this.#oldest
  }

  /** Puts the messages that are in no chain yet at the heads of theirs. */
  #chainAll(): void {
    for (let number = Math.max(this.#unchained, this.#oldest); number < this.#end; number += 1) {
      const chain = this.#chain(this.#rowBytes, 4 * this.#row(number))
      this.#older[this.#place(number)] = this.#newest[chain] ?? noMessage
      this.#newest[chain] = number
    }
    this.#unchained = this.#end
  }

  #chain(id: Uint8Array, offset: number): number {
    return this.#place(mix(word(id, offset) ^ this.#limits.secret, word(id, offset + 4)))
  }

  #place(number: number): number {
    return number & (this.#capacity - 1)
  }

  #row(number: number): number {
    return this.#rowWords * this.#place(number)
  }

  #holderWord(number: number, place: number): number {
    return this.#row(number) + idWords + (place >>> 5)
  }

  #isAt(number: number, id: Uint8Array, offset: number): boolean {
    if (!this.#isKept(number)) return false
    const start = 4 * this.#row(number)
    for (let at = 0; at < shortIdBytes; at += 1) {
      if (this.#rowBytes[start + at] !== id[offset + at]) return false
    }
    return true
  }
}
