/** Storing nodes of one process, which form a ring by themselves or join one. */
import { ChordNode } from '@p2p/chord'

/** Opens nodes that store, without disks, one after the other; the first seeds the others where there are no seeds. */
export async function openNodes(
  count: number,
  seeds: readonly string[],
): Promise<readonly ChordNode[]> {
  const nodes: ChordNode[] = []
  for (let index = 0; index < count; index += 1) {
    const connect = seeds.length > 0 ? seeds : (nodes[0]?.addresses.slice(0, 1) ?? [])
    nodes.push(await ChordNode.open({ listen: 'tcp://127.0.0.1:0', connect, join: true }))
  }
  return nodes
}

/** Resolves once the node knows that this many nodes store, itself among them. */
export function knowsRing(node: ChordNode, size: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (node.report().ring.size >= size) resolve()
    }
    node.on('ring', look)
    look()
  })
}
