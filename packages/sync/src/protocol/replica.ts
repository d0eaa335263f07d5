/**
 * The dictionary of one node: for each key the writes known of it and the state they amount to.
 *
 * `merge` is the only way in, for writes of our own and of others, live or from another node's
 * memory. It may be called with any write, in any order and any number of times; nodes that were told
 * the same writes hold the same state (replay.ts says why). It answers with what changed and with the
 * writes that were lost without their author's knowledge.
 *
 * Values stay the bytes they came in. Longer than other files, because every check that a write passes on
 * its way into a log is here.
 */
import type { ByteText } from './byte-text.ts'
import { mergeMappings } from './delta.ts'
import { fold, foldCut, normalForm } from './fold.ts'
import type { WriteLog } from './fold.ts'
import { absent, lostWrites, replay } from './replay.ts'
import type { KeyState, Rule } from './replay.ts'
import { maxOwnerBytes } from './replica-limits.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import { knowledgeFor } from './tenure.ts'
import {
  compareWrites,
  isSameWrite,
  joinCopies,
  maxSequence,
  nothingSeen,
  seenOf,
} from './write.ts'
import type { Seen, Write, WriteKind } from './write.ts'

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
  | 'known'
  | 'outdated'
  | 'ahead'
  | 'too-many-keys'
  | 'too-many-writes'
  | 'too-many-bytes'
  | 'too-large'

/** Writes that are to be taken in together, or none of them. */
export interface Batch {
  /** Keys that are not known, that of the next write included. */
  newKeys: number
  /** What those so far add to the dictionary; counted on by `refusal`. */
  bytes: number
}

export type MergeResult =
  | { readonly type: 'merged'; readonly change: Change }
  | { readonly type: 'refused'; readonly reason: Refusal }

/** A key of which more than one write is known, or of which older ones were folded. */
class Entry {
  readonly log: WriteLog
  readonly state: KeyState
  /** Losses that were told, of which the log may know no more. */
  readonly told: readonly Seen[]

  constructor(log: WriteLog, rule: Rule, told: readonly Seen[]) {
    this.log = log
    this.told = told
    this.state = replay(log.writes, rule)
  }
}

/**
 * What is kept of a key. Most keys have been written once: of them the write is kept, which is all
 * there is to know, and half the memory.
 */
type Kept = Write | Entry

export class Replica {
  readonly rule: Rule
  readonly #limits: ReplicaLimits
  readonly #entries = new Map<ByteText, Kept>()
  #size = 0
  #bytes = 0
  #touched = new Set<ByteText>()

