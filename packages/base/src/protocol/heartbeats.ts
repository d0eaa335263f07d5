/**
 * Signs of life between our own nodes. A link on which nothing came for `heartbeatIntervalMs` gets a
 * ping; if nothing at all comes within `heartbeatTimeoutMs` after that, the peer is gone. So a dead
 * peer is noticed within the sum of the two, also where TCP would wait for minutes.
 *
 * Nothing is done per message: what was heard is looked up when a ping is due. And little is done per
 * link: all share one deadline, moments lie on a grid, the end that dialled asks a little earlier than
 * the other one, which then need not ask, and whoever asks one peer asks those that are nearly due as
 * well. So the pings of a node fall into step, and a silent one wakes a few times in each interval,
 * however many links it has.
 */
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import type { NodeLimits } from './limits.ts'

/** Deadlines are multiples of this part of the interval; one never lies behind the interval itself. */
const gridPerInterval = 10
/** So many steps of the grid early, a link is asked together with others. */
const earlySteps = 2

export class Heartbeats {
  readonly #deadlines: Deadlines
  readonly #limits: NodeLimits
  readonly #stepMs: number

  constructor(deadlines: Deadlines, limits: NodeLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
    this.#stepMs = limits.heartbeatIntervalMs / gridPerInterval
  }

  /** Sets the deadline: to be called when a link has opened, and when all that was due is done. */
  watch(connections: Iterable<Connection>): void {
    const dueMs = Array.from(connections, (connection) => this.#dueMs(connection))
    this.#deadlines.set('beat', Math.min(...dueMs))
  }

  /** Now that the deadline has come: whom to ask, or to give up where the answer is overdue. */
  due(connections: Iterable<Connection>, monoMs: number): readonly Connection[] {
    const all = [...connections]
    const isAsking = all.some((one) => !one.owesAnswer && this.#dueMs(one) <= monoMs)
    const earlyMs = isAsking ? monoMs + earlySteps * this.#stepMs : monoMs
    return all.filter(
      (one) => this.#dueMs(one) <= (one.outgoing && !one.owesAnswer ? earlyMs : monoMs),
    )
  }

  /**
   * When the peer is given up, or else asked. Old peers have no heartbeat; their links end by TCP alone. One of
   * which no hello came is asked: it may have gone straight after its handshake.
   */
  #dueMs(connection: Connection): number {
    const { awaitsHello, lastReceivedMs, outgoing, owesAnswer, pingedMs } = connection
    if (!awaitsHello && !connection.supports('heartbeat')) return Infinity
    if (owesAnswer) return pingedMs + this.#limits.heartbeatTimeoutMs
    const steps = Math.floor(lastReceivedMs / this.#stepMs) + gridPerInterval
    return (steps - Number(outgoing)) * this.#stepMs
  }
}
