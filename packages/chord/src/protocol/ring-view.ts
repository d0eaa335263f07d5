/**
 * Who stores, as far as this node has heard: the whole membership of the ring, not only neighbours.
 *
 * Each node has one record, and the record with the greater incarnation is the true one; of two with the
 * same, the one that says it is no more. A node announces itself with an incarnation from its clock; when
 * it hears that it is said to be gone, it announces a greater one. So nobody is thrown out for good by a
 * mistake, and whoever is not there cannot answer back.
 *
 * Old nodes know nothing of records. Their neighbours of our kind keep one for them.
 *
 * Two views are compared bucket by bucket (`digest`), so that views which are nearly the same exchange
 * little. Records of those that are no more are kept for a while, so that older news does not bring
 * them back, and are no part of the comparison; who brings such news is told better.
 *
 * Source: incarnations after SWIM (Das et al., 2002); the rule that nobody is taken out before somebody
 * found him dead is Zave's (arXiv 1610.01140), on a ring whose arcs fall to the node behind.
 */
import { stampOf, sumWith } from './stamp.ts'
import { StoringNodes } from './storing-nodes.ts'

export type MemberState = 'storing' | 'left' | 'gone'

export interface Member {
  readonly id: string
  /** Milliseconds since 1970 when it was made; greater is newer. */
  readonly incarnation: number
  readonly state: MemberState
  /** A program of protocol 0.7 without records. */
  readonly isOld: boolean
  /** Where it can be dialled. */
  readonly addresses: readonly string[]
  /** How far ahead of its id it stands on the ring: see `shiftedPosition`. Absent for 0. */
  readonly shift?: number
}

interface Kept extends Member {
  readonly heardMs: number
}

/** Records in all, but for the own one. A ring of 20,000 with the departures of an hour fits. */
const maxMembers = 50_000
/** How long the record of a node that is no more is kept: a partition that lasts longer is not healed by itself. */
const keepDepartedMs = 3_600_000
/**
 * How long it is told to others by those that knew the node before. If newcomers told it as well, each to the
 * next, it would never be forgotten.
 */
const tellDepartedMs = 600_000
/** Of 1,000 nodes each then has four: two views that each lack some news of the other exchange little else. */
const bucketCount = 256

export class RingView {
  /** Those that store, in ring order. */
  readonly nodes: StoringNodes = new StoringNodes()
  /** Those that were needed yet. Of two views that differ in some, nothing else is looked at. */
  readonly #buckets: Map<string, Kept>[] = []
  readonly #sums = new Array<number>(bucketCount).fill(0)
  /** Counted, because adding up the buckets for each newcomer is the greater part of hearing of one. */
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: string): Member | undefined {
    return this.#buckets[bucketOf(id)]?.get(id)
  }

  /** Takes a record in, that of this node in any case; true when it was news. */
  merge(member: Member, nowMs: number, isOwn: boolean = false): boolean {
    const { id, state } = member
    const known = this.get(id)
    const isTaken = isOwn || (known ? isNewer(member, known) : this.#size < maxMembers)
    if (!isTaken) return false
    if (known === undefined) this.#size += 1
    const isStoring = state === 'storing'
    const wasStoring = known?.state === 'storing'
    if (wasStoring) this.#count(known, -1)
    this.nodes.delete(id)
    // Of whom only this is known, others have told: they do, as long as it is news.
    const heardMs = nowMs - (isStoring || wasStoring ? 0 : tellDepartedMs)
    const bucket = (this.#buckets[bucketOf(id)] ??= new Map<string, Kept>())
    bucket.set(id, { ...member, heardMs })
    if (isStoring) {
      this.#count(member, 1)
      this.nodes.add(id, member.isOld, member.shift)
    }
    return true
  }

  /** One sum for each bucket of ids. */
  digest(): readonly number[] {
    return this.#sums
  }

  /** The records of the buckets in which the other view differs. */
  differing(digest: readonly number[], nowMs: number): readonly Member[] {
    return this.#buckets.flatMap((members, bucket) =>
      digest[bucket] === this.#sums[bucket]
        ? []
        : [...members.values()].filter(
            ({ state, heardMs }) => state === 'storing' || heardMs > nowMs - tellDepartedMs,
          ),
    )
  }

  /** Those that were found gone, and could be dialled once. */
  gone(): readonly Member[] {
    return this.differing([], -Infinity).filter(
      ({ state, isOld, addresses }) => state === 'gone' && !isOld && addresses.length > 0,
    )
  }

  /** Forgets those that are no more, and have not been for a while. */
  sweep(nowMs: number): void {
    this.#buckets.forEach((members) => {
      for (const [id, { state, heardMs }] of members) {
        if (state === 'storing' || heardMs >= nowMs - keepDepartedMs) continue
        members.delete(id)
        this.#size -= 1
      }
    })
  }

  #count({ id, incarnation }: Member, sign: 1 | -1): void {
    const bucket = bucketOf(id)
    const stamp = stampOf(`${id} ${incarnation}`)
    this.#sums[bucket] = sumWith(this.#sums[bucket] ?? 0, sign * stamp)
  }
}

/** Of two records of one node; the end of a life is newer than the life. */
export function isNewer(member: Member, known: Member): boolean {
  if (member.incarnation !== known.incarnation) return member.incarnation > known.incarnation
  return known.state === 'storing' && member.state !== 'storing'
}

/** By the last characters of an id, in which ids differ as much as in all. */
function bucketOf(id: string): number {
  return stampOf(id.slice(-4)) % bucketCount
}
