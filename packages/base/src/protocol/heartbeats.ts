/**
 * Signs of life between our own nodes. A link on which nothing came for `heartbeatIntervalMs` gets a
 * ping; if nothing at all comes within `heartbeatTimeoutMs` after that, the peer is gone. So a dead
 * peer is noticed within the sum of the two, also where TCP would wait for minutes.
 *
 * Nothing is done per message: the deadline of a busy link is only moved when it is due. And little is
 * done per link: deadlines lie on a grid, so that many links are looked at in one turn, and the end
 * that dialled asks a little earlier than the other one, which then need not ask.
 */
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import type { NodeLimits } from './limits.ts'
import type { LinkId } from './link.ts'

/** Deadlines are multiples of this part of the interval; one never lies behind the interval itself. */
const gridPerInterval = 10

export class Heartbeats {
  readonly #deadlines: Deadlines
  readonly #limits: NodeLimits
  readonly #pingedMsByLink = new Map<LinkId, number>()

  constructor(deadlines: Deadlines, limits: NodeLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  /** Old peers have no heartbeat; their links end by TCP alone. */
  start(connection: Connection, monoMs: number): void {
    if (!connection.supports('heartbeat')) return
    this.#deadlines.set(`beat ${connection.link}`, this.#pingDueMs(connection, monoMs))
  }

  stop(link: LinkId): void {
    this.#pingedMsByLink.delete(link)
    this.#deadlines.delete(`beat ${link}`)
  }

  /** Decides what is to be done now that the deadline of a link has come. */
  onDue(connection: Connection, monoMs: number): 'nothing' | 'ping' | 'give-up' {
    const { link, lastReceivedMs } = connection
    const pingedMs = this.#pingedMsByLink.get(link)
    if (pingedMs !== undefined && lastReceivedMs < pingedMs) return 'give-up'
    this.#pingedMsByLink.delete(link)
    const dueMs = this.#pingDueMs(connection, lastReceivedMs)
    if (monoMs < dueMs) {
      this.#deadlines.set(`beat ${link}`, dueMs)
      return 'nothing'
    }
    this.#pingedMsByLink.set(link, monoMs)
    this.#deadlines.set(`beat ${link}`, monoMs + this.#limits.heartbeatTimeoutMs)
    return 'ping'
  }

  /** When a link that has been silent since then is asked for a sign of life. */
  #pingDueMs({ outgoing }: Connection, silentSinceMs: number): number {
    const { heartbeatIntervalMs } = this.#limits
    const stepMs = heartbeatIntervalMs / gridPerInterval
    const steps = Math.floor((silentSinceMs + heartbeatIntervalMs) / stepMs)
    return (outgoing ? steps - 1 : steps) * stepMs
  }
}
