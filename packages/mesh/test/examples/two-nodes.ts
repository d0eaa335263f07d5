import { MeshNode } from '@p2p/mesh'

/** Two nodes: one asks everybody, the other answers the one who asked. */
export async function askEverybody(): Promise<unknown> {
  const alice = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
  const bob = await MeshNode.open({ listen: 'tcp://127.0.0.1:0', connect: alice.addresses })
  try {
    alice.on('message', (message) => message.reply('got', message.packets))
    bob.broadcast('this is', 'a test')
    for await (const answer of bob.messages()) return answer.packets
    return undefined
  } finally {
    await Promise.all([alice.close(), bob.close()])
  }
}
