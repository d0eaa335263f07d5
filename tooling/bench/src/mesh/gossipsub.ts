/**
 * gossipsub of libp2p as it is deployed, less what would make it slower for a reason ours does not have:
 * plain links and unsigned messages.
 */
import { loadLibp2p } from '../libp2p.ts'
import { dialsOf, until } from './contender.ts'
import type { MeshContender } from './contender.ts'

const topic = 'bench'

interface PubSub {
  subscribe(topic: string): void
  publish(topic: string, data: Uint8Array): Promise<unknown>
  getMeshPeers(topic: string): readonly string[]
  addEventListener(
    type: 'message',
    listener: (event: { readonly detail: { readonly data: Uint8Array } }) => void,
  ): void
}
interface Host {
  readonly services: { readonly pubsub: PubSub }
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
  readonly gossipsub: Factory
}

export async function gossipsub(): Promise<MeshContender> {
  const library = await loadLibp2p<Modules>(['@chainsafe/libp2p-gossipsub'])
  const createHost = (): Promise<Host> =>
    library.createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [library.tcp()],
      connectionEncrypters: [library.plaintext()],
      streamMuxers: [library.yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      // Everybody dials from one host here, and more than the usual five in a second.
      connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 100 },
      services: {
        identify: library.identify(),
        pubsub: library.gossipsub({
          globalSignaturePolicy: 'StrictNoSign',
          emitSelf: false,
          allowPublishToZeroTopicPeers: true,
          // It shuns whoever shares an address with more than ten others: all do here.
          scoreParams: { IPColocationFactorWeight: 0 },
        }),
      },
    })
  return {
    name: 'gossipsub',
    maxNodes: Infinity,
    async open(nodeCount, onMessage) {
      const hosts: Host[] = []
      for (let index = 0; index < nodeCount; index += 1) {
        const host = await createHost()
        const { pubsub } = host.services
        pubsub.addEventListener('message', ({ detail }) => onMessage(index, detail.data))
        for (const dialled of dialsOf(index)) {
          const target = hosts[dialled]
          if (target !== undefined) await host.dial(target.getMultiaddrs())
        }
        pubsub.subscribe(topic)
        hosts.push(host)
      }
      const meshSize = ({ services }: Host): number => services.pubsub.getMeshPeers(topic).length
      await until('a gossipsub mesh', () => hosts.every((host) => meshSize(host) > 0))
      const [first] = hosts
      return {
        broadcast(payload) {
          // A copy: it is kept until it is written.
          first?.services.pubsub.publish(topic, payload.slice()).catch(() => undefined)
        },
        async close() {
          await Promise.all(hosts.map((host) => host.stop()))
        },
      }
    },
  }
}
