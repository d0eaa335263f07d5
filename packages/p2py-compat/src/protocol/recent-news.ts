/**
 * The latest newcomers, for links that come into the peer book after the announcement went round: those of
 * the last half minute, and for a member that was away, those who came meanwhile. An announcement is flooded once, along the links there are at that moment; whoever gets
 * a link to us later would have to rely on another way, and there may be none, or one through a node
 * that is far behind with its work.
 */
export class RecentNews {
  /** UUID to the moment it was learned, oldest first. */
  readonly #learned = new Map<number, number>()

  learned(uuid: number, monoMs: number): void {
    this.#learned.delete(uuid)
    this.#learned.set(uuid, monoMs)
    for (const oldest of this.#learned.keys()) {
      if (this.#learned.size <= maxRemembered) break
      this.#learned.delete(oldest)
    }
  }

  forget(uuid: number): void {
    this.#learned.delete(uuid)
  }

  clear(): void {
    this.#learned.clear()
  }

  /**
   * What a member whose link we have now may have missed, oldest first. A newcomer was told of everybody
   * who had come before it. `awaySinceMs` is when a member that is back had left.
   */
  missedBy(
    member: number,
    { monoMs, awaySinceMs }: { readonly monoMs: number; readonly awaySinceMs: number | undefined },
  ): readonly number[] {
    const toldMs = Math.max(monoMs - recentMs, this.#learned.get(member) ?? -Infinity)
    const sinceMs = awaySinceMs ?? toldMs
    return [...this.#learned]
      .filter(([uuid, atMs]) => uuid !== member && atMs >= sinceMs)
      .map(([uuid]) => uuid)
  }
}

const recentMs = 30_000
/** A Python node takes a fifth of a second for each, so more would only keep it busy. */
const maxRemembered = 64
