/**
 * The storing nodes that this node knows, in ring order.
 *
 * It answers the two questions of the whole package: who owns a position (the node at or nearest
 * behind it), and who follows in the line of succession. When an owner dies, its arc falls to the
 * node *behind* it; so replicas go to the nodes preceding the owner, and the new owner has held the
 * value all along.
 *
 * A sorted array: 20,000 members cost one copy of at most that many pointers per join or leave, and
 * a look-up is one binary search.
 *
 * Source: spec/chord.md §3; research on placement: replicas on the *next* nodes leave half of the
 * keys unreadable for an old reader after half of the nodes died.
 */
import { nodePosition } from './ring.ts'
import type { Position } from './ring.ts'

export interface StoringNode {
  readonly id: string
  readonly position: Position
}

export class StoringNodes {
  readonly #ordered: StoringNode[] = []
  readonly #byId = new Map<string, StoringNode>()

  get size(): number {
    return this.#ordered.length
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** False when the id has no place on the ring or is known already. */
  add(id: string): boolean {
    if (this.#byId.has(id)) return false
    const position = nodePosition(id)
    if (position === undefined) return false
    const node = { id, position }
    this.#ordered.splice(this.#countUpTo(position), 0, node)
    this.#byId.set(id, node)
    return true
  }

  delete(id: string): boolean {
    const node = this.#byId.get(id)
    if (node === undefined) return false
    this.#byId.delete(id)
    this.#ordered.splice(this.#ordered.indexOf(node, this.#firstAt(node.position)), 1)
    return true
  }

  /** In ring order, from position 0 on. */
  values(): IterableIterator<StoringNode> {
    return this.#ordered.values()
  }

  /** The node at or nearest behind the position; undefined when no node is known. */
  ownerOf(position: Position): StoringNode | undefined {
    return this.#ordered.at(this.#countUpTo(position) - 1)
  }

  /**
   * The owner of the position and the nodes behind it, nearest first: the line of succession. Fewer
   * than `count` when fewer are known; none comes twice.
   */
  holdersOf(position: Position, count: number): readonly StoringNode[] {
    return this.#walk(this.#countUpTo(position) - 1, { step: -1, count })
  }

  /** The nodes behind this one, nearest first, without itself: who inherits its keys. */
  behind(id: string, count: number): readonly StoringNode[] {
    return this.#neighbours(id, { step: -1, count })
  }

  /** The nodes ahead of this one, nearest first, without itself: whose keys it would inherit. */
  ahead(id: string, count: number): readonly StoringNode[] {
    return this.#neighbours(id, { step: 1, count })
  }

  #neighbours(
    id: string,
    { step, count }: { readonly step: 1 | -1; readonly count: number },
  ): readonly StoringNode[] {
    const node = this.#byId.get(id)
    if (node === undefined) return []
    const index = this.#ordered.indexOf(node, this.#firstAt(node.position))
    return this.#walk(index + step, { step, count: Math.min(count, this.size - 1) })
  }

  #walk(
    start: number,
    { step, count }: { readonly step: 1 | -1; readonly count: number },
  ): readonly StoringNode[] {
    const found: StoringNode[] = []
    const size = this.#ordered.length
    for (let walked = 0; walked < Math.min(count, size); walked += 1) {
      const node = this.#ordered[(start + walked * step + size * 2) % size]
      if (node !== undefined) found.push(node)
    }
    return found
  }

  /** How many nodes stand at or behind the position, counted from 0. */
  #countUpTo(position: Position): number {
    return this.#search((at) => at <= position)
  }

  /** Index of the first node at or ahead of the position, counted from 0. */
  #firstAt(position: Position): number {
    return this.#search((at) => at < position)
  }

  #search(isBehind: (at: Position) => boolean): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const node = this.#ordered[middle]
      if (node !== undefined && isBehind(node.position)) low = middle + 1
      else high = middle
    }
    return low
  }
}
