/**
 * Guards against half frames: one that comes too slowly is holding memory, not sending, and all of
 * them together may hold so much and no more (design: limits).
 */
import type { Connection } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import { P2pError } from './errors.ts'
import type { NodeLimits } from './limits.ts'

interface Victim {
  readonly connection: Connection
  readonly reason: P2pError
}

export class FrameWatch {
  readonly #deadlines: Deadlines
  readonly #limits: NodeLimits

  constructor(deadlines: Deadlines, limits: NodeLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  /** To be called after bytes came in; whom to close because all together hold too much, if so. */
  observe(connection: Connection, all: Iterable<Connection>): Victim | undefined {
    if (connection.receivingBytes === 0) return undefined
    const name = `frame ${connection.link}`
    if (!this.#deadlines.has(name)) this.#deadlines.set(name, connection.frameDeadlineMs)
    return overReceiveBudget(all, this.#limits.maxReceivingBytes)
  }

  /** The deadline of a link came: the reason to close it, or undefined when it kept its pace. */
  onDue(connection: Connection, monoMs: number): P2pError | undefined {
    const dueMs = connection.frameDeadlineMs
    if (dueMs > monoMs) {
      this.#deadlines.set(`frame ${connection.link}`, dueMs)
      return undefined
    }
    const { minFrameBytesPerSecond } = this.#limits
    const text = `a frame came slower than minFrameBytesPerSecond ${minFrameBytesPerSecond}`
    return new P2pError('P2P_FRAME_TOO_SLOW', text)
  }
}

/**
 * Whom to close when the half-received frames of all links exceed the limit: the one whose frame has
 * been under way longest, since an honest one is soon whole.
 */
function overReceiveBudget(
  connections: Iterable<Connection>,
  maxReceivingBytes: number,
): Victim | undefined {
  let receivingBytes = 0
  let slowest: Connection | undefined
  for (const connection of connections) {
    receivingBytes += connection.receivingBytes
    const startedMs = connection.frameStartedMs ?? Infinity
    if (startedMs < (slowest?.frameStartedMs ?? Infinity)) slowest = connection
  }
  if (receivingBytes <= maxReceivingBytes || slowest === undefined) return undefined
  const text = `slowest frame of more than maxReceivingBytes ${maxReceivingBytes}`
  return { connection: slowest, reason: new P2pError('P2P_RECEIVE_BUDGET', text) }
}
