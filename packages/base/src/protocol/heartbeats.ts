/**
 * Signs of life between our own nodes. A link on which nothing came for `heartbeatIntervalMs` gets a
 * ping; if nothing at all comes within `heartbeatTimeoutMs` after that, the peer is gone. So a dead
 * peer is noticed within the sum of the two, also where TCP would wait for minutes.
 *
 * Nothing is done per message: what was heard is looked up when a ping is due. And little is done per
 * link: all share one deadline, moments lie on a grid, the end that dialled asks a little earlier than
 * the other one, which then need not ask, and whoever asks one peer asks those that are nearly due as
 * well. So the pings of a node fall into step, and a silent device wakes a few times in each interval,
 * however many links it has.
 */
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import type { NodeLimits } from './limits.ts'
import type { LinkId } from './link.ts'

/** Deadlines are multiples of this part of the interval; one never lies behind the interval itself. */
const gridPerInterval = 10
/** So many steps of the grid early, a link is asked together with others. */
const earlySteps = 2

interface Beat {
  readonly connection: Connection
  /** When it was asked last. */
  pingedMs: number
}

/** A link that is to be asked, or given up because it is silent. */
interface DueBeat {
  readonly connection: Connection
  readonly isSilent: boolean
}

export class Heartbeats {
  readonly #deadlines: Deadlines
  readonly #limits: NodeLimits
  readonly #beats = new Map<LinkId, Beat>()
  #nextMs = Infinity

  constructor(deadlines: Deadlines, limits: NodeLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  /** Old peers have no heartbeat; their links end by TCP alone. */
  start(connection: Connection): void {
    if (!connection.supports('heartbeat')) return
    const beat = { connection, pingedMs: -Infinity }
    this.#beats.set(connection.link, beat)
    this.#wakeAt(Math.min(this.#nextMs, this.#dueMs(beat)))
  }

  /** The deadline is left standing: at worst nothing is due then. */
  stop(link: LinkId): void {
    this.#beats.delete(link)
  }

  /** Whom to ask and whom to give up, now that the deadline has come. */
  takeDue(monoMs: number): readonly DueBeat[] {
    const due: DueBeat[] = []
    const beats = [...this.#beats.values()]
    const isAsking = beats.some((beat) => !isOwed(beat) && this.#dueMs(beat) <= monoMs)
    const earlyMs = isAsking ? earlySteps * this.#stepMs : 0
    let nextMs = Infinity
    for (const beat of beats) {
      const { connection } = beat
      const isSilent = isOwed(beat)
      const aheadMs = connection.outgoing && !isSilent ? earlyMs : 0
      if (this.#dueMs(beat) <= monoMs + aheadMs) {
        due.push({ connection, isSilent })
        beat.pingedMs = monoMs
      }
      nextMs = Math.min(nextMs, this.#dueMs(beat))
    }
    this.#wakeAt(nextMs)
    return due
  }

  #wakeAt(atMs: number): void {
    this.#nextMs = atMs
    this.#deadlines.set('beat', atMs)
  }

  /** When the peer is given up; or else, when it is asked. */
  #dueMs(beat: Beat): number {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#limits
    if (isOwed(beat)) return beat.pingedMs + heartbeatTimeoutMs
    const { outgoing, lastReceivedMs } = beat.connection
    const steps = Math.floor((lastReceivedMs + heartbeatIntervalMs) / this.#stepMs)
    return (steps - Number(outgoing)) * this.#stepMs
  }

  get #stepMs(): number {
    return this.#limits.heartbeatIntervalMs / gridPerInterval
  }
}

/** True while nothing came since the peer was asked. */
function isOwed({ connection, pingedMs }: Beat): boolean {
  return connection.lastReceivedMs < pingedMs
}
