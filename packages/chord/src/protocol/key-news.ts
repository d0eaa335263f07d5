/**
 * The list of all keys, alike on every node: what goes into it, and who is told.
 *
 *   held       who is given a key to hold lists it, and needs no telling
 *   written    the others hear of a key with whatever else this node writes within a second, so that
 *              a network full of writers is not busy with telling
 *   old        a program of protocol 0.7 is told of each key by itself (spec/chord.md §5): by the writer,
 *              at once, who knows of one; else by its neighbours of ours that had not heard of the key,
 *              who say it to their old neighbours only, and these to all of their kind
 *   compared   soon after a handshake, by sums: one over all keys, then one for each bucket. With one
 *              neighbour after the other, or a newcomer would be sent the whole list by each. And now and
 *              then, as views of the ring are
 *   large      in a large ring news are rumours (rumours.ts), and not every neighbour is compared with
 *   late       a rumour may be late, and so may what is told in a comparison: of a key that was removed a
 *              moment ago neither is believed, nor is a comparison by those that keep the delete in their slots
 *   doubted    the list of a node that was away when a key was removed goes from one that keeps nothing of the key
 *              to the next; who keeps the delete tells all of it once more, when repair has had the time to show
 *              that the key was written again
 */
import type { Now, Peer, RandomBytes } from '@p2p/base'
import { toHex } from '@p2p/serializer'
import type { ChordEffect } from './chord-contract.ts'
import { noticesTo } from './hand-overs.ts'
import type { Parcel } from './hand-overs.ts'
import type { KeyList } from './key-list.ts'
import { noticePayload, removalPayload } from './messages.ts'
import type { OldQuestions } from './old-questions.ts'
import type { Outbox } from './outbox.ts'
import { portionsOf } from './portions.ts'
import { keyNewsPayload, sumsPayload } from './ring-messages.ts'
import type { KeysMessage } from './ring-messages.ts'
import { largeRing, listenersOf, passOnAfterMs } from './rumours.ts'
import { stampOf } from './stamp.ts'
import type { StoringNodes } from './storing-nodes.ts'

/** What it needs of the machine around it. */
export interface KeyNewsLine {
  readonly keys: KeyList
  readonly peers: ReadonlyMap<string, Peer>
  readonly nodes: Pick<StoringNodes, 'size'>
  /** Whether old programs store. */
  hasOld(): boolean
  /** Ids of the neighbours that understand news. */
  talking(): ReadonlySet<string>
  /** Whether the key is deleted in a slot that is kept here. */
  isDeleted(key: Uint8Array): boolean
  emit(effect: ChordEffect): void
}

/** What is told goes through the outbox; what is kept for old nodes depends on the list. */
export interface KeyNewsParts {
  readonly random: RandomBytes
  readonly outbox: Pick<Outbox, 'whisper' | 'spread' | 'handOver'>
  readonly old: Pick<OldQuestions, 'noteKey'> & {
    readonly tending: Pick<OldQuestions['tending'], 'noteRemoval'>
  }
}

const gatherMs = 1_000
/** From a handshake to the comparison, and from one to the next: the answer has mostly come by then. */
const compareAfterMs = 100
/** One message has at most so many keys, and so many bytes of them but for a longer key: it fits frames of 64 KiB. */
const maxNewsKeys = 512
const maxNewsBytes = 61_440
/** Removals remembered from one comparison to the next but one: by then rumours have died out. */
const maxRemoved = 1_024
/** Doubted from one comparison to the next: who lists deleted keys on purpose shall not make a flood. */
const maxDoubted = 64

export class KeyNews {
  readonly #line: KeyNewsLine
  readonly #parts: KeyNewsParts
  /** Keys that others of ours have not been told of, by hexadecimal text. */
  readonly #untold = new Map<string, Uint8Array>()
  #dueMs = Infinity
  /** Neighbours that were dialled, and not compared with yet. */
  readonly #toCompare = new Set<string>()
  #compareDueMs = Infinity
  /** Stamps of keys that were removed since the last comparison, and between the one before and that; keys may be long. */
  #removed = new Set<number>()
  #removedBefore: ReadonlySet<number> = this.#removed
  /** Keys that others list, though they are deleted here: heard of since the last comparison, and since the one before. */
  #doubted: Uint8Array[] = []
  #doubtedBefore: readonly Uint8Array[] = []

  constructor(line: KeyNewsLine, parts: KeyNewsParts) {
    this.#line = line
    this.#parts = parts
  }

