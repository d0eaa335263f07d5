/**
 * Links that were dialled to ask or tell somebody something, and that nothing else needs. They are let
 * go when nobody has used them for a while: at a thousand nodes each would else gather links to all
 * whose slots it ever touched, and pay for the signs of life and the announcements on every one.
 *
 * Below a number of links they stay: a small network is meshed anyway, and the next question is
 * answered sooner.
 */

const unusedMs = 60_000
const lookEveryMs = 15_000

export class OnDemandLinks {
  /** When each was used last, by id of the node at the other end. */
  readonly #usedMs = new Map<string, number>()
  #dueMs = Infinity

  /** Such a link is there. */
  add(id: string, nowMs: number): void {
    this.#usedMs.set(id, nowMs)
    this.#dueMs = Math.min(this.#dueMs, nowMs + unusedMs)
  }

  noteUse(id: string, nowMs: number): void {
    if (this.#usedMs.has(id)) this.#usedMs.set(id, nowMs)
  }

  delete(id: string): void {
    this.#usedMs.delete(id)
  }

  nextDeadline(): number {
    return this.#dueMs
  }

  /** Whom to let go now, so many at most, those first that were not used for longest. */
  takeUnused(nowMs: number, count: number, isNeeded: (id: string) => boolean): readonly string[] {
    this.#dueMs = this.#usedMs.size === 0 ? Infinity : nowMs + lookEveryMs
    const unused = [...this.#usedMs]
      .filter(([id, usedMs]) => usedMs <= nowMs - unusedMs && !isNeeded(id))
      .sort(([, one], [, two]) => one - two)
      .slice(0, Math.max(0, count))
      .map(([id]) => id)
    for (const id of unused) this.#usedMs.delete(id)
    return unused
  }
}
