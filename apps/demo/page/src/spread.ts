/** How broadcasts spread: copies sent for each delivery, and the time until the last node had it. */

interface Spread {
  readonly firstMs: number
  lastNewsMs: number
  lastMs: number
  copies: number
  readonly reached: Set<string>
}

/** What one broadcast came to. */
export interface SpreadResult {
  readonly copiesPerDelivery: number
  readonly convergenceMs: number
  readonly deliveries: number
}

/** A broadcast is over when nothing was heard of it for so long. */
const quietMs = 3_000
/** The most broadcasts watched at once; more are not measured. */
const maxWatched = 2_000

export class Spreads {
  readonly #watched = new Map<string, Spread>()

  /** A frame with this broadcast went from one node to another. */
  saw(
    id: string,
    frame: { readonly from: string; readonly to: string; readonly atMs: number },
  ): void {
    let spread = this.#watched.get(id)
    if (spread === undefined) {
      if (this.#watched.size >= maxWatched) return
      const { atMs, from } = frame
      spread = {
        firstMs: atMs,
        lastNewsMs: atMs,
        lastMs: atMs,
        copies: 0,
        reached: new Set([from]),
      }
      this.#watched.set(id, spread)
    }
    spread.copies += 1
    spread.lastMs = frame.atMs
    if (spread.reached.has(frame.to)) return
    spread.reached.add(frame.to)
    spread.lastNewsMs = frame.atMs
  }

  /** Takes out those that are over. */
  takeFinished(nowMs: number): readonly SpreadResult[] {
    const results: SpreadResult[] = []
    for (const [id, { firstMs, lastMs, lastNewsMs, copies, reached }] of this.#watched) {
      if (nowMs - lastMs < quietMs) continue
      this.#watched.delete(id)
      const deliveries = reached.size - 1
      if (deliveries > 0)
        results.push({
          deliveries,
          copiesPerDelivery: copies / deliveries,
          convergenceMs: lastNewsMs - firstMs,
        })
    }
    return results
  }
}
