import { SyncNode } from '@p2p/sync'
import { until } from './contender.ts'
import type { DictionaryContender } from './contender.ts'

/** Sets between two turns of the event loop, as a program that answers requests would leave some. */
const setsPerTurn = 250

export const ours: DictionaryContender = {
  name: 'p2p',
  maxDeliveries: Infinity,
  async open(nodeCount) {
    const first = await SyncNode.open({ listen: 'tcp://127.0.0.1:0' })
    const nodes = [first]
    const join = async (): Promise<SyncNode> => {
      const [address = ''] = first.addresses
      const node = await SyncNode.open({ listen: 'tcp://127.0.0.1:0' })
      await node.connect(address)
      nodes.push(node)
      return node
    }
    while (nodes.length < nodeCount) await join()
    await first.settled()
    return {
      async spread(keys, value) {
        const wanted = first.size + keys.length
        for (const [index, key] of keys.entries()) {
          first.set(key, value(key))
          if (index % setsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await until(() => nodes.every((node) => node.size >= wanted))
      },
      join: async () => {
        const node = await join()
        await until(() => node.size >= first.size)
      },
      async close() {
        await Promise.all(nodes.map((node) => node.close()))
      },
    }
  },
}
