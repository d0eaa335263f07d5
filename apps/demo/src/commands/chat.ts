/**
 * `p2p chat ROOM`: a chat without a server. A room is a topic of the mesh: every node of the network
 * relays it, those in the room show it.
 *
 *   p2p chat tea --listen tcp://0.0.0.0:4444
 *   p2p chat tea --connect tcp://192.168.1.7:4444
 *
 * On the wire a line is a broadcast ['chat', room, line], so py2p and js2p programs can join in.
 */
import { createInterface } from 'node:readline'
import { MeshNode } from '@p2p/mesh'

export interface ChatOptions {
  readonly listen: readonly string[]
  readonly connect: readonly string[]
}

/** First packet of every line. */
const chatMark = 'chat'

export async function runChat(room: string, options: ChatOptions): Promise<void> {
  const node = await MeshNode.open({
    listen: options.listen.length > 0 ? options.listen : 'tcp://127.0.0.1:0',
    connect: options.connect,
  })
  const show = (line: string): void => void process.stdout.write(`${line}\n`)
  for (const address of node.addresses)
    show(`* you are ${nickname(node.id)}; others join with: p2p chat ${room} --connect ${address}`)
  node.on('peer:join', (peer) => show(`* linked to ${nickname(peer.id)}`))
  node.on('peer:leave', ({ peer }) => show(`* lost ${nickname(peer.id)}`))
  node.on('message', ({ sender, packets: [mark, where, line] }) => {
    if (mark !== chatMark || where !== room || typeof line !== 'string') return
    show(`${nickname(sender)}: ${printable(line)}`)
  })
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === '/quit') break
      if (line !== '') node.broadcast(chatMark, room, line)
    }
  } finally {
    await node.close()
    process.stdin.destroy()
  }
}

/** The end of an id: its first characters are the same in many. */
function nickname(id: string): string {
  return id.slice(-6)
}

/** Without control characters, which could play tricks with the terminal. */
function printable(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '�')
}
