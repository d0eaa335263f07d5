/**
 * Whom to ask first. Three of the five tables decide, so a read or a write begins with those three that take the
 * fewest nodes: what is held here, or by who is asked anyway, costs nothing, and who would have to be dialled costs
 * most. The others are asked when these do not agree, or do not answer in time.
 *
 * Source: requests held back until the first ones are late: Dean and Barroso, The Tail at Scale (2013).
 */
import { majority } from './vote.ts'

export interface HeldTable {
  /** Ids, the owner first. */
  readonly holders: readonly string[]
}

export interface QuorumWishes {
  readonly id: string
  /** The owner and so many behind it, of each table. */
  readonly holdersEach: number
  readonly neighbours: { has(id: string): boolean }
}

export interface Quorum<Table> {
  /** All tables, those to be asked first in front … */
  readonly tables: readonly Table[]
  /** … and how many these are: three, and what their nodes hold besides. */
  readonly first: number
  readonly nodes: ReadonlySet<string>
}

const neighbourCost = 1
const dialCost = 3

export function smallestQuorum<Table extends HeldTable>(
  all: readonly Table[],
  { id, holdersEach, neighbours }: QuorumWishes,
): Quorum<Table> {
  const nodes = new Set([id])
  const costOf = (holder: string): number => {
    if (nodes.has(holder)) return 0
    return neighbours.has(holder) ? neighbourCost : dialCost
  }
  /** The owner, and the cheapest behind it. */
  const neededOf = ({ holders }: Table): readonly string[] => {
    if (holders.length <= holdersEach || holdersEach === 1) return holders.slice(0, holdersEach)
    const [owner = '', ...others] = holders
    return [owner, ...others.sort((a, b) => costOf(a) - costOf(b)).slice(0, holdersEach - 1)]
  }
  const tables: Table[] = []
  const left = [...all]
  while (left.length > 0) {
    let best = { index: 0, cost: Infinity, needed: [] as readonly string[] }
    for (const [index, table] of left.entries()) {
      const needed = neededOf(table)
      let cost = 0
      for (const holder of needed) cost += costOf(holder)
      if (cost < best.cost) best = { index, cost, needed }
      if (cost === 0) break
    }
    if (tables.length >= majority && best.cost > 0) break
    tables.push(...left.splice(best.index, 1))
    for (const holder of best.needed) nodes.add(holder)
  }
  return { tables: [...tables, ...left], first: tables.length, nodes }
}
