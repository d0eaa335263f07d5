/**
 * The dictionary of one node: for each key the writes known of it and the state they amount to.
 *
 * `merge` is the only way in, for writes of our own and of others, live or from another node's
 * memory. It may be called with any write, in any order and any number of times; nodes that were told
 * the same writes hold the same state (replay.ts says why). It answers with what changed and with the
 * writes that were lost without their author's knowledge.
 *
 * Values stay the bytes they came in.
 */
import type { ByteText } from './byte-text.ts'
import { fold, foldCut, normalForm } from './fold.ts'
import type { WriteLog } from './fold.ts'
import { absent, lostWrites, replay } from './replay.ts'
import type { KeyState, Rule } from './replay.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import {
  compareWrites,
  covers,
  isSameWrite,
  joinCopies,
  knowledgeOf,
  nothingSeen,
} from './write.ts'
import type { Write, WriteKind } from './write.ts'

/**
 * How a write came: `live` as it was made, `copy` as the visible state of an old node, `record` from
 * the memory of a node of ours, where a `base` stands for older writes folded into it.
 */
export type Origin = 'live' | 'copy' | 'record' | 'base'

export interface Change {
  readonly key: ByteText
  readonly before: KeyState
  readonly after: KeyState
  /** Writes that are lost now and were not before, or were not known. */
  readonly lost: readonly Write[]
}

/** Why a write was not taken in. */
export type Refusal =
  'known' | 'outdated' | 'ahead' | 'too-many-keys' | 'too-many-writes' | 'too-large'

export type MergeResult =
  | { readonly type: 'merged'; readonly change: Change }
  | { readonly type: 'refused'; readonly reason: Refusal }

interface Entry {
  log: WriteLog
  state: KeyState
}

export class Replica {
  readonly rule: Rule
  readonly #limits: ReplicaLimits
  readonly #entries = new Map<ByteText, Entry>()
  #size = 0
  #touched = new Set<ByteText>()

  constructor(rule: Rule, limits: ReplicaLimits) {
    this.rule = rule
    this.#limits = limits
  }

  /** Number of keys that have a value. */
  get size(): number {
    return this.#size
  }

  /** Number of keys of which anything is known, deleted ones with them. */
  get knownCount(): number {
    return this.#entries.size
  }

  state(key: ByteText): KeyState {
    return this.#entries.get(key)?.state ?? absent
  }

  log(key: ByteText): WriteLog | undefined {
    return this.#entries.get(key)?.log
  }

