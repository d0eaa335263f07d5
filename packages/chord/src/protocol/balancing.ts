/**
 * Where this node stands on the ring, so that all hold about the same.
 *
 *   newcomer   once it has been told who stores, it takes the best place of up to 64 that it draws
 *   moving     nodes that join at one moment do not know of each other, and those that leave make gaps. When
 *              nobody has come or gone for a while and somebody holds much more than the mean, a few nodes that
 *              chance picks look for another place, at times that they draw, and go there if that makes the
 *              ring more even. The next round begins with what is so then
 *
 * To move is to leave one place and join at another at once: the node keeps its links, and what it has
 * until those have it that should. Programs of protocol 0.7 take every node to stand at its id; so while one
 * of them stores, nobody takes another place, and those that have one go back one after the other.
 */
import type { Now, RandomBytes } from '@p2p/base'
import { costOfAdding, placesOf, share } from './even-places.ts'
import type { Places } from './even-places.ts'
import { randomBelow } from './random-below.ts'
import { fractionOf, nodePosition, shiftsAround } from './ring.ts'
import type { StoringNodes } from './storing-nodes.ts'

export const defaultTries = 64
/** Nobody moves while nobody holds more than so many times the mean: never among eight, as 8/5 is not more. */
const toleratedLoad = 1.6
/** One of fewer than the replicas and so many stands at its id: of eight, nobody holds more than is tolerated. */
const smallRing = 4
/** For each so many above it one more node looks for another place in a round. */
const aboveToMove = 8
/** From the last change of the ring to a round, and from one round to the next: as long as news takes, and as much again at most. */
const roundMs = 5_000
/** The way back to the ids is spread over so much time for each node of the ring. */
const returnMsPerNode = 500

export interface BalancingParts {
  readonly id: string
  readonly nodes: StoringNodes
  readonly replicas: number
  readonly random: RandomBytes
  /** False for a plain node: it stands at its id. */
  readonly isTalking: boolean
}

export class Balancing {
  readonly #parts: BalancingParts
  /** When `handleDeadline` is due. */
  dueMs: number = Infinity
  /** From 0 to 1, for all changes of the ring up to the next round: a newcomer hears of many at once. */
  #drawn: number

  constructor(parts: BalancingParts) {
    this.#parts = parts
    this.#drawn = randomBelow(parts.random, 1)
  }

  /** Somebody came to the ring, or went; not: moved. */
  ringChanged({ monoMs }: Now): void {
    const { id, nodes } = this.#parts
    this.dueMs = nodes.has(id) ? this.#nextRoundMs(monoMs) : Infinity
  }

  /** The shift of a better place for this node, now that it is time to look; undefined when it stays. */
  handleDeadline(ownShift: number, { monoMs }: Now): number | undefined {
    if (this.dueMs > monoMs) return undefined
    this.dueMs = Infinity
    if (this.#hasOld()) return ownShift === 0 ? undefined : 0
    const { nodes, replicas, random } = this.#parts
    const chance = chanceToMove(nodes.fractions, replicas)
    if (chance === 0) return undefined
    this.#drawn = randomBelow(random, 1)
    this.dueMs = this.#nextRoundMs(monoMs)
    return randomBelow(random, 1) < chance ? this.#bestShift(ownShift) : undefined
  }

  /** The shift for a node that begins to store, by the ring that it knows; 0 where all are as good. */
  shiftForNewcomer(): number {
    const { nodes, replicas } = this.#parts
    return this.#hasOld() || nodes.size < replicas + smallRing ? 0 : this.#bestShift()
  }

  #bestShift(ownShift?: number): number {
    const { id, nodes } = this.#parts
    return bestShift(id, placesOf(nodes, id), { ...this.#parts, ownShift })
  }

  #nextRoundMs(monoMs: number): number {
    const wayBackMs = this.#hasOld() ? this.#parts.nodes.size * returnMsPerNode : 0
    return monoMs + roundMs + this.#drawn * (roundMs + wayBackMs)
  }

  /** True for a plain node as well: all stand at their ids. */
  #hasOld(): boolean {
    const { nodes, isTalking } = this.#parts
    return !isTalking || nodes.keeperCount !== nodes.size
  }
}

/** The share of nodes that look for a better place in a round: one, and one more for some that hold too much. */
export function chanceToMove(places: Places, replicas: number): number {
  const most = (toleratedLoad * replicas) / places.length
  const above = places.filter((_, index) => share(places, index, replicas) > most).length
  return above === 0 ? 0 : (1 + above / aboveToMove) / places.length
}

/** The best shift that some draws find for a node among others; the one that it has when none is better. */
export function bestShift(
  id: string,
  others: Places,
  options: {
    readonly replicas: number
    readonly random: RandomBytes
    readonly tries?: number
    /** Undefined for a node without a place yet. */
    readonly ownShift?: number | undefined
  },
): number {
  const { replicas, random, tries = defaultTries, ownShift } = options
  const start = fractionOf(nodePosition(id) ?? 0n)
  const costOf = (shift: number): number =>
    costOfAdding(others, (start + shift / shiftsAround) % 1, replicas)
  let best = ownShift ?? 0
  let least = ownShift === undefined ? Infinity : costOf(ownShift)
  // Among few, a good place is found soon.
  for (let left = Math.min(tries, 2 * others.length); left > 0; left -= 1) {
    const shift = 1 + Math.floor(randomBelow(random, shiftsAround - 1))
    const cost = costOf(shift)
    if (cost >= least) continue
    least = cost
    best = shift
  }
  return best
}
