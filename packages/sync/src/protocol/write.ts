/**
 * One write of one key, and the two relations between writes on which everything else rests.
 *
 * *Order* is total and the same on every node. It decides who wins:
 *
 *   1. time, in UTC seconds as it was on the wire;
 *   2. owner. Two owners in one second are settled as the originals settle them, the smaller id wins:
 *      with leases the first write takes the key, so the smaller id comes first; without leases the
 *      last one does, so it comes last;
 *   3. sequence, which tells the writes of one owner within one second apart;
 *   4. kind and bytes, so that no two different writes are equal.
 *
 * *Knowledge* is partial: write b covers write a when the writer of b had seen a, or is its author.
 * A write that loses to one that does not cover it was lost without its author being asked; this is
 * what raises a `conflict`. A write carries, for each other owner it knew of, the newest stamp seen
 * (a version vector; Parker et al., "Detection of mutual inconsistency in distributed systems", 1983).
 * Old nodes do not send one: such a write is taken to know all that is older than itself.
 *
 * Source of the order: research on convergence in design.md §6; spec/sync.md §4 line 5 for the tie.
 */
import { compareBytes } from '@p2p/serializer'
import { compareByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'

/** `set` replaces the value, `delete` removes it, `delta` merges fields into a mapping. */
export type WriteKind = 'set' | 'delete' | 'delta'

/** Names a write by its author and stamp: the newest one of this author that somebody knew of. */
export interface Seen {
  /** The beginning of the owner's id (`ownerMark`): enough to tell owners apart, and short on the wire. */
  readonly owner: ByteText
  /** UTC seconds */
  readonly time: number
  readonly sequence: number
}

export interface Write {
  readonly kind: WriteKind
  readonly owner: ByteText
  /** UTC seconds */
  readonly time: number
  /** Counts the writes of one owner to one key within one second, from 0. */
  readonly sequence: number
  /** The msgpack value as it came, or the mapping of a delta; empty for a delete. */
  readonly value: Uint8Array
  /** What the writer knew of other owners; undefined when an old node wrote it. */
  readonly knew: readonly Seen[] | undefined
  /** For a base only: the writes of other owners whose fields are part of its value. */
  readonly holds?: readonly Seen[] | undefined
}

/** Beyond this a write is refused: nobody writes a key so often in a second, and numbers have an end. */
export const maxSequence = 0xffff_ffff

export const markLength = 12

/** How an owner is named where only equality matters: the first 12 bytes of a random base58 id. */
export function ownerMark(owner: ByteText): ByteText {
  return owner.slice(0, markLength) as ByteText
}

const kindRank: Readonly<Record<WriteKind, number>> = { set: 0, delta: 1, delete: 2 }

/** Negative when a comes before b. Zero only for the same write. */
export function compareWrites(a: Write, b: Write, leasing: boolean): number {
  if (a.time !== b.time) return a.time - b.time
  if (a.owner !== b.owner) {
    const order = compareByteText(a.owner, b.owner)
    return leasing ? order : -order
  }
  if (a.sequence !== b.sequence) return a.sequence - b.sequence
  if (a.kind !== b.kind) return kindRank[a.kind] - kindRank[b.kind]
  return compareBytes(a.value, b.value)
}

/** True for two copies of one write. They may differ in what came with them: see `joinCopies`. */
export function isSameWrite(a: Write, b: Write): boolean {
  return (
    a.time === b.time &&
    a.owner === b.owner &&
    a.kind === b.kind &&
    compareBytes(a.value, b.value) === 0
  )
}

/**
 * One write from two copies of it: an old node may have passed it on without its tail, and two nodes
 * may have numbered an old node's writes of one second differently. The larger number stays, and of two
 * copies with different knowledge, which no honest author makes, the same one on all nodes.
 */
export function joinCopies(a: Write, b: Write): Write {
  const sequence = Math.max(a.sequence, b.sequence)
  const knew = JSON.stringify(b.knew ?? '') > JSON.stringify(a.knew ?? '') ? b.knew : a.knew
  return sequence === a.sequence && knew === a.knew ? a : { ...a, sequence, knew }
}

/** True when the writer of `later` knew `earlier`, so that replacing it was no accident. */
export function covers(later: Write, earlier: Write): boolean {
  if (!hasSeen(later, { ...earlier, owner: ownerMark(earlier.owner) })) return false
  return earlier.holds === undefined || earlier.holds.every((part) => hasSeen(later, part))
}

/** True when the author of the write had made, or knew of, one stamped like this or later. */
export function hasSeen(write: Write, earlier: Seen): boolean {
  if (ownerMark(write.owner) === earlier.owner) return !isBefore(write, earlier)
  if (write.knew === undefined) return write.time > earlier.time
  for (const seen of write.knew) {
    if (seen.owner === earlier.owner) return !isBefore(seen, earlier)
  }
  return false
}

type Moment = Omit<Seen, 'owner'>

export function isBefore(a: Moment, b: Moment): boolean {
  return a.time !== b.time ? a.time < b.time : a.sequence < b.sequence
}

/**
 * Owners of one key that a write remembers. Beyond these the oldest is forgotten; all that comes of
 * it is that a conflict with a very old write may be reported although its value had been seen.
 */
export const maxSeenOwners = 8

/** What the author of the next write knows: everything in these writes, and what their authors knew. */
export function knowledgeOf(writes: readonly Write[], except: ByteText): readonly Seen[] {
  const newest = new Map<ByteText, Seen>()
  const own = ownerMark(except)
  const learn = (seen: Seen): void => {
    if (seen.owner === own) return
    const known = newest.get(seen.owner)
    if (known === undefined || isBefore(known, seen)) newest.set(seen.owner, seen)
  }
  for (const write of writes) {
    learn(seenOf(write))
    write.knew?.forEach(learn)
  }
  if (newest.size === 0) return nothingSeen
  const all = [...newest.values()].sort(
    (a, b) => b.time - a.time || compareByteText(a.owner, b.owner),
  )
  return all.slice(0, maxSeenOwners)
}

/** The knowledge of a writer who knew no other. */
export const nothingSeen: readonly Seen[] = []

/** How others name this write. */
export function seenOf({ owner, time, sequence }: Write): Seen {
  return { owner: ownerMark(owner), time, sequence }
}
