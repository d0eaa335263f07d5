/**
 * Makes old nodes that store known to each other. Each of them takes for its own what lies ahead of it up
 * to the next storing node that it has a link to; so of two that have none the one behind claims what
 * belongs to the other, and reads "nothing" there. Both originals dial whom a peers list names, as long as
 * they have dialled fewer than four, and py2p nearly always.
 *
 *   newcomer   an old node that says over its link that it stores is told of everybody, except
 *   behind     the old nodes right behind it on the ring, which are told of it instead; never both, because
 *              py2p loses both links when two dial each other (spec/mesh.md §3.4)
 *   again      those behind are told again now and then: a dial may have failed
 *
 * js2p is told at once, and only by the node that heard it first: it waits for one dial at a time.
 *
 * Source: spec/chord.md §8, §12.3; spec/observed.md 2.
 */
import type { Peer } from '@p2p/base'
import type { StoringNodes } from './storing-nodes.ts'

/** A peers list to be sent. */
export interface Introduction {
  readonly peer: string
  /** Neighbours that are not in it. */
  readonly without: ReadonlySet<string>
}

export class Introductions {
  readonly #nodes: StoringNodes
  /** Neighbours that were told when they said that they store. */
  readonly #told = new Set<string>()

  constructor(nodes: StoringNodes) {
    this.#nodes = nodes
  }

  /** The neighbour says that it stores; `isNews` when nobody had said so before. */
  introduce(
    { id, kind }: Peer,
    isNews: boolean,
    peers: ReadonlyMap<string, Peer>,
  ): readonly Introduction[] {
    const isFirst = !this.#told.has(id)
    this.#told.add(id)
    if (!isNews && !(isFirst && kind === 'py2p')) return []
    const behind = this.#nodes.oldBeside(id, -1).map((node) => node.id)
    const toThose = behind.flatMap((other) => this.#ahead(other, peers))
    return [{ peer: id, without: new Set(behind) }, ...toThose]
  }

  /** The neighbour is gone, or stores no more. */
  forget(id: string): void {
    this.#told.delete(id)
  }

  /** What to tell again. */
  again(peers: ReadonlyMap<string, Peer>): readonly Introduction[] {
    return [...this.#told].flatMap((id) => this.#ahead(id, peers))
  }

  /** The old nodes right ahead of a neighbour, for that neighbour. */
  #ahead(id: string, peers: ReadonlyMap<string, Peer>): readonly Introduction[] {
    if (peers.get(id)?.kind !== 'py2p') return []
    const ahead = new Set(this.#nodes.oldBeside(id, 1).map((node) => node.id))
    const without = new Set([...peers.keys()].filter((other) => !ahead.has(other)))
    return without.size === peers.size ? [] : [{ peer: id, without }]
  }
}
