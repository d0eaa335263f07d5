/**
 * What a node keeps of the ring to find its way: all members up to 20,000, and beyond that its neighbours
 * and fingers.
 *
 * The fingers are those of base 16: for each place value 16^k and each digit 1 to 15, the node that
 * owns the position so far ahead of this one. A question that follows them comes nearer to its goal by
 * one hexadecimal digit at each hop, and the neighbours make up for the last digits. Half of the
 * neighbours may die at once and the next living node on the way is still known to everybody who needs it:
 * with 24 on each side that fails once in 2^24.
 *
 * What is kept is a `StoringNodes` again, so that the next hop is its answer to who owns a position.
 *
 * Source: Stoica et al., Chord (2001), with the base of Pastry (Rowstron and Druschel, 2001), on a ring
 * whose arcs fall to the node behind; research on routing: 3.9 hops at 100,000 nodes.
 */
import { clockwiseDistance, ringSize, toPosition } from './ring.ts'
import { StoringNodes } from './storing-nodes.ts'
import type { StoringNode } from './storing-nodes.ts'

/** Members up to which a node keeps all: at an hour's sessions their news are some 2 kB a second. */
export const maxFullTable = 20_000
const base = 16n
export const neighboursEachSide = 24

/** The members by which the node routes; itself among them. All of them for an id that is not here. */
export function routingTableOf(
  nodes: StoringNodes,
  id: string,
  fullTable: number = maxFullTable,
): StoringNodes {
  const self = nodes.get(id)
  if (self === undefined || nodes.size <= fullTable) return nodes
  const table = new StoringNodes()
  const add = (node: StoringNode): void => {
    table.insert(node)
  }
  add(self)
  const ahead = nodes.ahead(id, neighboursEachSide)
  ahead.forEach(add)
  nodes.behind(id, neighboursEachSide).forEach(add)
  const last = ahead.at(-1)?.position ?? self.position
  const reach = clockwiseDistance({ from: self.position, to: last })
  // Nearer ahead than the last neighbour, all are known anyway.
  for (let step = ringSize / base; step * base > reach; step /= base) {
    for (let digit = 1n; digit < base; digit += 1n) {
      const owner = nodes.ownerOf(toPosition(self.position + digit * step))
      if (owner !== undefined) add(owner)
    }
  }
  return table
}
