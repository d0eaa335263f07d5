/**
 * News of the ring on their way to everybody.
 *
 *   broadcast   in a small ring: everybody hears at once, also across old programs
 *   passed on   in a large one, where somebody comes or goes every second and a broadcast each would cost more
 *               than everything else: a node passes what is new to it to the neighbours on both sides and to
 *               a few others, what came within a while in one message. It went around when nobody finds it
 *               new, after a handful of passes; the ring alone reaches everybody
 *
 * What a node says of itself goes to all its neighbours. Whoever hears nothing, as may one that does not
 * store, is told at the next comparison of views.
 *
 * Source: rumours after Demers et al., Epidemic Algorithms (1987), over a ring so that none dies early.
 */
import type { Now, Peer, RandomBytes } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import { portionsOf } from './portions.ts'
import { drawOne } from './random-below.ts'
import { maxRecords, membersPayload } from './ring-messages.ts'
import type { Member, RingView } from './ring-view.ts'

export interface NewsLine {
  readonly peers: ReadonlyMap<string, Peer>
  talksTo(peer: Peer): boolean
  send(peer: string, payload: readonly Value[], now: Now): void
  spread(payload: readonly Value[], now: Now): void
}

export interface NewsParts {
  readonly id: string
  readonly view: RingView
  readonly line: NewsLine
  readonly random: RandomBytes
}

/** Storing nodes from which on a ring is large. */
export const largeRing = 128
/** News that come within this time go out together, in a small ring and in a large one. */
const gatherMs = { small: 50, large: 2_000 } as const
/** Whom to pass news to besides the neighbours on the ring. */
const strangers = 2
/** Neighbours on the ring of which the nearest with a link is taken. */
const nearby = 4

export class RingNews {
  readonly #parts: NewsParts
  /** Whether it was passed, and not found out by this node. */
  readonly #waiting = new Map<Member, boolean>()
  #dueMs = Infinity

  constructor(parts: NewsParts) {
    this.#parts = parts
  }

  nextDeadline(): number {
    return this.#dueMs
  }

  /** What this node has found out, or what a neighbour has passed on and was new here. */
  tell(member: Member, isPassed: boolean, now: Now): void {
    this.#waiting.set(member, isPassed)
    this.#dueMs = Math.min(this.#dueMs, now.monoMs + (isPassed ? gatherMs.large : gatherMs.small))
  }

  /** Sends what waits. What others have told in the meantime need not be told again. */
  send(now: Now): void {
    const { line, view } = this.#parts
    const isLarge = view.nodes.size >= largeRing
    const found: Member[] = []
    const passed: Member[] = []
    for (const [member, isPassed] of this.#waiting) {
      const known = view.get(member.id)
      if (known?.incarnation !== member.incarnation || known.state !== member.state) continue
      // What was passed is never broadcast: somebody finds the ring large, and others do.
      const list = isPassed || isLarge ? passed : found
      list.push(member)
    }
    this.#dueMs = Infinity
    this.#waiting.clear()
    for (const portion of portionsOf(found, maxRecords)) line.spread(membersPayload(portion), now)
    for (const portion of portionsOf(passed, maxRecords)) {
      for (const peer of this.#receivers(portion))
        line.send(peer, membersPayload(portion, true), now)
    }
  }

  #receivers(news: readonly Member[]): readonly string[] {
    const { id: ownId, line, random, view } = this.#parts
    const { peers } = line
    const { nodes } = view
    const talking = [...peers.values()].filter((peer) => line.talksTo(peer)).map(({ id }) => id)
    if (news.some(({ id }) => id === ownId)) return talking
    const chosen = new Set(Array.from({ length: strangers }, () => drawOne(random, talking)))
    for (const side of [nodes.behind(ownId, nearby), nodes.ahead(ownId, nearby)])
      chosen.add(side.find(({ id }) => peers.has(id))?.id)
    return [...chosen].filter((id) => id !== undefined)
  }
}
