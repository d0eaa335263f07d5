/**
 * Peer ids for which a second link is waiting: bookkeeping of the contests described in peers.ts.
 * The rules that decide them are in double-links.ts.
 */
import type { WireMessage } from '@p2p/serializer'
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import type { OpenPeer } from './open-peer.ts'

export interface Contest {
  /** The open peer; its connection is the incumbent. */
  readonly peer: OpenPeer
  readonly newcomer: Connection
  /** True when the peer was asked for its claim; otherwise any sign of life is the answer. */
  readonly isByClaim: boolean
  /** What the newcomer sent meanwhile, for the case that it stays. */
  readonly kept: WireMessage[]
}

const maxKeptMessages = 64

export class Contests {
  readonly #deadlines: Deadlines
  readonly #byId = new Map<string, Contest>()

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  ofId(id: string | undefined): Contest | undefined {
    // Asked with every read; hardly ever is there any.
    return id === undefined || this.#byId.size === 0 ? undefined : this.#byId.get(id)
  }

  /** The contest in which this connection is the newcomer. */
  ofNewcomer(connection: Connection): Contest | undefined {
    const contest = this.ofId(connection.handshake?.id)
    return contest?.newcomer === connection ? contest : undefined
  }

  /** The contest in which this connection holds the id. */
  ofIncumbent(connection: Connection): Contest | undefined {
    const contest = this.ofId(connection.handshake?.id)
    return contest?.peer.connection === connection ? contest : undefined
  }

  begin(contest: Omit<Contest, 'kept'>, untilMs: number): void {
    const { id } = contest.peer
    this.#byId.set(id, { ...contest, kept: [] })
    this.#deadlines.set(`contest ${id}`, untilMs)
  }

  end(contest: Contest): void {
    this.#byId.delete(contest.peer.id)
    this.#deadlines.delete(`contest ${contest.peer.id}`)
  }

  keep(connection: Connection, message: WireMessage): void {
    const kept = this.ofNewcomer(connection)?.kept
    if (kept !== undefined && kept.length < maxKeptMessages) kept.push(message)
  }
}
