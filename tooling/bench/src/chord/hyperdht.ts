/** HyperDHT, the table under Hyperswarm: immutable values, each stored at the nodes nearest to its hash. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBenchPeers } from '@p2p/foreign'
import type { TableContender } from './contender.ts'

interface Dht {
  fullyBootstrapped(): Promise<unknown>
  immutablePut(value: Buffer): Promise<{ readonly hash: Buffer }>
  immutableGet(hash: Buffer): Promise<{ readonly value: Buffer } | null>
  address(): { readonly port: number }
  destroy(options?: { readonly force: boolean }): Promise<void>
}
type DhtClass = new (options: object) => Dht

export async function hyperdht(): Promise<TableContender> {
  const modules = await ensureBenchPeers()
  const DHT = createRequire(pathToFileURL(join(modules, 'index.js')))('hyperdht') as DhtClass
  return {
    name: 'hyperdht',
    maxNodes: Infinity,
    operations: 200,
    async open(nodeCount) {
      const nodes: Dht[] = []
      const add = async (): Promise<void> => {
        const [first] = nodes
        const host = '127.0.0.1'
        const bootstrap = first === undefined ? [] : [{ host, port: first.address().port }]
        const node = new DHT({ ephemeral: false, firewalled: false, bootstrap, host })
        await node.fullyBootstrapped()
        nodes.push(node)
      }
      while (nodes.length < nodeCount) await add()
      return {
        async put(node, key, value) {
          const stored = await nodes[node]?.immutablePut(Buffer.from(`${key} ${value}`))
          return stored?.hash
        },
        async get(node, hash) {
          const found = await nodes[node]?.immutableGet(hash as Buffer)
          return found?.value.toString().split(' ').at(-1)
        },
        join: add,
        async close() {
          for (const node of nodes.reverse()) await node.destroy({ force: true })
        },
      }
    },
  }
}
