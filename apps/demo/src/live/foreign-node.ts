/** Nodes of the original programs, js2p and py2p, each in a process of its own. */
import { NodeProcess, isMessageEvent, tagToText, text } from '@p2p/interop'
import type { NodeEvent, NodeProgram, Tagged } from '@p2p/interop'
import { chatMark, demoRoom } from '../view/world-event.ts'
import type { Language } from '../view/world-event.ts'
import type { LiveNode, LiveNodeOptions } from './live-node.ts'

export async function startForeignPeer(
  program: NodeProgram,
  options: LiveNodeOptions & { readonly network: 'mesh' | 'sync'; readonly language: Language },
): Promise<LiveNode> {
  const { network, name, language, contacts } = options
  const node = new NodeProcess(program)
  const neighbours = new Set<string>()
  node.onEvent((event) => {
    follow(neighbours, event, options.onNeighbours)
    report(node.id, event, options.onEvent)
  })
  const connect = async (address: string): Promise<void> => {
    await node.request('connect', { address })
  }
  try {
    await node.listen({ kind: network, host: '127.0.0.1', port: 0 })
    for (const address of contacts) await connect(address)
  } catch (error) {
    await node.stop()
    throw error
  }
  return {
    facts: {
      id: node.id,
      name,
      network,
      language,
      state: 'running',
      isBridge: false,
      isOurs: false,
    },
    address: node.address,
    neighbours: () => [...neighbours],
    connect,
    talk: async (words) => {
      if (network === 'mesh')
        await node.request('send', { args: [chatMark, demoRoom, words].map(text) })
      else await node.request('set', { key: text(`note of ${name}`), value: text(words) })
    },
    kill: () => node.kill(),
    close: async () => void (await node.stop()),
    faults: undefined,
  }
}

function follow(neighbours: Set<string>, event: NodeEvent, onNeighbours: () => void): void {
  const { ev, id } = event
  if (typeof id !== 'string') return
  if (ev === 'peer_join') neighbours.add(id)
  else if (ev === 'peer_leave') neighbours.delete(id)
  else return
  onNeighbours()
}

function report(id: string, event: NodeEvent, onEvent: LiveNodeOptions['onEvent']): void {
  if (isMessageEvent(event)) {
    const [, mark, room, line] = event.packets.t === 'array' ? event.packets.v.map(tagToText) : []
    if (mark === chatMark && room === demoRoom && line !== undefined)
      onEvent({ type: 'heard', node: id, sender: tagToText(event.sender) ?? '', text: line })
    return
  }
  if (event.ev !== 'update' && event.ev !== 'delete') return
  const key = tagToText(event['key'] as Tagged)
  if (key === undefined) return
  const value = event.ev === 'delete' ? null : JSON.stringify(tagToText(event['value'] as Tagged))
  onEvent({ type: 'held', node: id, key, value: value ?? '…' })
}
