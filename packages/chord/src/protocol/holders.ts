/**
 * Who should hold a slot, without those that did not answer lately: they are passed over for a while, and
 * the next ones in the line of succession stand in for them.
 */
import type { Slot } from './hash-tables.ts'
import type { StoringNodes } from './storing-nodes.ts'

/** A node that did not answer is not asked again for this long: a dead one has lost its links by then. */
const avoidMs = 15_000

const nobody: readonly string[] = []

export interface HolderParts {
  readonly nodes: StoringNodes
  readonly replicas: number
  readonly isTalking: boolean
}

export class Holders {
  readonly #parts: HolderParts
  /** Nodes that did not answer, and until when they are passed over. */
  readonly #avoided = new Map<string, number>()

  constructor(parts: HolderParts) {
    this.#parts = parts
  }

  avoid(id: string, nowMs: number): void {
    this.#avoided.set(id, nowMs + avoidMs)
  }

  /** The node is there again, or is no member any more. */
  forgive(id: string): void {
    this.#avoided.delete(id)
  }

  /** Takes up again those whose time is over. */
  sweep(nowMs: number): void {
    for (const [id, untilMs] of this.#avoided) if (untilMs <= nowMs) this.#avoided.delete(id)
  }

  /** Those that would hold the slot, had they answered. */
  passedOver(slot: Slot): readonly string[] {
    const { nodes, replicas, isTalking } = this.#parts
    if (this.#avoided.size === 0 || !isTalking) return nobody
    const holders = nodes.holdersOf(slot.position, replicas).map(({ id }) => id)
    return holders.filter((id) => this.#avoided.has(id))
  }

  /** Ids, the owner first. An old owner comes on top of those that keep replicas. */
  of(slot: Slot): readonly string[] {
    const { nodes, replicas, isTalking } = this.#parts
    if (!isTalking) {
      const owner = nodes.ownerOf(slot.position)
      return owner === undefined ? [] : [owner.id]
    }
    const avoided = this.#avoided.size
    const holders = nodes.holdersOf(slot.position, replicas + avoided)
    const reachable = avoided === 0 ? holders : holders.filter(({ id }) => !this.#avoided.has(id))
    const [owner] = reachable
    const count = replicas + (owner?.isOld === true ? 1 : 0)
    return reachable.slice(0, count).map(({ id }) => id)
  }
}
