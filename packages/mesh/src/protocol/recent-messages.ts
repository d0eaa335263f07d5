/**
 * The broadcasts of the last minute, whole: what a neighbour may still ask for, and who is known to
 * have each. Bounded by count, bytes and age; the oldest goes first. A message that went early can
 * no longer be handed to a neighbour that lacks it, but another neighbour may still hold it.
 *
 * Every delivery adds one and soon drops one, so they lie in a ring, and are found by their ids through
 * chains of places in it: that makes nothing for a garbage collector, which a map of texts does.
 */
import { checksumBytes, decodeMessage, frameHeaderBytes, type WireMessage } from '@p2p/serializer'
import type { HolderSet, Placed } from './holder-set.ts'
import { shortIdBytes } from './message-key.ts'
import { mix, word } from './seen-cache.ts'

export interface RecentMessage<Neighbour extends Placed, Tree> {
  /** Uncompressed: one array instead of the dozen objects of a message, for the garbage collector's sake. */
  readonly frame: Uint8Array
  readonly seenMs: number
  /** Neighbours that sent it, or were sent it: none of them needs another copy. */
  readonly holders: HolderSet
  /** Who brought the first copy; undefined for our own. */
  readonly first: Neighbour | undefined
  /** The tree it travelled on here, so that later word about it changes the right one. */
  readonly tree: Tree
}

/** The message that is kept, for passing it on. */
export function keptMessage({ frame }: { readonly frame: Uint8Array }): WireMessage {
  const bodyOffset = frameHeaderBytes + checksumBytes
  const id = frame.subarray(frameHeaderBytes, bodyOffset)
  return decodeMessage({ id, body: frame.subarray(bodyOffset) }, { lazyPayload: true })
}

/** Announced ids of kept messages, end to end. */
export function joinIds(entries: readonly { readonly frame: Uint8Array }[]): Uint8Array {
  const ids = new Uint8Array(shortIdBytes * entries.length)
  for (const [index, { frame }] of entries.entries()) {
    ids.set(frame.subarray(frameHeaderBytes, frameHeaderBytes + shortIdBytes), shortIdBytes * index)
  }
  return ids
}

/** A power of two. */
const firstCapacity = 16

export class RecentMessages<Neighbour extends Placed, Tree> {
  readonly #limits: {
    readonly maxCount: number
    readonly maxBytes: number
    readonly maxAgeMs: number
    readonly secret: number
  }
  /** Messages are numbered from 1; each lies at its number modulo the capacity. */
  #ring: (RecentMessage<Neighbour, Tree> | undefined)[] = []
  /** The latest number in each chain, and behind each message the one before it: too low a one ends a chain. */
  #heads = new Float64Array(firstCapacity)
  #nexts = new Float64Array(firstCapacity)
  #oldest = 1
  #end = 1
  #bytes = 0

  /** `secret` keeps ids from being made to fall into one chain. */
  constructor(limits: {
    readonly maxCount: number
    readonly maxBytes: number
    readonly maxAgeMs: number
    readonly secret: number
  }) {
    this.#limits = limits
  }

  get count(): number {
    return this.#end - this.#oldest
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The message whose id begins at `offset`; 16 bytes must stand there. */
  get(id: Uint8Array, offset = 0): RecentMessage<Neighbour, Tree> | undefined {
    for (let number = this.#heads[this.#chain(id, offset)] ?? 0; number >= this.#oldest;) {
      const entry = this.#at(number)
      if (entry !== undefined && isSameId(entry.frame, id, offset)) return entry
      number = this.#nexts[this.#place(number)] ?? 0
    }
    return undefined
  }

  add(entry: RecentMessage<Neighbour, Tree>): void {
    if (this.count === this.#heads.length) this.#grow()
    this.#put(entry)
    this.#bytes += entry.frame.length
    this.#trim(entry.seenMs)
  }

  /** What was first seen at or after this moment, oldest first. */
  since(monoMs: number): readonly RecentMessage<Neighbour, Tree>[] {
    return this.#all().filter(({ seenMs }) => seenMs >= monoMs)
  }

  /** Takes a lost neighbour out of every entry. */
  forget(neighbour: Neighbour): void {
    for (const entry of this.#all()) entry.holders.delete(neighbour)
  }

  #all(): RecentMessage<Neighbour, Tree>[] {
    return Array.from({ length: this.count }, (_, at) => this.#at(this.#oldest + at)).filter(
      (entry) => entry !== undefined,
    )
  }

  #trim(monoMs: number): void {
    const { maxAgeMs, maxBytes, maxCount } = this.#limits
    for (let entry = this.#at(this.#oldest); entry !== undefined;) {
      const isTooOld = entry.seenMs < monoMs - maxAgeMs
      if (!isTooOld && this.count <= maxCount && this.#bytes <= maxBytes) return
      this.#ring[this.#place(this.#oldest)] = undefined
      this.#bytes -= entry.frame.length
      this.#oldest += 1
      entry = this.#at(this.#oldest)
    }
  }

  #grow(): void {
    const entries = this.#all()
    const capacity = 2 * this.#heads.length
    this.#ring = []
    this.#heads = new Float64Array(capacity)
    this.#nexts = new Float64Array(capacity)
    this.#end = this.#oldest
    for (const entry of entries) this.#put(entry)
  }

  #put(entry: RecentMessage<Neighbour, Tree>): void {
    const chain = this.#chain(entry.frame, frameHeaderBytes)
    const place = this.#place(this.#end)
    this.#nexts[place] = this.#heads[chain] ?? 0
    this.#heads[chain] = this.#end
    this.#ring[place] = entry
    this.#end += 1
  }

  #at(number: number): RecentMessage<Neighbour, Tree> | undefined {
    return this.#ring[this.#place(number)]
  }

  #place(number: number): number {
    return number % this.#heads.length
  }

  #chain(id: Uint8Array, offset: number): number {
    const spread = mix(word(id, offset) ^ this.#limits.secret, word(id, offset + 4))
    return this.#place(spread)
  }
}

function isSameId(frame: Uint8Array, id: Uint8Array, offset: number): boolean {
  for (let at = 0; at < shortIdBytes; at += 1) {
    if (frame[frameHeaderBytes + at] !== id[offset + at]) return false
  }
  return true
}
