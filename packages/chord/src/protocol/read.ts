/**
 * One read of a key, as an iterator over questions: it says which slot to ask of which holder, is told
 * the answers, and ends with a result. It sends nothing and knows no peer.
 *
 *   owners    of three tables at once, or of all; three equal values end the read
 *   others    the owners of the other tables, once those do not agree or are late; with their replicas when one
 *             has nothing, as then the key may not be there at all
 *   replicas  of a table whose owner had nothing, did not answer, or may have missed a write: all of them at once
 *   again     when everybody has answered and a nil may yet turn into a value, those are asked once more
 *   end       agreed · the newest version · no agreement · absent · unknown
 *
 * A table has a vote when its owner has answered, who is told of every write before it is acknowledged; without his
 * word when so many replicas have that one of them must have been told (write.ts), and then the newest counts.
 *
 * A nil is never a vote. From an old node it is provisional: one on the way says nil at once and sends
 * the value when it has it, and a store may still be under way to this node itself; so five nils end the
 * read only after a grace time. A tombstone of one of ours says that the key was deleted, and when.
 *
 * Source: spec/chord.md §6.2, §6.3, §12.10; research on reads after a crash. Shape: the iterative
 * queries of Kademlia implementations.
 */
import type { Slot } from './hash-tables.ts'
import type { Question } from './questions.ts'
import { compareVersions } from './version.ts'
import type { Version } from './version.ts'
import { countVotes, isSameValue, majority, majorityOf } from './vote.ts'
import type { Candidate } from './vote.ts'
import { replicasPerAcknowledgement } from './write.ts'

export interface ReadOptions {
  /** Five, one per table, each with its holders: the owner first. In the order in which they are to be asked. */
  readonly tables: readonly { readonly slot: Slot; readonly holders: readonly string[] }[]
  /** Whether a nil of this holder may yet become a value. */
  readonly isProvisional: (holder: string) => boolean
  /** Tables that are asked first … */
  readonly first: number
  /** … and for so long before the others. */
  readonly patienceMs: number
  readonly startMs: number
  /** For the whole read. */
  readonly timeoutMs: number
  /** How long values may come after everybody has answered, while a nil is provisional. */
  readonly graceMs: number
  /** Pause before those that said nil are asked again. */
  readonly retryMs: number
}

export interface Answer {
  /** msgpack; undefined is a nil, or a tombstone when there is a version. */
  readonly value: Uint8Array | undefined
  /** Known when a node of ours answered. */
  readonly version?: Version | undefined
  /** It may have missed a later write. */
  readonly isUnsure?: boolean | undefined
}

export type ReadResult =
  | {
      readonly type: 'found'
      readonly value: Uint8Array
      /** Of the newest write with this value, where one is known. */
      readonly version: Version | undefined
      /** Slots that hold nothing or something else and should be written again. */
      readonly stale: readonly Slot[]
    }
  | { readonly type: 'absent' }
  /** Fewer than three tables have answered, and none with a value. */
  | { readonly type: 'unknown' }
  /** Some tables hold values, but no three the same and none has a version. */
  | { readonly type: 'no-agreement'; readonly candidates: readonly Candidate[] }

/** A handful of holders each: lists, because sets cost more to make than to search. */
interface Table {
  readonly slot: Slot
  readonly holders: readonly string[]
  /** Asked, and not answered yet. */
  readonly waiting: string[]
  /** Holders that said nil. */
  readonly empty: string[]
  best: Answer | undefined
  hasOwnersWord: boolean
  hasAskedReplicas: boolean
}

export class Read {
  readonly #options: ReadOptions
  readonly #endMs: number
  readonly #tables: readonly Table[]
  #askedCount: number
  #patienceEndMs: number
  /** Set once everybody has answered: when it is over without a majority. */
  #graceEndMs = Infinity
  #retryAtMs = Infinity
  #result: ReadResult | undefined

