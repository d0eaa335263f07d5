/**
 * Messages that were announced to us and have not come: whom to ask, and when.
 *
 * The first announcement starts a wait, because in most cases the message is on its way on an eager
 * link. After it the first announcer is asked, after `retryAfterMs` the next, and so on. The wait
 * follows the time by which messages lately came after their announcements: when links or nodes are
 * busy, asking early would only make them busier.
 * Whoever did not deliver gets a penalty; with `maxPenalty` of them its announcements are read last,
 * so peers that announce what they never send cost one delay, not one per message. Their number is bounded, and
 * shared: when there is no room, whoever announced most gives up one.
 *
 * Source: research/reliability.md, 3.4 rule 3, and the waits simulated there.
 */
import { Deadlines } from '@p2p/base'
import type { MessageKey } from './message-key.ts'
import type { TreeNeighbour } from './tree-dissemination.ts'

const minGraftAfterMs = 250
const maxGraftAfterMs = 4_000
const retryAfterMs = 500
/** The wait is this many times the usual lag. */
const lagMargin = 2
/** How much of the usual lag is left after each message that came sooner. */
const lagDecay = 0.99
const maxPenalty = 2
/** Further announcers of one message are not written down. */
const maxAnnouncers = 32

interface MissingMessage {
  /** The first that announced it. */
  readonly owner: TreeNeighbour
  /** Those that were not asked yet. */
  readonly announcers: TreeNeighbour[]
  readonly announcedBy: TreeNeighbour[]
  readonly announcedMs: number
  /** Who was asked last and has not delivered. */
  asked: TreeNeighbour | undefined
}

/** What was known of a message that came. */
interface Taken {
  readonly announcers: readonly TreeNeighbour[]
  /** True when we had asked the neighbour that brought it. */
  readonly wasAskedFor: boolean
}

export const notMissing: Taken = { announcers: [], wasAskedFor: false }

export interface Graft {
  readonly key: MessageKey
  readonly announcer: TreeNeighbour
}

export class MissingMessages {
  readonly #messages = new Map<MessageKey, MissingMessage>()
  /** The messages that each neighbour was the first to announce, the oldest first. */
  readonly #owned = new Map<TreeNeighbour, Set<MessageKey>>()
  /** By the keys of the messages. */
  readonly #waits = new Deadlines()
  readonly #maxMessages: number
  /** By how much messages that nobody had to be asked for lag behind their announcements. */
  #lagMs = 0

  constructor(options: { readonly maxMissingMessages: number }) {
    this.#maxMessages = options.maxMissingMessages
  }

  get count(): number {
    return this.#messages.size
  }

  announce(key: MessageKey, announcer: TreeNeighbour, monoMs: number): void {
    let missing = this.#messages.get(key)
    if (missing === undefined) {
      const owned = this.#owned.get(announcer) ?? new Set()
      if (this.#messages.size >= this.#maxMessages && !this.#makeRoom(owned)) return
      missing = {
        owner: announcer,
        announcers: [],
        announcedBy: [],
        announcedMs: monoMs,
        asked: undefined,
      }
      this.#messages.set(key, missing)
      this.#owned.set(announcer, owned.add(key))
      this.#waits.set(key, monoMs + this.#graftAfterMs())
    }
    const { announcedBy } = missing
    if (announcedBy.length >= maxAnnouncers || announcedBy.includes(announcer)) return
    announcedBy.push(announcer)
    missing.announcers.push(announcer)
  }

  /** The message came: who announced it, and whether we had asked the neighbour that brought it. */
  take(key: MessageKey, from: TreeNeighbour | undefined, monoMs: number): Taken {
    const missing = this.#messages.get(key)
    if (missing === undefined) return notMissing
    this.#drop(key)
    const wasAskedFor = from !== undefined && missing.asked === from
    if (wasAskedFor && from.penalty > 0) from.penalty -= 1
    if (!wasAskedFor) {
      this.#lagMs = Math.max(monoMs - missing.announcedMs, lagDecay * this.#lagMs)
    }
    return { announcers: missing.announcedBy, wasAskedFor }
  }

  /** Whom to ask now. A message that nobody is left to be asked for is given up. */
  takeDue(monoMs: number): readonly Graft[] {
    const grafts: Graft[] = []
    for (;;) {
      const key = this.#waits.takeDue(monoMs) as MessageKey | undefined
      if (key === undefined) return grafts
      const missing = this.#messages.get(key)
      if (missing === undefined) continue
      if (missing.asked !== undefined) missing.asked.penalty += 1
      missing.asked = takeBest(missing.announcers)
      if (missing.asked === undefined) {
        this.#drop(key)
      } else {
        grafts.push({ key, announcer: missing.asked })
        this.#waits.set(key, monoMs + retryAfterMs)
      }
    }
  }

  forgetAnnouncer(neighbour: TreeNeighbour): void {
    for (const missing of this.#messages.values()) {
      remove(missing.announcers, neighbour)
      remove(missing.announcedBy, neighbour)
      if (missing.asked === neighbour) missing.asked = undefined
    }
  }

  nextDeadline(): number {
    return this.#waits.next()
  }

  /**
   * Nobody keeps out what others announce: whoever owns most messages gives up the oldest. False when those are
   * the announcer's own.
   */
  #makeRoom(own: ReadonlySet<MessageKey>): boolean {
    let most = own
    for (const owned of this.#owned.values()) if (owned.size > most.size) most = owned
    const [oldest] = most
    if (most === own || oldest === undefined) return false
    this.#drop(oldest)
    return true
  }

  #drop(key: MessageKey): void {
    const owner = this.#messages.get(key)?.owner
    if (owner === undefined) return
    this.#messages.delete(key)
    this.#waits.delete(key)
    const owned = this.#owned.get(owner)
    owned?.delete(key)
    if (owned?.size === 0) this.#owned.delete(owner)
  }

  #graftAfterMs(): number {
    return Math.min(Math.max(minGraftAfterMs, lagMargin * this.#lagMs), maxGraftAfterMs)
  }
}

/** Takes out the earliest announcer without a record of empty promises, or the earliest of all. */
function takeBest(announcers: TreeNeighbour[]): TreeNeighbour | undefined {
  const trusted = announcers.findIndex((announcer) => announcer.penalty < maxPenalty)
  return announcers.splice(Math.max(trusted, 0), 1)[0]
}

function remove(announcers: TreeNeighbour[], neighbour: TreeNeighbour): void {
  const at = announcers.indexOf(neighbour)
  if (at >= 0) announcers.splice(at, 1)
}
