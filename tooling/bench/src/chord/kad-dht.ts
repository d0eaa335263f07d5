/** Kademlia of libp2p over plain links: put waits until the nodes nearest to the key have the record. */
import { loadLibp2p } from '../libp2p.ts'
import { until } from '../mesh/contender.ts'
import type { TableContender } from './contender.ts'

interface QueryEvent {
  readonly name: string
  readonly value?: Uint8Array
}
interface KadDht {
  readonly routingTable: { readonly size: number }
  put(key: Uint8Array, value: Uint8Array): AsyncIterable<QueryEvent>
  get(key: Uint8Array): AsyncIterable<QueryEvent>
}
interface Host {
  readonly services: { readonly dht: KadDht }
  getMultiaddrs(): readonly object[]
  dial(addresses: readonly object[]): Promise<unknown>
  stop(): Promise<void>
}
type Factory = (options?: object) => object
interface Modules {
  readonly createLibp2p: (options: object) => Promise<Host>
  readonly tcp: Factory
  readonly plaintext: Factory
  readonly yamux: Factory
  readonly identify: Factory
  readonly ping: Factory
  readonly kadDHT: Factory
  readonly passthroughMapper: unknown
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)

export async function kadDht(): Promise<TableContender> {
  const library = await loadLibp2p<Modules>(['@libp2p/kad-dht', '@libp2p/ping'])
  const createHost = (): Promise<Host> =>
    library.createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [library.tcp()],
      connectionEncrypters: [library.plaintext()],
      streamMuxers: [library.yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      connectionManager: { inboundConnectionThreshold: Infinity },
      services: {
        identify: library.identify(),
        ping: library.ping(),
        dht: library.kadDHT({
          protocol: '/bench/kad/1.0.0',
          clientMode: false,
          peerInfoMapper: library.passthroughMapper,
          validators: { bench: async () => Promise.resolve() },
          selectors: { bench: () => 0 },
        }),
      },
    })
  return {
    name: '@libp2p/kad-dht',
    // Of more, on one machine some never get a routing table.
    maxNodes: 5,
    operations: 40,
    async open(nodeCount) {
      const hosts: Host[] = []
      const add = async (): Promise<void> => {
        const host = await createHost()
        const [first] = hosts
        hosts.push(host)
        if (first === undefined) return
        await host.dial(first.getMultiaddrs())
        await until('a routing table', () => host.services.dht.routingTable.size > 0)
      }
      while (hosts.length < nodeCount) await add()
      return {
        async put(node, key, value) {
          const name = bytes(`/bench/${key}`)
          for await (const event of hosts[node]?.services.dht.put(name, bytes(value)) ?? []) {
            if (event.name === 'QUERY_ERROR') continue
          }
          return name
        },
        async get(node, name) {
          for await (const event of hosts[node]?.services.dht.get(name as Uint8Array) ?? []) {
            if (event.name === 'VALUE' && event.value !== undefined) return text(event.value)
          }
          return undefined
        },
        join: add,
        async close() {
          await Promise.all(hosts.map((host) => host.stop()))
        },
      }
    },
  }
}
