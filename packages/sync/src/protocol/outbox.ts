/**
 * The writes of this node that wait for the end of the turn, so that those made together leave together.
 *
 * What counts is who listens: neighbours that read blocks get many writes in one message, everybody
 * else one message for each, as protocol 0.7 has it. A write that is alone goes to all as a plain store.
 */
import type { Now, Peer } from '@p2p/base'
import type { ByteText } from './byte-text.ts'
import { blockFeature } from './messages.ts'
import { maxBlockRecords } from './records.ts'
import type { WriteRecord } from './records.ts'
import type { Write } from './write.ts'

/** Bytes of keys and values after which the block does not wait for more. */
const fullBytes = 65_536

export class Outbox {
  /** Ids of the neighbours that read blocks. */
  readonly blockReaders: Set<string> = new Set()
  readonly #others = new Set<string>()
  #waiting: WriteRecord[] = []
  #waitingBytes = 0
  #dueMs = Infinity

  addNeighbour(peer: Peer): void {
    if (peer.supports(blockFeature)) this.blockReaders.add(peer.id)
    else this.#others.add(peer.id)
  }

  removeNeighbour(peer: Peer): void {
    this.blockReaders.delete(peer.id)
    this.#others.delete(peer.id)
  }

  /** True while there are neighbours that need a message for each write. */
  get hasOthers(): boolean {
    return this.#others.size > 0
  }

  /** Takes a write in. False when nobody is there who could get it: later neighbours compare. */
  add(key: ByteText, write: Write, now: Now): boolean {
    if (this.blockReaders.size === 0 && this.#others.size === 0) return false
    this.#waiting.push({ key, isBase: false, write })
    this.#waitingBytes += key.length + write.value.length
    const isFull = this.#waitingBytes >= fullBytes || this.#waiting.length >= maxBlockRecords
    // Nothing is gained by waiting when each write needs its own message.
    this.#dueMs = now.monoMs
    return isFull || this.blockReaders.size === 0
  }

  /** Everything that waits. */
  take(): readonly WriteRecord[] {
    const writes = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    this.#dueMs = Infinity
    return writes
  }

  /** The end of the turn in which something was written. */
  nextDeadline(): number {
    return this.#dueMs
  }
}
