/**
 * News of the ring on their way to everybody.
 *
 *   broadcast   in a small ring: everybody hears at once, also across old programs
 *   passed on   in a large one, where somebody comes or goes every second and a broadcast each would cost more
 *               than everything else: a node passes what is new to it to the neighbours on both sides and to
 *               a few others, what came within a while in one message. It went around when nobody finds it
 *               new, after a handful of passes; the ring alone reaches everybody
 *
 * What a node says of itself goes to all its neighbours, and those that do not store hear from theirs.
 * Whoever hears nothing all the same is told at the next comparison of views.
 *
 * Source: rumours after Demers et al., Epidemic Algorithms (1987), over a ring so that none dies early.
 */
import type { Now, Peer, RandomBytes } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import { portionsOf } from './portions.ts'
import { randomBelow } from './random-below.ts'
import { maxRecords, membersPayload, passedPayload } from './ring-messages.ts'
import type { Member, RingView } from './ring-view.ts'

export interface NewsLine {
  readonly peers: ReadonlyMap<string, Peer>
  talksTo(peer: Peer): boolean
  send(peer: string, payload: readonly Value[], now: Now): void
  spread(payload: readonly Value[], now: Now): void
}

/** Storing nodes from which on a ring is large. */
export const largeRing = 128
/** News that come within this time go out together, in a small ring and in a large one. */
const gatherMs = { small: 50, large: 2_000 } as const
/** Whom to pass news to besides the neighbours on the ring. */
const strangers = { storing: 2, others: 4 } as const
/** Neighbours on the ring of which the nearest with a link is taken. */
const nearby = 4

export class RingNews {
  readonly #id: string
  readonly #view: RingView
  readonly #line: NewsLine
  readonly #random: RandomBytes
  /** What this node has found out, and what it was passed. */
  readonly #found = new Map<string, Member>()
  readonly #passed = new Map<string, Member>()
  #dueMs = Infinity

  constructor(options: {
    readonly id: string
    readonly view: RingView
    readonly line: NewsLine
    readonly random: RandomBytes
  }) {
    this.#id = options.id
    this.#view = options.view
    this.#line = options.line
    this.#random = options.random
  }

  nextDeadline(): number {
    return this.#dueMs
  }

  /** What this node has found out. */
  tell(member: Member, now: Now): void {
    this.#found.set(member.id, member)
    this.#dueMs = Math.min(this.#dueMs, now.monoMs + gatherMs.small)
  }

  /** What a neighbour has passed on, and was new here. */
  passOn(member: Member, now: Now): void {
    this.#passed.set(member.id, member)
    this.#dueMs = Math.min(this.#dueMs, now.monoMs + gatherMs.large)
  }

  /** Sends what waits. */
  send(now: Now): void {
    this.#dueMs = Infinity
    const found = this.#takeTrue(this.#found)
    const passed = this.#takeTrue(this.#passed)
    if (this.#view.nodes.size >= largeRing) {
      this.#pass([...found, ...passed], now)
      return
    }
    for (const portion of portionsOf(found, maxRecords))
      this.#line.spread(membersPayload(portion), now)
    // Somebody finds the ring large, and not all whom it has told have heard a broadcast.
    this.#pass(passed, now)
  }

  /** What others have told in the meantime need not be told again. */
  #takeTrue(waiting: Map<string, Member>): readonly Member[] {
    const news = [...waiting.values()].filter(({ id, incarnation, state }) => {
      const known = this.#view.get(id)
      return known?.incarnation === incarnation && known.state === state
    })
    waiting.clear()
    return news
  }

  #pass(news: readonly Member[], now: Now): void {
    if (news.length === 0) return
    const receivers = [...this.#receivers(news)]
    for (const portion of portionsOf(news, maxRecords)) {
      const payload = passedPayload(portion)
      for (const peer of receivers) this.#line.send(peer, payload, now)
    }
  }

  #receivers(news: readonly Member[]): Iterable<string> {
    const talking = [...this.#line.peers.values()].filter((peer) => this.#line.talksTo(peer))
    if (news.some(({ id }) => id === this.#id)) return talking.map(({ id }) => id)
    const { nodes } = this.#view
    const chosen = new Set<string>()
    for (const side of [nodes.behind(this.#id, nearby), nodes.ahead(this.#id, nearby)]) {
      const nearest = side.find(({ id }) => this.#line.peers.has(id))
      if (nearest !== undefined) chosen.add(nearest.id)
    }
    const [storing, others] = [true, false].map((stores) =>
      talking.filter(({ id }) => nodes.has(id) === stores),
    )
    for (const { id } of this.#some(storing, strangers.storing)) chosen.add(id)
    for (const { id } of this.#some(others, strangers.others)) chosen.add(id)
    return chosen
  }

  #some(peers: readonly Peer[] = [], count: number): readonly Peer[] {
    if (peers.length <= count) return peers
    return Array.from({ length: count }, () => {
      return peers[Math.floor(randomBelow(this.#random, peers.length))]
    }).filter((peer) => peer !== undefined)
  }
}
