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
import { fractionOf, shiftedPosition } from './ring.ts'
import type { Arc, Position } from './ring.ts'

export interface StoringNode {
  readonly id: string
  readonly position: Position
  /** A program of protocol 0.7 without replicas: it owns what is nearest ahead of it, and keeps nothing else. */
  readonly isOld: boolean
}

export class StoringNodes {
  readonly #ordered: StoringNode[] = []
  readonly #fractions: number[] = []
  readonly #byId = new Map<string, StoringNode>()
  #oldCount = 0

  get size(): number {
    return this.#ordered.length
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** Those that keep replicas. */
  get keeperCount(): number {
    return this.size - this.#oldCount
  }

  get(id: string): StoringNode | undefined {
    return this.#byId.get(id)
  }

  /** False when the id has no place on the ring or is known already. `shift`: see `shiftedPosition`. */
  add(id: string, isOld = false, shift = 0): boolean {
    const position = shiftedPosition(id, shift)
    return position !== undefined && this.insert({ id, position, isOld })
  }

  /** A node where it stands; false when it is known already. */
  insert(node: StoringNode): boolean {
    const { id, position } = node
    if (this.#byId.has(id)) return false
    if (node.isOld) this.#oldCount += 1
    const index = this.#countUpTo(position)
    this.#ordered.splice(index, 0, node)
    this.#fractions.splice(index, 0, fractionOf(position))
    this.#byId.set(id, node)
    return true
  }

  delete(id: string): boolean {
    const node = this.#byId.get(id)
    if (node === undefined) return false
    this.#byId.delete(id)
    if (node.isOld) this.#oldCount -= 1
    const index = this.#indexOf(node)
    this.#ordered.splice(index, 1)
    this.#fractions.splice(index, 1)
    return true
  }

  /** Where they stand, in ring order: see `fractionOf`. Apart from the rest, because to read a thousand numbers side by side costs little. */
  get fractions(): readonly number[] {
    return this.#fractions
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
   * The owner of the position and the nodes behind it that keep replicas, nearest first: the line of
   * succession. An old owner comes first and is not counted. Fewer than `count` when fewer are known;
   * none comes twice.
   */
  holdersOf(position: Position, count: number): readonly StoringNode[] {
    const index = this.#countUpTo(position) - 1
    const keepers = this.#walk(index, -1, count)
    const owner = this.#ordered.at(index)
    return owner?.isOld === true ? [owner, ...keepers] : keepers
  }

  /** The keepers of replicas behind this node, nearest first, without itself: who inherits its keys. */
  behind(id: string, count: number): readonly StoringNode[] {
    return this.#neighbours(id, -1, count)
  }

  /** The keepers of replicas ahead of this node, nearest first, without itself: whose keys it would inherit. */
  ahead(id: string, count: number): readonly StoringNode[] {
    return this.#neighbours(id, 1, count)
  }

  /**
   * The part of the ring whose slots this node holds when each is held `count` times: from itself to
   * the keeper number `count` ahead of it. With no more keepers than that it holds the whole ring, and
   * both ends are one. Undefined for a node that is not here.
   */
  arcOf(id: string, count: number): Arc | undefined {
    const node = this.#byId.get(id)
    if (node === undefined) return undefined
    const end = this.ahead(id, count)[count - 1]
    return { from: node.position, to: end?.position ?? node.position }
  }

  /** Some old nodes, in ring order. */
  old(count: number): readonly StoringNode[] {
    if (this.#oldCount === 0) return []
    return this.#ordered.filter(({ isOld }) => isOld).slice(0, count)
  }

  /** The old nodes between this node and the next keeper: ahead of it for 1, behind it for -1; nearest first. */
  oldBeside(id: string, step: 1 | -1): readonly StoringNode[] {
    const node = this.#byId.get(id)
    if (node === undefined || this.#oldCount === 0) return []
    const index = this.#indexOf(node)
    const found: StoringNode[] = []
    for (let walked = 1; walked < this.size; walked += 1) {
      const next = this.#ordered[(index + walked * step + this.size * 2) % this.size]
      if (next?.isOld !== true) break
      found.push(next)
    }
    return found
  }

  /**
   * The slots of old owners for which this keeper is the first one behind them: from the old node ahead
   * of it to the next keeper. Undefined when no old node follows.
   */
  tendedArcOf(id: string): Arc | undefined {
    const [next] = this.oldBeside(id, 1)
    if (next === undefined) return undefined
    const [end = this.#byId.get(id)] = this.ahead(id, 1)
    return { from: next.position, to: (end ?? next).position }
  }

  /** Cheaply: true only if at least so many keepers stand between the two on each way around, or one is not here. */
  areFar(one: string, other: string, count: number): boolean {
    const [from, to] = [this.#byId.get(one), this.#byId.get(other)]
    if (from === undefined || to === undefined) return true
    const steps = Math.abs(this.#indexOf(from) - this.#indexOf(to))
    return Math.min(steps, this.size - steps) > count + this.#oldCount
  }

  #neighbours(id: string, step: 1 | -1, count: number): readonly StoringNode[] {
    const node = this.#byId.get(id)
    if (node === undefined) return []
    const index = this.#indexOf(node)
    const others = this.keeperCount - (node.isOld ? 0 : 1)
    return this.#walk(index + step, step, Math.min(count, others))
  }

  #indexOf(node: StoringNode): number {
    return this.#ordered.lastIndexOf(node, this.#countUpTo(node.position) - 1)
  }

  /** Keepers only. */
  #walk(start: number, step: 1 | -1, count: number): readonly StoringNode[] {
    const found: StoringNode[] = []
    const size = this.#ordered.length
    for (let walked = 0; found.length < count && walked < size; walked += 1) {
      const node = this.#ordered[(start + walked * step + size * 2) % size]
      if (node !== undefined && !node.isOld) found.push(node)
    }
    return found
  }

  /** How many nodes stand at or behind the position, counted from 0. */
  #countUpTo(position: Position): number {
    const fraction = fractionOf(position)
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.#fractions[middle] ?? 1
      // Fractions nearly always tell, and cost little to compare.
      const isUpTo =
        at === fraction ? (this.#ordered[middle]?.position ?? 0n) <= position : at < fraction
      if (isUpTo) low = middle + 1
      else high = middle
    }
    return low
  }
}
