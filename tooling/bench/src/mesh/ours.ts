import { MeshNode } from '@p2p/mesh'
import { until } from './contender.ts'
import type { MeshContender } from './contender.ts'

export const ours: MeshContender = {
  name: 'p2p',
  maxNodes: Infinity,
  async open(nodeCount, onMessage) {
    const first = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
    const nodes = [first]
    while (nodes.length < nodeCount) {
      const index = nodes.length
      const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0', connect: first.addresses })
      node.on('message', ({ packets: [payload] }) => {
        if (payload instanceof Uint8Array) onMessage(index, payload)
      })
      nodes.push(node)
    }
    await until('links', () => nodes.every(({ peers }) => peers.size >= Math.min(nodeCount - 1, 4)))
    return {
      broadcast: (payload) => void first.broadcast(payload),
      async close() {
        await Promise.all(nodes.map((node) => node.close()))
      },
    }
  },
}
