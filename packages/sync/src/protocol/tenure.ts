/**
 * Tenures: the time in which an owner held a key without a break, as its author saw it.
 *
 * A write of ours says when the tenure began that it renews, or ends, so that others need not keep the
 * writes between the two. A long tenure has a part for each lease's length of UTC time, so that what is
 * kept of it leaves no gap in which it would have lapsed. A delete ends all that its author knew, refused
 * writes with it: nobody gets the key because somebody else released it. It reaches back to the beginning
 * of its tenure or, where that took the key from a delete, as far as that one did. An author that knew
 * more owners than it can name ends only those earlier tenures that everybody in reach has heard of.
 *
 * All this stands in what the author knew, under its own name, which has no other meaning there: first
 * the beginning of this part of the tenure, then the horizon. A write without it begins a tenure.
 */
import type { Rule } from './replay.ts'
import { covers, hasSeen, isBefore, knowledgeOf, maxSeenOwners, seenOf } from './write.ts'
import type { Seen, Write } from './write.ts'

export interface Tenure {
  /** Stamp of the first write of this part of it. */
  readonly since: Seen
  /** What is stamped before this second is not the business of a delete; UTC seconds. */
  readonly horizon: number
}

export function tenureOf(write: Write): Tenure {
  const own = seenOf(write)
  const [since = own, { time } = since] = (write.knew ?? []).filter(
    (seen) => seen.owner === own.owner && hasSeen(write, seen),
  )
  return { since, horizon: Math.min(since.time, time) }
}

/** What the author of this write knows: of others, and of its own tenure. */
export function knowledgeFor(
  write: Write,
  writes: readonly Write[],
  holder: Write | undefined,
  rule: Rule,
): readonly Seen[] {
  const known = knowledgeOf(writes, write.owner)
  if (!rule.leasing || holder === undefined) return known
  const isRelease = write.kind === 'delete'
  const isFree = holder.kind === 'delete'
  const own = seenOf(write)
  const goesOn =
    !isFree && holder.owner === write.owner && write.time - holder.time <= rule.leaseSeconds
  if (!goesOn && !isFree) return known
  const { since, horizon } = tenureOf(holder)
  const isSamePart = goesOn && (isRelease || leaseOf(since.time, rule) === leaseOf(own.time, rule))
  const tenure = [isSamePart ? since : own, { ...own, time: horizon, sequence: 0 }]
  return [...tenure, ...known].slice(0, maxSeenOwners)
}

/** Which lease's length of UTC time a second belongs to. */
export function leaseOf(time: number, { leaseSeconds }: Rule): number {
  return Math.floor(time / leaseSeconds)
}

/**
 * Seconds after which a write has come to everybody who is in reach: the mesh passes on no message
 * older than a minute, and neighbours compare what they know every half minute.
 */
const settledSeconds = 120

/** The writes, in their order, without those that a delete among them ended. */
export function withoutEnded(writes: readonly Write[]): readonly Write[] {
  const tenures = writes.map(tenureOf)
  const ends = writes.flatMap((end, endAt) => (isEnd(end) ? { end, endAt } : []))
  return writes.filter(
    (write, at) =>
      !ends.some(
        ({ end, endAt }) => at < endAt && isEnded(write, end, tenures[at], tenures[endAt]),
      ),
  )
}

/** Old nodes do not say what they knew, so their deletes end nothing but the lease. */
function isEnd({ kind, knew }: Write): boolean {
  return kind === 'delete' && knew !== undefined
}

/**
 * What the tenure itself kept of its writes stays, so that who came too late for it is still refused.
 * The writes of one part of a tenure are judged alike, or the last of them first.
 */
function isEnded(
  write: Write,
  end: Write,
  { since, horizon } = tenureOf(write),
  ended = tenureOf(end),
): boolean {
  const isOwn = write.owner === end.owner
  if (since.time < ended.horizon || (isOwn && !isBefore(since, ended.since))) return false
  // Who takes the place of a delete ends all that it ended.
  if (isEnd(write) && horizon < ended.horizon) return false
  if (since.time < ended.since.time && end.knew?.length === maxSeenOwners)
    return write.time < ended.since.time - settledSeconds
  return (
    covers(end, write) &&
    (!isEnd(write) ||
      ((isOwn || write.time < ended.since.time) &&
        write.knew?.every((seen) => hasSeen(end, seen)) === true))
  )
}
