/**
 * What old neighbours are told, and how they are spared what breaks them.
 *
 * - One that joins gets a copy of every entry, as from its own kind; and again when it repeats its
 *   handshake, which is how py2p nodes are asked for their state. Copies go out in portions, because an
 *   old Python node loses its link when too much comes at once.
 * - js2p throws on every nil and closes the link: deletes are never sent or passed on to it.
 * - py2p does the same for a delete of a key it does not have: it gets only deletes that took something
 *   away here, since what was here was there as well.
 * - py2p also raises when it compares an owner it knows as text with the same as bytes, which it does for
 *   a change that it has already. What an old node wrote is told in the form in which that node was
 *   heard; of one that was not, only a copy is told, which py2p drops when it has the key.
 *
 * Source: spec/sync.md §3, §8.7, §8.8; spec/wire.md §8.
 */
import type { Now, Peer } from '@p2p/base'
import type { WireMessage } from '@p2p/serializer'
import { toHex } from '@p2p/serializer'
import { textToByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import {
  blockFeature,
  blockFlag,
  compareFeature,
  createCopyMessage,
  readWrite,
} from './messages.ts'
import type { OwnerForm } from './messages.ts'
import { maxBlockRecords } from './records.ts'
import { mayTake } from './replay.ts'
import type { Replica } from './replica.ts'
import { compareWrites } from './write.ts'
import type { Write } from './write.ts'

const portionBytes = 64 * 1024
const portionEveryMs = 20
/** A neighbour that repeats its handshake more often gets its copies no more often than this. */
const copiesEveryMs = 10_000
const maxOwners = 1_024
/** No block brings more, and it is passed on write by write within a moment. */
const maxDeletes = maxBlockRecords

export interface Parcel {
  readonly peer: string
  readonly message: WireMessage
}

interface Portions {
  readonly keys: Iterator<ByteText>
  dueMs: number
}

export class OldNeighbours {
  readonly #replica: Replica
  readonly #ownId: ByteText
  readonly #peers = new Map<string, Peer>()
  readonly #portions = new Map<string, Portions>()
  readonly #copiedAtMs = new Map<string, number>()
  /** Whether a delete, by message id, took something away here; asked again for each neighbour. */
  readonly #deletes = new Map<string, boolean>()
  /** How old nodes write their ids, the one heard of first comes first. */
  readonly #ownerForms = new Map<ByteText, OwnerForm>()

  constructor(replica: Replica, ownId: string) {
    this.#replica = replica
    this.#ownId = textToByteText(ownId)
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers
  }

  add(peer: Peer, now: Now): readonly Parcel[] {
    this.#peers.set(peer.id, peer)
    return this.sendCopies(peer.id, now)
  }

  remove(peer: Peer): void {
    this.#peers.delete(peer.id)
    this.#portions.delete(peer.id)
    this.#copiedAtMs.delete(peer.id)
  }

  /** Begins to send a neighbour every entry; the first portion at once. */
  sendCopies(peer: string, now: Now): readonly Parcel[] {
    const last = this.#copiedAtMs.get(peer) ?? -Infinity
    if (!this.#peers.has(peer) || now.monoMs - last < copiesEveryMs) return []
    this.#copiedAtMs.set(peer, now.monoMs)
    this.#portions.set(peer, { keys: this.#replica.keys(), dueMs: now.monoMs })
    return this.handleDeadline(now)
  }

  handleDeadline(now: Now): readonly Parcel[] {
    const parcels: Parcel[] = []
    for (const [peer, portions] of this.#portions) {
      if (portions.dueMs <= now.monoMs) this.#sendPortion(peer, portions, now, parcels)
    }
    return parcels
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { dueMs } of this.#portions.values()) next = Math.min(next, dueMs)
    return next
  }

  /** An old node was heard under an id in this form, or somebody who heard it says so. */
  noteOwner(owner: ByteText, form: OwnerForm, isHearsay: boolean): void {
    const known = this.#ownerForms.get(owner)
    if (known === form || (isHearsay && known !== undefined)) return
    this.#ownerForms.set(owner, form)
    forgetOldest(this.#ownerForms, maxOwners)
  }

  /** In which form old nodes know the author of a write; undefined when that cannot be told. */
  ownerForm(write: Write): OwnerForm | undefined {
    // An old node does not say what it knew.
    return write.knew === undefined ? this.#ownerForms.get(write.owner) : 'bytes'
  }

  /** The message with which an entry is told as its holder's. */
  copyMessage(
    key: ByteText,
    entry: { readonly value: Uint8Array; readonly holder: Write },
    now: Now,
  ): WireMessage {
    const from = { id: this.#ownId, time: Math.floor(now.utcSeconds) }
    const ownerForm = this.ownerForm(entry.holder)
    return createCopyMessage(key, { ...entry, ...(ownerForm && { ownerForm }) }, from)
  }

  /** Whether a broadcast may go to this neighbour. */
  mayPass(message: WireMessage, peer: Peer): boolean {
    if (message.payload[0] === blockFlag) return peer.supports(blockFeature)
    if (message.payload[2] !== null || peer.supports(compareFeature)) return true
    const read = readWrite(message)
    if (typeof read === 'string') return true
    return peer.kind !== 'js2p' && peer.kind !== 'unknown' && this.noteDelete(message, read)
  }

  /** Judges a delete before it is applied; the answer stays the same afterwards. */
  noteDelete(
    message: WireMessage,
    { key, write }: { readonly key: ByteText; readonly write: Write },
  ): boolean {
    const name = toHex(message.id)
    const known = this.#deletes.get(name)
    if (known !== undefined) return known
    const { holder, value } = this.#replica.state(key)
    const { rule } = this.#replica
    const takesAway =
      value !== undefined &&
      holder !== undefined &&
      compareWrites(holder, write, rule.leasing) < 0 &&
      mayTake(write, holder, rule)
    this.#deletes.set(name, takesAway)
    forgetOldest(this.#deletes, maxDeletes)
    return takesAway
  }

  #sendPortion(peer: string, portions: Portions, now: Now, parcels: Parcel[]): void {
    for (let bytes = 0; bytes < portionBytes;) {
      const next = portions.keys.next()
      if (next.done === true) {
        this.#portions.delete(peer)
        return
      }
      const { holder, value } = this.#replica.state(next.value)
      if (holder === undefined || value === undefined) continue
      const message = this.copyMessage(next.value, { value, holder }, now)
      bytes += message.body.length
      parcels.push({ peer, message })
    }
    portions.dueMs = now.monoMs + portionEveryMs
  }
}

function forgetOldest(remembered: Map<string, unknown>, most: number): void {
  const [oldest] = remembered.keys()
  if (remembered.size > most && oldest !== undefined) remembered.delete(oldest)
}
