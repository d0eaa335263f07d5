import { expect, test } from '@jest/globals'
import { createMessage, flags } from '@p2p/serializer'
import { MeshNetwork, type MeshSimNode } from './mesh-network.ts'

const fixedGraph = { listsPeersAfterHandshake: false, dialsKnownPeers: false }

function deliver(from: MeshSimNode, to: string, text: string): void {
  const message = createMessage({
    type: flags.whisper,
    sender: from.id,
    time: Math.floor(from.sim.now().utcSeconds),
    payload: [flags.whisper, text],
  })
  from.sim.command({ type: 'deliver', request: 77, peer: to, message, timeoutMs: 8_000 })
}

const outcome = (node: MeshSimNode): string[] =>
  node.events.flatMap((event) => {
    if (event.type === 'sent' && event.request === 77) return ['sent']
    return event.type === 'send-failed' ? [event.error.code] : []
  })

const texts = (node: MeshSimNode): unknown[] =>
  node.messages.filter(({ isPrivate }) => isPrivate).map(({ message }) => message.payload[1])

/** a – middle – middle – z, and two more of ours around, none of which lists peers by itself. */
function chain(middle: readonly ('ours' | 'py2p' | 'js2p')[]): {
  readonly network: MeshNetwork
  readonly a: MeshSimNode
  readonly z: MeshSimNode
} {
  const network = new MeshNetwork({ seed: 5, machine: { policy: fixedGraph } })
  const a = network.add()
  let previous: { readonly sim: { readonly addresses: readonly string[] } } = a
  for (const kind of middle) {
    const node = kind === 'ours' ? network.add() : network.addOld(kind)
    const [address = ''] = previous.sim.addresses
    if ('drops' in node) node.sim.command({ type: 'connect', address })
    else network.connect(node, previous)
    network.sim.runFor(2_000)
    previous = node
  }
  const z = network.add()
  network.connect(z, previous)
  network.sim.runFor(2_000)
  return { network, a, z }
}

for (const middle of [['ours'], ['ours', 'ours'], ['py2p'], ['ours', 'py2p', 'ours']] as const) {
  test(`a message finds a stranger behind ${middle.join(', ')}`, () => {
    const { network, a, z } = chain(middle)
    expect(a.peers.has(z.id)).toBe(false)
    deliver(a, z.id, 'found you')
    network.sim.runFor(8_000)
    expect(outcome(a)).toEqual(['sent'])
    expect(texts(z)).toEqual(['found you'])
    expect(a.peers.has(z.id)).toBe(true)
  })
}

test('a message to somebody who is not there fails within its time', () => {
  const { network, a } = chain(['ours'])
  deliver(a, 'nobody', 'hello?')
  network.sim.runFor(7_900)
  expect(outcome(a)).toEqual([])
  network.sim.runFor(200)
  expect(outcome(a)).toEqual(['P2P_PEER_NOT_FOUND'])
})
