/**
 * Keeps the known writes of a key few, without changing what they amount to.
 *
 * Two measures. The *normal form* drops writes that say nothing any more: without leases everything
 * before the last set or delete; with leases, of what one owner wrote in one tenure (tenure.ts) within
 * one lease's time, all but the first, which began or renewed it in time, and the last with the deltas
 * on top of it; and what a delete ended. It is made of minima and maxima, so it does not
 * matter in which order, or in how many steps, a set of writes was learned. A write that began a tenure
 * is never taken for one in the middle: without it, the key would go to somebody who was refused then.
 *
 * *Folding* replaces what is older than two leases by one base write, which then comes first and
 * is not questioned. Where the bases of two nodes differ, the later one in order stays. The cut stands
 * on whole leases of UTC time, so that nodes with nearly the same clock fold at nearly the same time.
 *
 * Source: design.md §6, "Sync"; merging by minima and maxima: Shapiro et al., "Conflict-free
 * Replicated Data Types", 2011, state-based objects.
 */
import { readFields } from './delta.ts'
import { replay } from './replay.ts'
import type { Rule } from './replay.ts'
import { leaseOf, tenureOf, withoutEnded } from './tenure.ts'
import { knowledgeOf, maxSeenOwners, seenOf } from './write.ts'
import type { Write } from './write.ts'

/** What is known of one key. */
export interface WriteLog {
  /** In their order, each once; never empty. */
  readonly writes: readonly Write[]
  /** True when the first write is a base: what came before it is folded into it. */
  readonly folded: boolean
}

/** Writes stamped before this are folded; UTC seconds. Never anything without leases. */
export function foldCut(utcSeconds: number, rule: Rule): number {
  if (!rule.leasing) return Number.NEGATIVE_INFINITY
  return (Math.floor(utcSeconds / rule.leaseSeconds) - 2) * rule.leaseSeconds
}

/** The same log with everything stamped before `cut` in one base. */
export function fold(log: WriteLog, cut: number, rule: Rule): WriteLog {
  const first = log.writes[0]
  if (first === undefined || first.time >= cut) return log
  const old = log.writes.filter((write) => write.time < cut)
  if (old.length === 1) return log.folded ? log : { writes: log.writes, folded: true }
  return { writes: [baseOf(old, rule), ...log.writes.slice(old.length)], folded: true }
}

function baseOf(old: readonly Write[], rule: Rule): Write {
  const { holder, value, parts } = replay(old, rule)
  // The first write of a log is always accepted, so there is a holder.
  if (holder === undefined) throw new Error('a log without an accepted write')
  // What the authors of the parts knew, and no more: a write that was merely refused here may still be
  // the state of another node, which has to notice when this base replaces it.
  const knew = knowledgeOf(parts, holder.owner)
  if (parts[0] === holder) return holder
  const holds = parts.filter((part) => part.owner !== holder.owner).map(seenOf)
  return {
    ...holder,
    kind: 'set',
    value: value ?? holder.value,
    knew,
    holds: holds.slice(-maxSeenOwners),
  }
}

/** The log without the writes that no longer matter. */
export function normalForm(log: WriteLog, rule: Rule): WriteLog {
  if (log.writes.length < 2) return log
  const kept = rule.leasing ? keepPerLease(log, rule) : keepLatest(log.writes)
  return kept.length === log.writes.length ? log : { writes: kept, folded: log.folded }
}

function keepLatest(writes: readonly Write[]): readonly Write[] {
  const kept = new Set<Write>()
  keepLastAndDeltas(writes, kept)
  return writes.filter((write) => kept.has(write))
}

function keepPerLease({ writes, folded }: WriteLog, rule: Rule): readonly Write[] {
  const kept = new Set<Write>(folded ? writes.slice(0, 1) : [])
  const parts = new Map<string, Write[]>()
  for (const write of withoutEnded(folded ? writes.slice(1) : writes)) {
    const { owner, time, sequence, knew } = write
    const { since } = tenureOf(write)
    // Old nodes do not say which tenure they renew: a part is all that they write in its time.
    const name = `${owner} ${knew ? [since.time, since.sequence] : leaseOf(time, rule)}`
    const part = parts.get(name)
    if (part === undefined) parts.set(name, [write])
    else part.push(write)
    const isFirst = knew ? since.time === time && since.sequence === sequence : !part
    if (isFirst) kept.add(write)
  }
  for (const part of parts.values()) {
    const lastDelete = part.findLast((write) => write.kind === 'delete')
    if (lastDelete !== undefined) kept.add(lastDelete)
    keepLastAndDeltas(part, kept)
  }
  return writes.filter((write) => kept.has(write))
}

/** The last set or delete, and of the deltas after it those with a field that no later one writes. */
function keepLastAndDeltas(writes: readonly Write[], kept: Set<Write>): void {
  const written = new Set<string>()
  for (let i = writes.length - 1; i >= 0; i--) {
    const write = writes[i]
    if (write === undefined) continue
    if (write.kind !== 'delta') {
      kept.add(write)
      return
    }
    const before = written.size
    for (const name of readFields(write.value).keys()) written.add(name)
    // The latest delta stays even when it says nothing: it renewed the lease.
    if (written.size > before || i === writes.length - 1) kept.add(write)
  }
}