  constructor(rule: Rule, limits: ReplicaLimits) {
    this.rule = { ...rule, maxEntryBytes: limits.maxEntryBytes }
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

  /** Bytes of all keys and of the values of all known writes. */
  get bytes(): number {
    return this.#bytes
  }

  state(key: ByteText): KeyState {
    const kept = this.#entries.get(key)
    return kept === undefined ? absent : this.#stateOf(kept)
  }

  /** The msgpack value of a key; undefined when it has none. */
  value(key: ByteText): Uint8Array | undefined {
    const kept = this.#entries.get(key)
    if (kept === undefined || kept instanceof Entry) return kept?.state.value
    return kept.kind === 'set' ? kept.value : this.#stateOf(kept).value
  }

  /** The last accepted write of a key: its owner holds it. */
  holder(key: ByteText): Write | undefined {
    const kept = this.#entries.get(key)
    // The first write of a key is accepted, whatever it is.
    return kept instanceof Entry ? kept.state.holder : kept
  }

  log(key: ByteText): WriteLog | undefined {
    const kept = this.#entries.get(key)
    return kept && logOf(kept)
  }

  /** Keys that have a value, in the order in which this node first heard of them. */
  *keys(): IterableIterator<ByteText> {
    for (const [key, kept] of this.#entries) {
      if (this.#stateOf(kept).value !== undefined) yield key
    }
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
    const { kind } = fields
    let { value } = fields
    let time = Math.floor(by.utcSeconds)
    const kept = this.#entries.get(key)
    if (kept === undefined) return { kind, owner, time, sequence: 0, value, knew: nothingSeen }
    const { writes } = logOf(kept)
    const holder = kept instanceof Entry ? kept.state.holder : kept
    // A delete stands behind what was refused, too, or that would get the key.
    const last =
      kind === 'delete'
        ? writes.findLast((write) => write.time < time + this.#limits.maxAheadSeconds)
        : holder
    if (last !== undefined) time = Math.max(time, last.time + (last.owner === owner ? 0 : 1))
    let sequence = 0
    for (const write of writes) {
      if (write.owner !== owner) continue
      if (write.time > time) [time, sequence] = [write.time, write.sequence + 1]
      else if (write.time === time) sequence = Math.max(sequence, write.sequence + 1)
    }
    if (sequence > maxSequence) [time, sequence] = [time + 1, 0]
    const before = this.value(key)
    if (
      kind === 'delta' &&
      before !== undefined &&
      writes.length >= this.#limits.maxWritesPerKey / 2
    ) {
      // One that says what all before it said takes their place.
      value = mergeMappings([before, value])
    }
    const write: Write = { kind, owner, time, sequence, value, knew: nothingSeen }
    return { ...write, knew: knowledgeFor(write, writes, holder, this.rule) }
  }

  merge(key: ByteText, incoming: Write, origin: Origin, utcSeconds: number): MergeResult {
    const joined = this.#join(key, incoming, origin, { utcSeconds })
    if (typeof joined === 'string') return { type: 'refused', reason: joined }
    const kept = this.#entries.get(key)
    const known = kept && logOf(kept)
    const before = this.state(key)
    const log = this.#reduce(joined, known)
    if (log === undefined) return { type: 'refused', reason: 'too-many-writes' }
    if (this.#isTooMuch(this.#added(key, log))) return { type: 'refused', reason: 'too-many-bytes' }
    const isSame =
      log.writes.length === known?.writes.length &&
      log.writes.every((write, at) => write === known.writes[at])
    const after = isSame ? before : this.#settle(key, before, log)
    const told = toldOf(kept)
    const lost = this.#newlyLost({ log: known, state: before }, joined, incoming, after).filter(
      (write) => !told.some((seen) => isSeen(write, seen)),
    )
    if (lost.length > 0) {
      const all = [...told, ...lost.map(seenOf)].slice(-maxTold)
      this.#entries.set(key, new Entry(log, this.rule, all))
    } else if (isSame) return { type: 'refused', reason: 'outdated' }
    return { type: 'merged', change: { key, before, after, lost } }
  }

  /** Why a write of this node would not be taken in; undefined when it would. */
  refusal(key: ByteText, write: Write, utcSeconds: number, batch: Batch): Refusal | undefined {
    const joined = this.#join(key, write, 'live', { utcSeconds, newKeys: batch.newKeys })
    if (typeof joined === 'string') return joined
    const log = this.#reduce(joined, this.log(key))
    if (log === undefined) return 'too-many-writes'
    batch.bytes += this.#added(key, log)
    if (this.#isTooMuch(batch.bytes)) return 'too-many-bytes'
    if (write.kind !== 'delta') return undefined
    const { holder, parts } = replay(joined.writes, this.rule)
    return parts.at(-1) === holder ? undefined : 'too-large'
  }

  /** Puts back what was kept of a key; used once, before anything is merged. */
  restore(key: ByteText, log: WriteLog): void {
    if (log.writes.length === 0 || this.#entries.has(key)) return
    this.#settle(key, absent, log)
  }

  /** Folds old writes and forgets old deletes; returns the keys whose logs changed or are gone. */
  sweep(utcSeconds: number): readonly ByteText[] {
    const cut = foldCut(utcSeconds, this.rule)
    const changed: ByteText[] = []
    for (const [key, kept] of this.#entries) {
      const known = logOf(kept)
      const log = fold(known, cut, this.rule)
      if (this.#isForgettable(log, utcSeconds)) {
        this.#bytes += this.#added(key, undefined)
        this.#entries.delete(key)
        this.#touched.add(key)
        changed.push(key)
      } else if (log !== known) {
        if (log.writes.length !== known.writes.length) changed.push(key)
        this.#settle(key, this.#stateOf(kept), log)
      }
    }
    return changed
  }

  /** The log with the write in it, or why it stays out. */
  #join(
    key: ByteText,
    incoming: Write,
    origin: Origin,
    { utcSeconds, newKeys = 1 }: { readonly utcSeconds: number; readonly newKeys?: number },
  ): WriteLog | Refusal {
    const { owner, time, sequence, value } = incoming
    const { maxAheadSeconds, maxEntryBytes } = this.#limits
    if (time > utcSeconds + maxAheadSeconds || sequence > maxSequence) return 'ahead'
    // Deltas make the value of a base; by itself it may be as large as an entry.
    const entryBytes = value.length + (origin === 'base' ? 0 : key.length)
    if (entryBytes > maxEntryBytes || owner.length > maxOwnerBytes) return 'too-large'
    // Whoever tells us of a single write has not swept yet, or by another clock.
    const cut = foldCut(utcSeconds - (origin === 'base' ? 0 : sweepLagSeconds), this.rule)
    const isOld = time < cut
    const kept = this.#entries.get(key)
    if (kept === undefined) {
      if (this.#entries.size + newKeys > this.#limits.maxKeys) return 'too-many-keys'
      // A delete that every other node has forgotten by now.
      const isForgotten = incoming.kind === 'delete' && this.#isOldDelete(incoming, utcSeconds)
      return isForgotten ? 'outdated' : { writes: [incoming], folded: isOld }
    }
    const { writes, folded } = fold(logOf(kept), cut, this.rule)
    const leasing = this.rule.leasing
    if (isOld && origin !== 'copy' && origin !== 'base') return 'outdated'
    const base = folded ? writes[0] : undefined
    // An old node stamps all its fields with the last delta, also those it has instead of what it missed.
    if (origin === 'copy' && writes[0]?.kind !== 'delta') {
      const isMerged = (one: Write): boolean => one.kind === 'delta' || one === base
      const isStamped = writes.some((w) => w.owner === owner && w.time === time && isMerged(w))
      if (isStamped) return 'known'
    }
    const order = base === undefined ? 1 : compareWrites(incoming, base, leasing)
    if (order === 0) return this.#rejoin({ writes, folded }, 0, incoming)
    if (order < 0) return 'outdated'
    if (isOld) {
      const later = writes.filter((w) => w !== base && compareWrites(w, incoming, leasing) > 0)
      return { writes: [incoming, ...later], folded: true }
    }
    const known = writes.findIndex((write) => isSameWrite(write, incoming))
    if (known >= 0) return this.#rejoin({ writes, folded }, known, incoming)
    const write = origin === 'live' ? numberArrival(writes, incoming) : incoming
    const all = [...writes, write]
    const last = writes.at(-1)
    if (last !== undefined && compareWrites(last, write, leasing) > 0) {
      all.sort((a, b) => compareWrites(a, b, leasing))
    }
    return { writes: all, folded }
  }

  /**
   * The normal form; undefined when the log is full. Writes that were refused make room for others, the
   * last one first, so that nodes that heard them in another order keep the same.
   */
  #reduce(joined: WriteLog, known: WriteLog | undefined): WriteLog | undefined {
    const log = normalForm(joined, this.rule)
    const room = Math.max(this.#limits.maxWritesPerKey, known?.writes.length ?? 0)
    const excess = log.writes.length - room
    if (excess <= 0) return log
    const refused = new Set<Write>()
    replay(log.writes, this.rule, refused)
    const dropped = new Set([...refused].slice(-excess))
    const writes = log.writes.filter((write) => !dropped.has(write))
    const isOnlyKnown = writes.every((write) => known?.writes.includes(write))
    return isOnlyKnown || writes.length > room ? undefined : { writes, folded: log.folded }
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

  /**
   * Writes that are lost now and were known and not lost before, or are new: parts of the former value,
   * and what came. Nothing else can be: what was refused or replaced is lost or covered for good.
   */
  #newlyLost(
    before: { readonly log: WriteLog | undefined; readonly state: KeyState },
    joined: WriteLog,
    incoming: Write,
    after: KeyState,
  ): readonly Write[] {
    if (before.log === undefined) return nothingLost
    const known = before.log.writes
    const { parts } = before.state
    const lostBefore = new Set(lostWrites(known, before.state, parts))
    const suspects = parts.filter((part) => !lostBefore.has(part))
    if (!known.some((write) => isSameWrite(write, incoming)))
      suspects.push(...joined.writes.filter((write) => isSameWrite(write, incoming)))
    // A base that gave way to a later one is no longer in the log, but may be lost all the same.
    const all = new Set([...joined.writes, ...known])
    return lostWrites([...all], after, suspects)
  }

  /** Keeps this log of a key; answers with the state it amounts to. */
  #settle(key: ByteText, before: KeyState, log: WriteLog): KeyState {
    const told = toldOf(this.#entries.get(key))
    const isPlain = log.writes.length === 1 && !log.folded && told.length === 0
    const kept = (isPlain ? log.writes[0] : undefined) ?? new Entry(log, this.rule, told)
    this.#bytes += this.#added(key, log)
    this.#entries.set(key, kept)
    this.#touched.add(key)
    const after = kept instanceof Entry ? kept.state : replay(log.writes, this.rule)
    const had = before.value !== undefined
    const has = after.value !== undefined
    if (had !== has) this.#size += has ? 1 : -1
    return after
  }

  /** What takes no more room than before is always welcome. */
  #isTooMuch(added: number): boolean {
    return added > 0 && this.#bytes + added > this.#limits.maxBytes
  }

  /** Bytes that this log of a key takes more than the one that is kept. */
  #added(key: ByteText, log: WriteLog | undefined): number {
    return bytesOf(key, log) - bytesOf(key, this.log(key))
  }

  #stateOf(kept: Kept): KeyState {
    return kept instanceof Entry ? kept.state : replay([kept], this.rule)
  }

  #isForgettable({ writes }: WriteLog, utcSeconds: number): boolean {
    const only = writes.length === 1 ? writes[0] : undefined
    return only?.kind === 'delete' && this.#isOldDelete(only, utcSeconds)
  }

  #isOldDelete(write: Write, utcSeconds: number): boolean {
    return write.time < utcSeconds - this.#limits.tombstoneSeconds
  }
}

const nothingLost: readonly Write[] = []
const nothingTold: readonly Seen[] = []

/** Losses of one key that are remembered, so that nobody is told of them again. */
const maxTold = 8

/** Ten minutes between two sweeps of a node, and ten that its clock may differ. */
const sweepLagSeconds = 1_200

function logOf(kept: Kept): WriteLog {
  return kept instanceof Entry ? kept.log : { writes: [kept], folded: false }
}

function toldOf(kept: Kept | undefined): readonly Seen[] {
  return kept instanceof Entry ? kept.told : nothingTold
}

function isSeen(write: Write, { owner, time, sequence }: Seen): boolean {
  const own = seenOf(write)
  return own.owner === owner && own.time === time && own.sequence === sequence
}

function bytesOf(key: ByteText, log: WriteLog | undefined): number {
  return log?.writes.reduce((sum, { value }) => sum + value.length, key.length) ?? 0
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
      sequence = Math.min(taken + 1, maxSequence)
  }
  return sequence === incoming.sequence ? incoming : { ...incoming, sequence }
}