  /** Keys that have a value, in the order in which this node first heard of them. */
  *keys(): IterableIterator<ByteText> {
    for (const [key, { state }] of this.#entries) if (state.value !== undefined) yield key
  }

  /** All keys of which anything is known. */
  knownKeys(): IterableIterator<ByteText> {
    return this.#entries.keys()
  }

  /** The keys whose logs changed since the last call. */
  takeTouched(): ReadonlySet<ByteText> {
    const touched = this.#touched
    this.#touched = new Set()
    return touched
  }

  /**
   * The next write of this node: stamped so that it comes after everything known of the key, also
   * when our clock is behind the clocks of others. Whether the lease allows it is for the caller to ask.
   */
  compose(
    key: ByteText,
    fields: { readonly kind: WriteKind; readonly value: Uint8Array },
    by: { readonly owner: ByteText; readonly utcSeconds: number },
  ): Write {
    const { owner } = by
    let time = Math.floor(by.utcSeconds)
    const entry = this.#entries.get(key)
    if (entry === undefined) return { ...fields, owner, time, sequence: 0, knew: nothingSeen }
    const { writes } = entry.log
    const { holder } = entry.state
    if (holder !== undefined) time = Math.max(time, holder.time + (holder.owner === owner ? 0 : 1))
    let sequence = 0
    for (const write of writes) {
      if (write.owner !== owner) continue
      if (write.time > time) [time, sequence] = [write.time, write.sequence + 1]
      else if (write.time === time) sequence = Math.max(sequence, write.sequence + 1)
    }
    return { ...fields, owner, time, sequence, knew: knowledgeOf(writes, owner) }
  }

  merge(key: ByteText, incoming: Write, origin: Origin, utcSeconds: number): MergeResult {
    const entry = this.#entries.get(key)
    const refusal = this.#refusal(key, incoming, utcSeconds)
    if (refusal !== undefined) return { type: 'refused', reason: refusal }
    if (entry === undefined) return this.#create(key, incoming, utcSeconds)

    const cut = foldCut(utcSeconds, this.rule)
    const before = entry.state
    const log = fold(entry.log, cut, this.rule)
    const joined = this.#join(log, incoming, origin, cut)
    if (typeof joined === 'string') {
      if (log !== entry.log) this.#settle(key, entry, log)
      return { type: 'refused', reason: joined }
    }
    const lost = this.#newlyLost(entry, joined, incoming)
    this.#settle(key, entry, normalForm(joined, this.rule))
    return { type: 'merged', change: { key, before, after: entry.state, lost } }
  }

  /** Puts back what was kept of a key; used once, before anything is merged. */
  restore(key: ByteText, log: WriteLog): void {
    const state = replay(log.writes, this.rule)
    if (log.writes.length === 0 || this.#entries.has(key)) return
    this.#entries.set(key, { log, state })
    if (state.value !== undefined) this.#size++
    this.#touched.add(key)
  }

  /** Folds old writes and forgets old deletes; returns the keys whose logs changed or are gone. */
  sweep(utcSeconds: number): readonly ByteText[] {
    const cut = foldCut(utcSeconds, this.rule)
    const changed: ByteText[] = []
    for (const [key, entry] of this.#entries) {
      const log = fold(entry.log, cut, this.rule)
      if (this.#isForgettable(log, utcSeconds)) {
        this.#entries.delete(key)
        this.#touched.add(key)
        changed.push(key)
      } else if (log !== entry.log) {
        if (log.writes.length !== entry.log.writes.length) changed.push(key)
        this.#settle(key, entry, log)
      }
    }
    return changed
  }

  #refusal(key: ByteText, write: Write, utcSeconds: number): Refusal | undefined {
    if (write.time > utcSeconds + this.#limits.maxAheadSeconds) return 'ahead'
    if (key.length + write.value.length > this.#limits.maxEntryBytes) return 'too-large'
    if (this.#entries.has(key)) return undefined
    if (this.#entries.size >= this.#limits.maxKeys) return 'too-many-keys'
    // A delete that every other node has forgotten by now.
    if (write.kind === 'delete' && this.#isOldDelete(write, utcSeconds)) return 'outdated'
    return undefined
  }

  #create(key: ByteText, write: Write, utcSeconds: number): MergeResult {
    const folded = write.time < foldCut(utcSeconds, this.rule)
    const log = { writes: [write], folded }
    const after = replay(log.writes, this.rule)
    this.#entries.set(key, { log, state: after })
    if (after.value !== undefined) this.#size++
    this.#touched.add(key)
    return { type: 'merged', change: { key, before: absent, after, lost: [] } }
  }

  /** The log with the write in it, or why it stays out. */
  #join(log: WriteLog, incoming: Write, origin: Origin, cut: number): WriteLog | Refusal {
    const { writes, folded } = log
    const leasing = this.rule.leasing
    if (incoming.time < cut && origin !== 'copy' && origin !== 'base') return 'outdated'
    const base = folded ? writes[0] : undefined
    const isBase = incoming.time < cut
    if (base !== undefined && compareWrites(incoming, base, leasing) <= 0) return 'outdated'
    if (isBase) {
      const later = writes.filter((w) => w !== base && compareWrites(w, incoming, leasing) > 0)
      return { writes: [incoming, ...later], folded: true }
    }
    const known = writes.findIndex((write) => isSameWrite(write, incoming))
    if (known >= 0) return this.#rejoin(log, known, incoming)
    if (writes.length >= this.#limits.maxWritesPerKey) return 'too-many-writes'
    const write = origin === 'live' ? numberArrival(writes, incoming) : incoming
    const last = writes.at(-1)
    if (last !== undefined && compareWrites(last, write, leasing) < 0) {
      return { writes: [...writes, write], folded }
    }
    const sorted = [...writes, write].sort((a, b) => compareWrites(a, b, leasing))
    return { writes: sorted, folded }
  }

  #rejoin(log: WriteLog, at: number, incoming: Write): WriteLog | Refusal {
    const known = log.writes[at]
    const write = known === undefined ? incoming : joinCopies(known, incoming)
    if (write === known) return 'known'
    const writes = log.writes.with(at, write)
    return {
      writes: writes.sort((a, b) => compareWrites(a, b, this.rule.leasing)),
      folded: log.folded,
    }
  }

  /** Writes that are lost in `joined` and were known and not lost before, or are new. */
  #newlyLost(entry: Entry, joined: WriteLog, incoming: Write): readonly Write[] {
    const only = entry.log.writes.length === 1 ? entry.log.writes[0] : undefined
    const last = joined.writes.at(-1)
    if (only !== undefined && last !== undefined && isSameWrite(last, incoming)) {
      // The usual case: one write, replaced by one that knew it.
      if (covers(last, only) && last.kind !== 'delta' && last.owner === only.owner) return []
    }
    const state = replay(joined.writes, this.rule)
    // A base that gave way to a later one is no longer in the log, but may be lost all the same.
    const known = [...joined.writes]
    for (const write of entry.log.writes) {
      if (!known.some((other) => isSameWrite(other, write))) known.push(write)
    }
    const before = lostWrites(entry.log.writes, entry.state)
    return lostWrites(known, state).filter(
      (write) => !before.some((other) => isSameWrite(other, write)),
    )
  }

  #settle(key: ByteText, entry: Entry, log: WriteLog): void {
    const had = entry.state.value !== undefined
    entry.log = log
    entry.state = replay(log.writes, this.rule)
    const has = entry.state.value !== undefined
    if (had !== has) this.#size += has ? 1 : -1
    this.#touched.add(key)
  }

  #isForgettable({ writes }: WriteLog, utcSeconds: number): boolean {
    const only = writes.length === 1 ? writes[0] : undefined
    return only?.kind === 'delete' && this.#isOldDelete(only, utcSeconds)
  }

  #isOldDelete(write: Write, utcSeconds: number): boolean {
    return write.time < utcSeconds - this.#limits.tombstoneSeconds
  }
}

/**
 * Old nodes do not number their writes of one second; the order in which they arrive is the best there
 * is. Where two nodes number differently, the larger number wins when they meet (`joinCopies`).
 */
function numberArrival(writes: readonly Write[], incoming: Write): Write {
  if (incoming.knew !== undefined) return incoming
  let sequence = incoming.sequence
  for (const { owner, time, sequence: taken } of writes) {
    if (owner === incoming.owner && time === incoming.time && taken >= sequence)
      sequence = taken + 1
  }
  return sequence === incoming.sequence ? incoming : { ...incoming, sequence }
}