  constructor(options: ReadOptions) {
    this.#options = options
    const { startMs, timeoutMs, first, patienceMs } = options
    this.#endMs = startMs + timeoutMs
    this.#askedCount = first
    this.#patienceEndMs = first < options.tables.length ? startMs + patienceMs : Infinity
    this.#tables = options.tables.map(({ slot, holders }) => ({
      slot,
      holders,
      waiting: [],
      empty: [],
      best: undefined,
      hasOwnersWord: false,
      hasAskedReplicas: false,
    }))
  }

  get result(): ReadResult | undefined {
    return this.#result
  }

  /** Monotonic ms at which `handleDeadline` has something to do; Infinity when the read has ended. */
  nextDeadline(): number {
    if (this.#result !== undefined) return Infinity
    return Math.min(this.#endMs, this.#patienceEndMs, this.#graceEndMs, this.#retryAtMs)
  }

  /** The first questions. */
  start(): readonly Question[] {
    return this.#tables.slice(0, this.#askedCount).flatMap((table) => ask(table, ownerOf(table)))
  }

  /** Takes an answer; ends the read when three tables agree. Returns what is to be asked because of it. */
  handleAnswer(name: string, holder: string, answer: Answer, nowMs: number): readonly Question[] {
    const table = this.#tables.find(({ slot }) => slot.name === name)
    if (table === undefined || this.#result !== undefined) return []
    if (!table.holders.includes(holder)) return []
    takeOut(table.waiting, holder)
    if (isNil(answer)) {
      if (!table.empty.includes(holder)) table.empty.push(holder)
    } else {
      if (holder === table.holders[0] && answer.isUnsure !== true) table.hasOwnersWord = true
      if (table.best === undefined || isBetter(answer, table.best)) table.best = answer
    }
    return this.#goOn(table, nowMs)
  }

  /** A holder cannot be reached. */
  handleFailed(name: string, holder: string, nowMs: number): readonly Question[] {
    const table = this.#tables.find(({ slot }) => slot.name === name)
    if (table === undefined || this.#result !== undefined) return []
    if (!takeOut(table.waiting, holder)) return []
    return this.#goOn(table, nowMs)
  }

  /** Asks again, or ends the read. */
  handleDeadline(nowMs: number): readonly Question[] {
    if (this.#result !== undefined) return []
    if (nowMs >= Math.min(this.#endMs, this.#graceEndMs)) {
      this.#result = this.#conclude()
      return []
    }
    if (nowMs >= this.#patienceEndMs) return this.#askOthers(false)
    if (nowMs < this.#retryAtMs) return []
    this.#retryAtMs = nowMs + this.#options.retryMs
    return this.#tables
      .filter(({ best }) => best === undefined)
      .flatMap((table) => ask(table, table.empty))
  }

  #goOn(table: Table, nowMs: number): readonly Question[] {
    const agreed = majorityOf(this.#votes)
    if (agreed !== undefined) {
      this.#result = this.#found(agreed.value)
      return []
    }
    const questions: Question[] = []
    if (table.best?.value === undefined || !this.#isWaiting())
      questions.push(...this.#askOthers(table.empty.length > 0))
    if (!table.hasOwnersWord && table.waiting.length === 0 && !table.hasAskedReplicas) {
      table.hasAskedReplicas = true
      questions.push(...ask(table, table.holders.slice(1)))
    }
    if (questions.length > 0) return questions
    if (this.#graceEndMs !== Infinity || this.#isWaiting()) return []
    if (!this.#isProvisional()) this.#result = this.#conclude()
    else {
      this.#graceEndMs = nowMs + this.#options.graceMs
      this.#retryAtMs = nowMs + this.#options.retryMs
    }
    return []
  }

  /** Those that were held back. */
  #askOthers(withReplicas: boolean): readonly Question[] {
    const others = this.#tables.slice(this.#askedCount)
    this.#askedCount = this.#tables.length
    this.#patienceEndMs = Infinity
    return others.flatMap((table) => {
      table.hasAskedReplicas = withReplicas
      return ask(table, withReplicas ? table.holders : ownerOf(table))
    })
  }

  #isWaiting(): boolean {
    return this.#tables.some(({ waiting }) => waiting.length > 0)
  }

  #isProvisional(): boolean {
    const { isProvisional } = this.#options
    return this.#tables.some(({ best, empty }) => best === undefined && empty.some(isProvisional))
  }

  /** The best answer of each table that gave one. */
  get #heard(): readonly Answer[] {
    return this.#tables.flatMap(({ best }) => best ?? [])
  }

  get #votes(): readonly (Uint8Array | undefined)[] {
    const votes: (Uint8Array | undefined)[] = []
    for (const table of this.#tables) if (hasVote(table)) votes.push(table.best?.value)
    return votes
  }

  #conclude(): ReadResult {
    const candidates = countVotes(this.#heard.map(({ value }) => value))
    if (candidates.length === 0) {
      const tables = this.#tables
      const heard = tables.filter(({ best, empty }) => best !== undefined || empty.length > 0)
      return { type: heard.length < majority ? 'unknown' : 'absent' }
    }
    let newest: Answer | undefined
    for (const answer of this.#heard) {
      if (answer.version === undefined) continue
      if (newest === undefined || isBetter(answer, newest)) newest = answer
    }
    if (newest === undefined) return { type: 'no-agreement', candidates }
    return newest.value === undefined ? { type: 'absent' } : this.#found(newest.value)
  }

  /** Of those that are one to the vote, the newest. */
  #found(agreed: Uint8Array): ReadResult {
    let value = agreed
    let version: Version | undefined
    const stale: Slot[] = []
    for (const { slot, best, empty } of this.#tables) {
      const isEqual = best?.value !== undefined && isSameValue(best.value, agreed)
      // A table that has not answered yet is not stale; nothing is known of it.
      if (!isEqual && (best !== undefined || empty.length > 0)) stale.push(slot)
      if (!isEqual || best.version === undefined) continue
      if (version !== undefined && compareVersions(best.version, version) <= 0) continue
      version = best.version
      value = best.value
    }
    return { type: 'found', value, version, stale }
  }
}

/** Without the owner's word: those who have not answered are fewer than the replicas that an acknowledged write has. */
function hasVote({ holders, waiting, hasOwnersWord, hasAskedReplicas }: Table): boolean {
  const replicas = Math.min(holders.length - 1, replicasPerAcknowledgement)
  return hasOwnersWord || (hasAskedReplicas && waiting.length < Math.max(replicas, 1))
}

function ownerOf({ holders }: Table): readonly string[] {
  return holders.slice(0, 1)
}

/** False when it is not in the list. */
function takeOut(holders: string[], holder: string): boolean {
  const at = holders.indexOf(holder)
  return at >= 0 && holders.splice(at, 1).length > 0
}

function ask({ slot, waiting }: Table, all: readonly string[]): readonly Question[] {
  const holders = all.filter((holder) => !waiting.includes(holder))
  waiting.push(...holders)
  return holders.length === 0 ? [] : [{ slot, holders }]
}

function isNil({ value, version }: Answer): boolean {
  return value === undefined && version === undefined
}

/** A later version beats an earlier or none; between two without, the newer answer stands. */
function isBetter(answer: Answer, before: Answer): boolean {
  if (answer.version === undefined) return before.version === undefined
  return before.version === undefined || compareVersions(answer.version, before.version) > 0
}
