/**
 * One read of a key, as an iterator over questions: it says which slot to ask of which holder, is told
 * the answers, and ends with a result. It sends nothing and knows no peer.
 *
 *   owners    all five at once; three equal values end the read
 *   replicas  when five answers or the time for owners brought no majority: the next holders of every
 *             table that has not shown a value, one rank after the other
 *   end       agreed · the newest version among candidates · no agreement · absent
 *
 * A nil is provisional. An old node on the way says nil at once and sends the value when it has it, so
 * a table that said nil may still say more; only when all five say nil does a short grace time end the
 * wait. A value is never replaced by a later nil.
 *
 * Source: spec/chord.md §6.2, §6.3, §12.10; research on reads after a crash. Shape: the iterative
 * queries of Kademlia implementations.
 */
import type { Slot } from './hash-tables.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'
import { countVotes, isSameValue, majority } from './vote.ts'
import type { Candidate } from './vote.ts'

export interface ReadOptions {
  /** Five, one per table. */
  readonly slots: readonly Slot[]
  /** Holders behind each owner that can be asked; 0 where only owners are known. */
  readonly replicaCount: number
  readonly startMs: number
  /** For the whole read. */
  readonly timeoutMs: number
  /** Wait for values after five nils, and for answers of one rank of replicas. */
  readonly graceMs: number
}

/** Asks holder number `rank` of the slot; 0 is the owner. */
export interface Question {
  readonly slot: Slot
  readonly rank: number
}

export interface Answer {
  /** msgpack; undefined is a nil. */
  readonly value: Uint8Array | undefined
  /** Known when a node of ours answered. */
  readonly version?: Version | undefined
}

export type ReadResult =
  | {
      readonly type: 'found'
      readonly value: Uint8Array
      /** `majority`: three tables agree. `version`: the newest of values that do not agree. */
      readonly by: 'majority' | 'version'
      /** Slots that hold nothing or something else and should be written again. */
      readonly stale: readonly Slot[]
    }
  | { readonly type: 'absent' }
  /** Some tables hold values, but no three the same and none has a version. */
  | { readonly type: 'no-agreement'; readonly candidates: readonly Candidate[] }

export class Read {
  readonly #options: ReadOptions
  readonly #endMs: number
  /** The best answer of each table, by slot text. */
  readonly #answers = new Map<string, Answer>()
  #rank = 0
  #rankEndMs: number
  #result: ReadResult | undefined

  constructor(options: ReadOptions) {
    this.#options = options
    this.#endMs = options.startMs + options.timeoutMs
    this.#rankEndMs = this.#endMs
    // Owners get most of the time, as they may be several hops away; replicas are one hop away.
    if (options.replicaCount > 0) {
      this.#rankEndMs = Math.max(
        options.startMs + options.timeoutMs / 2,
        this.#endMs - options.replicaCount * options.graceMs,
      )
    }
  }

  get result(): ReadResult | undefined {
    return this.#result
  }

  /** Monotonic ms at which `handleDeadline` has something to do; Infinity when the read has ended. */
  nextDeadline(): number {
    return this.#result === undefined ? this.#rankEndMs : Infinity
  }

  /** The first questions. */
  start(): readonly Question[] {
    return this.#options.slots.map((slot) => ({ slot, rank: 0 }))
  }

  /** Takes an answer for a slot; ends the read when three tables agree. Others are ignored. */
  handleAnswer(slotText: string, answer: Answer, nowMs: number): void {
    if (this.#result !== undefined) return
    if (!this.#options.slots.some((slot) => slot.slotText === slotText)) return
    const before = this.#answers.get(slotText)
    if (before === undefined || isBetter(answer, before)) this.#answers.set(slotText, answer)
    const [first] = this.#candidates()
    if (first !== undefined && first.count >= majority) {
      this.#result = this.#found(first.value, 'majority')
    } else if (this.#answers.size === this.#options.slots.length) {
      this.#rankEndMs = Math.min(this.#rankEndMs, nowMs + this.#options.graceMs)
    }
  }

  /** Goes on to the next rank of replicas, or ends the read. */
  handleDeadline(nowMs: number): readonly Question[] {
    if (this.#result !== undefined || nowMs < this.#rankEndMs) return []
    if (this.#rank >= this.#options.replicaCount || nowMs >= this.#endMs) {
      this.#result = this.#conclude()
      return []
    }
    this.#rank += 1
    this.#rankEndMs = Math.min(nowMs + this.#options.graceMs, this.#endMs)
    return this.#options.slots
      .filter((slot) => this.#answers.get(slot.slotText)?.value === undefined)
      .map((slot) => ({ slot, rank: this.#rank }))
  }

  #candidates(): readonly Candidate[] {
    return countVotes(this.#options.slots.map((slot) => this.#answers.get(slot.slotText)?.value))
  }

  #conclude(): ReadResult {
    const candidates = this.#candidates()
    if (candidates.length === 0) return { type: 'absent' }
    const newest = this.#newest()
    return newest === undefined
      ? { type: 'no-agreement', candidates }
      : this.#found(newest, 'version')
  }

  #newest(): Uint8Array | undefined {
    let newest: Answer | undefined
    for (const answer of this.#answers.values()) {
      if (answer.value !== undefined && (newest === undefined || isBetter(answer, newest))) {
        newest = answer
      }
    }
    return newest?.version === undefined ? undefined : newest.value
  }

  #found(value: Uint8Array, by: 'majority' | 'version'): ReadResult {
    const stale = this.#options.slots.filter((slot) => {
      const held = this.#answers.get(slot.slotText)
      // A table that has not answered yet is not stale; nothing is known of it.
      if (held === undefined) return false
      return held.value === undefined || !isSameValue(held.value, value)
    })
    return { type: 'found', value, by, stale }
  }
}

/** A value beats a nil; a later version beats an earlier or none; otherwise the newer answer stands. */
function isBetter(answer: Answer, before: Answer): boolean {
  if (answer.value === undefined) return false
  if (before.value === undefined || before.version === undefined) return true
  return answer.version !== undefined && compareVersions(answer.version, before.version) > 0
}
