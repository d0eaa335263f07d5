/**
 * Questions that are under way to other nodes, each with everybody who waits for the answer.
 *
 * The originals keep one asker per slot, so a second one takes the answer away from the first, and a
 * node on the way says nil at once. Here all askers of a slot share one question, and a peer is
 * answered once: with the value, or with a nil when the time for a value is over.
 *
 * Only the node that was asked can answer: a `retrieved` that nobody asked for is nothing.
 *
 * Source: spec/chord.md §6.1–§6.3, §12.5, §12.6.
 */
import type { RequestId } from '@p2p/base'
import type { Value } from '@p2p/serializer'
import type { Slot } from './hash-tables.ts'
import { isSameValue } from './vote.ts'

export type Waiter =
  /** A peer, with the words in which it asked. */
  | { readonly type: 'peer'; readonly peer: string; readonly wording: readonly [Value, Value] }
  | { readonly type: 'read'; readonly request: RequestId }
  /** A write that wants to know whether the owner has what was sent to it. */
  | { readonly type: 'write'; readonly request: RequestId; readonly sent: Uint8Array }
  /** A delete that is sent only where there is a value: py2p closes the link over any other. */
  | { readonly type: 'delete'; readonly request: RequestId }
  /** Whether an old owner still has what is kept for it here. */
  | { readonly type: 'tend' }

export interface OpenQuestion {
  readonly slot: Slot
  /** The node that was asked. */
  readonly to: string
  readonly waiters: Waiter[]
  endMs: number
}

/** Slots asked for at a time; beyond, peers get a nil at once. */
export const maxOpenQuestions = 8_192
/** Askers of one slot; the originals have room for one. */
const maxWaiters = 64
/** py2p waits 10 s for an answer; a late nil is of no use to it. */
const questionTimeoutMs = 8_000
/** How long a value may come after a nil: an old node on the way says nil before it knows. */
const afterNilMs = 1_000

export class OpenQuestions {
  readonly #questions = new Map<string, OpenQuestion>()

  get size(): number {
    return this.#questions.size
  }

  /** `ask`: send the question. `joined`: it is under way. `full`: no room for it. */
  add(
    slot: Slot,
    to: string,
    waiter: Waiter,
    nowMs: number,
    timeoutMs: number = questionTimeoutMs,
  ): 'ask' | 'joined' | 'full' {
    const name = nameOf(slot, to)
    const open = this.#questions.get(name)
    if (open !== undefined) {
      if (open.waiters.length >= maxWaiters) return 'full'
      open.waiters.push(waiter)
      // What was asked before a store went out does not tell whether it arrived.
      return waiter.type === 'write' ? 'ask' : 'joined'
    }
    if (this.#questions.size >= maxOpenQuestions) return 'full'
    const endMs = nowMs + timeoutMs
    this.#questions.set(name, { slot, to, waiters: [waiter], endMs })
    return 'ask'
  }

  /** The question that this answers; undefined when the peer was not asked. */
  find(slot: Slot, from: string): OpenQuestion | undefined {
    return this.#questions.get(nameOf(slot, from))
  }

  /**
   * Takes out those whom this value answers. A write that was sent after the question waits on for its
   * own value; what came may be the one before it.
   */
  takeWaiters(question: OpenQuestion, value: Uint8Array): readonly Waiter[] {
    const { slot, to, waiters } = question
    const waiting = waiters.filter(
      (waiter) => waiter.type === 'write' && !isSameValue(waiter.sent, value),
    )
    const answered = waiters.filter((waiter) => !waiting.includes(waiter))
    waiters.splice(0, waiters.length, ...waiting)
    if (waiting.length === 0) this.#questions.delete(nameOf(slot, to))
    return answered
  }

  /** A nil came: what is to come after it must come soon. */
  shorten(question: OpenQuestion, nowMs: number): void {
    question.endMs = Math.min(question.endMs, nowMs + afterNilMs)
  }

  /** Takes out the questions whose time is over. */
  takeDue(nowMs: number): readonly OpenQuestion[] {
    return this.#take((question) => question.endMs <= nowMs)
  }

  /** Takes out the questions to a node that is gone. */
  takeAskedOf(peer: string): readonly OpenQuestion[] {
    return this.#take((question) => question.to === peer)
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { endMs } of this.#questions.values()) next = Math.min(next, endMs)
    return next
  }

  #take(isWanted: (question: OpenQuestion) => boolean): readonly OpenQuestion[] {
    const taken = [...this.#questions.values()].filter(isWanted)
    for (const { slot, to } of taken) this.#questions.delete(nameOf(slot, to))
    return taken
  }
}

function nameOf(slot: Slot, to: string): string {
  return `${to} ${slot.name}`
}
