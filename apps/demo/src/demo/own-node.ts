/** A node of ours, in this process. */
import { MeshNode } from '@p2p/mesh'
import type { ReceivedMessage } from '@p2p/mesh'
import type { DemoNode } from './demo-node.ts'

export async function startOwnNode(name: string): Promise<DemoNode> {
  const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
  const [address = ''] = node.addresses
  const received = new Map<string, ReceivedMessage>()
  return {
    name,
    kind: 'mesh',
    language: 'TypeScript',
    id: node.id,
    address,
    onDelivery: (fn) => {
      node.on('message', (message) => {
        received.set(message.id, message)
        const [first] = message.packets
        fn({ id: message.id, sender: message.sender, text: typeof first === 'string' ? first : '' })
      })
    },
    connect: async (to) => {
      await node.connect(to)
    },
    broadcast: async (text) => {
      node.broadcast(text)
    },
    reply: async (to, text) => {
      await received.get(to.id)?.reply(text)
    },
    close: () => node.close(),
  }
}
