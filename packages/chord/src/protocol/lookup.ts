/**
 * One search for the owner of a position, as an iterator over questions: it says whom to ask, is told
 * who is nearer or that nobody answers, and ends at the living node nearest behind the position that
 * anybody named. It sends nothing and knows no peer.
 *
 * Always the nearest known node is asked. When it answers and names none nearer, it is the owner; when it
 * does not answer, the next nearest is asked, so every dead node costs one wait and no wrong turn.
 *
 * Source: the iterative look-ups of Chord and Kademlia; spec/chord.md §3 for who owns a position.
 */
import { clockwiseDistance } from './ring.ts'
import type { Position } from './ring.ts'
import type { StoringNode } from './storing-nodes.ts'

/** Nodes named in one answer. All of them are dead once in 2^24 straight after half of all nodes died. */
export const namedInAnswer = 24
/** Nodes asked in all; a search that needs more is led about. */
const maxAsked = 128
const maxCandidates = 256

interface Candidate {
  readonly id: string
  /** How far it lies behind the position. */
  readonly distance: Position
  state: 'new' | 'asked' | 'answered'
}

export class Lookup {
  readonly #position: Position
  /** Nearest first, without those that did not answer. */
  #candidates: Candidate[] = []
  readonly #failed = new Set<string>()
  #askedCount = 0
  #answerCount = 0

  /** Begins with nodes that are known, such as the nearest of the own table. */
  constructor(position: Position, known: readonly StoringNode[]) {
    this.#position = position
    this.#take(known)
  }

  /** Nodes that answered so far: the hops of the way. */
  get hops(): number {
    return this.#answerCount
  }

  /** Nodes that did not answer. */
  get failures(): number {
    return this.#failed.size
  }

  /** The owner, once nobody nearer is left to ask. */
  get owner(): string | undefined {
    const [nearest] = this.#candidates
    return nearest?.state === 'answered' ? nearest.id : undefined
  }

  /** Whom to ask; undefined while an answer is awaited, and at the end. */
  next(): string | undefined {
    const [nearest] = this.#candidates
    if (nearest?.state !== 'new' || this.#askedCount >= maxAsked) return undefined
    nearest.state = 'asked'
    this.#askedCount += 1
    return nearest.id
  }

  /** The node lives, and knows these as the nearest behind the position. */
  handleAnswer(id: string, nearer: readonly StoringNode[]): void {
    const candidate = this.#candidates.find((known) => known.id === id)
    if (candidate?.state !== 'asked') return
    candidate.state = 'answered'
    this.#answerCount += 1
    this.#take(nearer.slice(0, namedInAnswer))
  }

  handleFailed(id: string): void {
    this.#failed.add(id)
    this.#candidates = this.#candidates.filter((known) => known.id !== id)
  }

  #take(nodes: readonly StoringNode[]): void {
    for (const { id, position } of nodes) {
      if (this.#failed.has(id) || this.#candidates.some((known) => known.id === id)) continue
      const distance = clockwiseDistance({ from: position, to: this.#position })
      this.#candidates.push({ id, distance, state: 'new' })
    }
    this.#candidates.sort((a, b) =>
      a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : 0,
    )
    this.#candidates.splice(maxCandidates)
  }
}
