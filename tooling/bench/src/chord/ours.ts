/** Our hash table as it is by default: five tables, each slot at five nodes, writes acknowledged. */
import { ChordNode } from '@p2p/chord'
import type { TableContender } from './contender.ts'

export const ours: TableContender = {
  name: 'p2p',
  maxNodes: Infinity,
  operations: 500,
  async open(nodeCount) {
    const nodes: ChordNode[] = []
    const add = async (): Promise<void> => {
      const connect = nodes[0]?.addresses.slice(0, 1) ?? []
      nodes.push(await ChordNode.open({ listen: 'tcp://127.0.0.1:0', connect, join: true }))
    }
    // A newcomer knows all once it has joined; the others hear of it a little later.
    const allKnowAll = async (): Promise<void> => {
      await Promise.all(nodes.map((node) => knows(node, nodes.length)))
    }
    while (nodes.length < nodeCount) await add()
    await allKnowAll()
    return {
      async put(node, key, value) {
        await nodes[node]?.set(key, value)
        return key
      },
      async get(node, key) {
        const value = await nodes[node]?.get(key as string)
        return typeof value === 'string' ? value : undefined
      },
      join: add,
      async close() {
        await allKnowAll()
        // Half of them at a time would hand everything over again and again.
        await Promise.all(nodes.map((node) => node.close()))
      },
    }
  },
}

/** Resolves once the node knows of so many that store. */
function knows(node: ChordNode, size: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (node.report().ring.size < size) return
      stop()
      resolve()
    }
    const stop = node.on('ring', look)
    look()
  })
}