  nextDeadline(): number {
    return Math.min(this.#dueMs, this.#compareDueMs)
  }

  handleDeadline(now: Now): void {
    if (now.monoMs >= this.#dueMs) this.flush(now)
    if (now.monoMs >= this.#compareDueMs) this.#compareWithNext(now)
  }

  /** Tells what waits to be told. */
  flush(now: Now): void {
    this.#dueMs = Infinity
    const { outbox, random } = this.#parts
    for (const keys of newsPortions(this.#untold.values())) {
      if (!this.#isLarge()) outbox.spread(keyNewsPayload(keys), now)
      else
        for (const id of listenersOf([...this.#line.talking()], random))
          outbox.whisper(id, keyNewsPayload(keys, true), now)
    }
    this.#untold.clear()
  }

  /** This node writes the key. */
  wrote(key: Uint8Array, now: Now): void {
    if (this.#line.keys.add(key) === 'known') return
    if (this.#line.hasOld() || this.#hasOldNeighbours()) {
      this.#parts.outbox.spread(noticePayload(key), now)
      return
    }
    this.#tellSoon(key, gatherMs, now)
  }

  #tellSoon(key: Uint8Array, afterMs: number, { monoMs }: Now): void {
    this.#untold.set(toHex(key), key.slice())
    this.#dueMs = Math.min(this.#dueMs, monoMs + afterMs)
  }

  /** This node deletes the key. All are told, though it be new here: its writer may not have told yet. */
  deleted(key: Uint8Array, now: Now): void {
    this.#noteRemoval(key)
    this.#line.keys.delete(key)
    this.#parts.outbox.spread(removalPayload(key), now)
  }

  /** Somebody gives this node the key to hold. */
  held(key: Uint8Array, now: Now): void {
    if (!this.#line.keys.has(key)) this.heardNotice(key, now)
  }

  /** Others of ours say what they wrote; `isPassed`: to some, who pass it on; `isPrivate`: or what they list, to this node. */
  heardNews(
    keys: readonly Uint8Array[],
    isPassed: boolean,
    now: Now,
    isPrivate: boolean = isPassed,
  ): void {
    for (const key of keys) {
      if (isPrivate && this.#wasRemoved(key)) continue
      if (isPrivate && this.#line.isDeleted(key)) {
        // Once is enough.
        this.#noteRemoval(key)
        if (this.#doubted.length < maxDoubted) this.#doubted.push(key.slice())
        continue
      }
      if (this.heardNotice(key, now) !== 'new') continue
      if (isPassed && this.#isLarge()) this.#tellSoon(key, passOnAfterMs(this.#untold.size), now)
      if (this.#hasOldNeighbours())
        this.#parts.outbox.spread(noticePayload(key), now, this.#line.talking())
    }
  }

  /** Somebody says that the key is there. */
  heardNotice(key: Uint8Array, now: Now): ReturnType<KeyList['add']> {
    const heard = this.#line.keys.add(key)
    const isNew = heard === 'new'
    this.#parts.old.noteKey(key, heard !== 'known', now)
    if (heard !== 'full') this.#line.emit({ type: 'key-added', key, isNew })
    return heard
  }

  heardRemoval(key: Uint8Array, now: Now): void {
    this.#noteRemoval(key)
    if (!this.#line.keys.delete(key)) return
    this.#parts.old.tending.noteRemoval(key, now)
    this.#line.emit({ type: 'key-removed', key })
  }

  /** One sum that differs is answered with those of the buckets, and those with the keys they hold. */
  compare({ isAnswer, sums }: KeysMessage, from: Peer, now: Now): void {
    const { keys } = this.#line
    if (!keys.differs(sums)) return
    if (!isAnswer)
      this.#parts.outbox.whisper(from.id, sumsPayload('keys', sums.length > 1, keys.digest()), now)
    if (sums.length > 1) this.#parts.outbox.handOver(newsTo(from.id, keys.differing(sums)), now)
  }

  /** Views of the ring are compared with this neighbour, lists of keys as well: a writer may have died before it told. */
  compareWith(peer: string, now: Now): void {
    this.#removedBefore = this.#removed
    this.#removed = new Set()
    for (const key of this.#doubtedBefore)
      if (this.#line.isDeleted(key) && !this.#line.keys.has(key)) this.deleted(key, now)
    this.#doubtedBefore = this.#doubted
    this.#doubted = []
    this.#askOf(peer, now)
  }

  peerJoined(peer: Peer, now: Now): void {
    const { keys } = this.#line
    if (!this.#line.talking().has(peer.id)) {
      if (keys.size > 0) this.#parts.outbox.handOver(noticesTo(peer.id, keys.values()), now)
    } else if (peer.outgoing && (keys.size === 0 || !this.#isLarge())) {
      // One side asks.
      this.#toCompare.add(peer.id)
      this.#compareDueMs = Math.min(this.#compareDueMs, now.monoMs + compareAfterMs)
    }
  }

  #compareWithNext(now: Now): void {
    const { peers } = this.#line
    for (const id of this.#toCompare) {
      this.#toCompare.delete(id)
      if (!peers.has(id)) continue
      this.#askOf(id, now)
      break
    }
    this.#compareDueMs = this.#toCompare.size === 0 ? Infinity : now.monoMs + compareAfterMs
  }

  #askOf(peer: string, now: Now): void {
    this.#parts.outbox.whisper(peer, sumsPayload('keys', false, this.#line.keys.summary()), now)
  }

  #isLarge(): boolean {
    return this.#line.nodes.size >= largeRing
  }

  #noteRemoval(key: Uint8Array): void {
    const name = toHex(key)
    this.#untold.delete(name)
    if (this.#removed.size < maxRemoved) this.#removed.add(stampOf(name))
  }

  #wasRemoved(key: Uint8Array): boolean {
    const stamp = stampOf(toHex(key))
    return this.#removed.has(stamp) || this.#removedBefore.has(stamp)
  }

  #hasOldNeighbours(): boolean {
    return this.#line.talking().size < this.#line.peers.size
  }
}

/** Keys for the list of a neighbour of ours. */
function* newsTo(peer: string, keys: Iterable<Uint8Array>): Generator<Parcel> {
  for (const portion of newsPortions(keys)) yield { peer, payload: keyNewsPayload(portion) }
}

function newsPortions(keys: Iterable<Uint8Array>): Iterable<readonly Uint8Array[]> {
  return portionsOf(keys, maxNewsKeys, maxNewsBytes, ({ length }) => length)
}
