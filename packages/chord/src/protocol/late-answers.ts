/**
 * Answers to py2p, held for a moment.
 *
 * py2p sends a question from the thread that reads, and notes only afterwards that it asked; answers are
 * taken in by its network thread. One that arrives in between is for a question it does not know, and is
 * dropped: a read that loses three of its five answers comes to nothing. Over loopback that hit one
 * answer in twenty. py2p looks at its answers every 100 ms, so a later one costs a reader nothing.
 *
 * Source: py2p 0.7.870 chord.py, observed; spec/chord.md §6.1.
 */
import type { Value } from '@p2p/serializer'

/** Ample for py2p, and below the 100 ms after which it looks first. */
const answerDelayMs = 60
/** Answers held at a time; beyond, they go out at once. */
export const maxLateAnswers = 8_192

export interface LateAnswer {
  readonly peer: string
  readonly payload: readonly Value[]
}

interface HeldAnswer extends LateAnswer {
  readonly dueMs: number
}

export class LateAnswers {
  /** Oldest first: all wait equally long. */
  #held: HeldAnswer[] = []

  /** False when there is no room. */
  add({ peer, payload }: LateAnswer, nowMs: number): boolean {
    if (this.#held.length >= maxLateAnswers) return false
    this.#held.push({ peer, payload, dueMs: nowMs + answerDelayMs })
    return true
  }

  nextDeadline(): number {
    return this.#held[0]?.dueMs ?? Infinity
  }

  takeDue(nowMs: number): readonly LateAnswer[] {
    const firstLater = this.#held.findIndex(({ dueMs }) => dueMs > nowMs)
    if (firstLater === 0) return []
    return this.#held.splice(0, firstLater === -1 ? this.#held.length : firstLater)
  }
}
