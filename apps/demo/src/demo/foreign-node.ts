/** A js2p or py2p node in a process of its own. */
import { NodeProcess, isMessageEvent, tagToText, text } from '@p2p/interop'
import type { NodeProgram } from '@p2p/interop'
import type { Delivery, DemoNode } from './demo-node.ts'

export async function startForeignNode(
  name: string,
  language: DemoNode['language'],
  program: NodeProgram,
): Promise<DemoNode> {
  const node = new NodeProcess(program)
  try {
    await node.listen({ kind: 'mesh', host: '127.0.0.1', port: 0 })
  } catch (error) {
    await node.stop()
    throw error
  }
  return {
    name,
    kind: 'mesh',
    language,
    id: node.id,
    address: node.address,
    onDelivery: (fn) =>
      node.onEvent((event) => {
        if (!isMessageEvent(event)) return
        const { packets } = event
        const [, first] = packets.t === 'array' ? packets.v : []
        fn({
          id: event.id,
          sender: tagToText(event.sender) ?? '',
          text: (first === undefined ? undefined : tagToText(first)) ?? '',
        })
      }),
    connect: async (address) => {
      await node.request('connect', { address })
    },
    broadcast: async (words) => {
      await node.request('send', { args: [text(words)] })
    },
    reply: async (to: Delivery, words) => {
      await node.request('reply', { to: to.id, args: [text(words)] })
    },
    close: async () => {
      await node.stop()
    },
  }
}
