/**
 * The broadcasts of the last minute, whole: what a neighbour may still ask for, and who is known to
 * have each. Bounded by count, bytes and age; the oldest goes first. A message that went early can
 * no longer be handed to a neighbour that lacks it, but another neighbour may still hold it.
 */
import { checksumBytes, decodeMessage, frameHeaderBytes, type WireMessage } from '@p2p/serializer'
import type { MessageKey } from './message-key.ts'
import type { SmallSet } from './small-set.ts'

export interface RecentMessage<Neighbour extends object, Tree> {
  readonly key: MessageKey
  /** Uncompressed: one array instead of the dozen objects of a message, for the garbage collector's sake. */
  readonly frame: Uint8Array
  readonly seenMs: number
  /** Neighbours that sent it, or were sent it: none of them needs another copy. */
  readonly holders: SmallSet<Neighbour>
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

export class RecentMessages<Neighbour extends object, Tree> {
  readonly #entries = new Map<MessageKey, RecentMessage<Neighbour, Tree>>()
  /**
   * The entries once more, oldest first from `#first` on. A map would have to step over everything
   * that was ever deleted from its start to find its first entry.
   */
  #order: RecentMessage<Neighbour, Tree>[] = []
  #first = 0
  readonly #limits: {
    readonly maxCount: number
    readonly maxBytes: number
    readonly maxAgeMs: number
  }
  #bytes = 0

  constructor(limits: {
    readonly maxCount: number
    readonly maxBytes: number
    readonly maxAgeMs: number
  }) {
    this.#limits = limits
  }

  get count(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: MessageKey): RecentMessage<Neighbour, Tree> | undefined {
    return this.#entries.get(key)
  }

  add(entry: RecentMessage<Neighbour, Tree>): void {
    this.#entries.set(entry.key, entry)
    this.#order.push(entry)
    this.#bytes += entry.frame.length
    this.#trim(entry.seenMs)
  }

  /** Keys of what was first seen at or after this moment, oldest first. */
  keysSince(monoMs: number): MessageKey[] {
    const keys: MessageKey[] = []
    for (const entry of this.#entries.values()) {
      if (entry.seenMs >= monoMs) keys.push(entry.key)
    }
    return keys
  }

  /** Takes a lost neighbour out of every entry. */
  forget(neighbour: Neighbour): void {
    for (const entry of this.#entries.values()) entry.holders.delete(neighbour)
  }

  #trim(monoMs: number): void {
    for (let entry = this.#order[this.#first]; entry !== undefined;) {
      const isTooOld = entry.seenMs < monoMs - this.#limits.maxAgeMs
      const isTooMuch =
        this.#entries.size > this.#limits.maxCount || this.#bytes > this.#limits.maxBytes
      if (!isTooOld && !isTooMuch) break
      this.#entries.delete(entry.key)
      this.#bytes -= entry.frame.length
      this.#first += 1
      entry = this.#order[this.#first]
    }
    if (this.#first > 1_024 && 2 * this.#first > this.#order.length) {
      this.#order = this.#order.slice(this.#first)
      this.#first = 0
    }
  }
}
