// What a node of a mesh does with commands and with messages of others, in the simulator.
import { describe, expect, test } from '@jest/globals'
import { P2pError, type Peer } from '@p2p/base'
import { createMessage, flags, type Value, type WireMessage } from '@p2p/serializer'
import { MeshNetwork, type MeshNetworkOptions, type MeshSimNode } from './sim/mesh-network.ts'

const fixedGraph = { listsPeersAfterHandshake: false, dialsKnownPeers: false }

/** A row of connected nodes: a – b – c – … */
function row(
  count: number,
  machine: MeshNetworkOptions['machine'] = {},
): { readonly network: MeshNetwork; readonly nodes: readonly MeshSimNode[] } {
  const network = new MeshNetwork({ seed: 1, machine: { policy: fixedGraph, ...machine } })
  const nodes = Array.from({ length: count }, () => network.add())
  nodes.forEach((node, index) => {
    const next = nodes[index + 1]
    if (next !== undefined) network.connect(node, next)
  })
  network.sim.runFor(2_000)
  return { network, nodes }
}

function two(): {
  readonly network: MeshNetwork
  readonly a: MeshSimNode
  readonly b: MeshSimNode
} {
  const { network, nodes } = row(2)
  const [a, b] = nodes as [MeshSimNode, MeshSimNode]
  return { network, a, b }
}

/** A message as `node` would write it, now or so many seconds from now. */
function written(
  node: MeshSimNode,
  type: number,
  payload: readonly Value[],
  inSeconds = 0,
): WireMessage {
  const time = Math.floor(node.sim.now().utcSeconds) + inSeconds
  return createMessage({ type, sender: node.id, time, payload })
}

/** Lets one node send another any message, and says what it led to there. */
function pass(
  network: MeshNetwork,
  from: MeshSimNode,
  to: MeshSimNode,
  message: WireMessage,
): MeshSimNode['events'] {
  const before = to.events.length
  from.sim.command({ type: 'pass', peer: to.id, message, priority: 'own' })
  network.sim.runFor(1_000)
  return to.events.slice(before)
}

/** The codes of the commands that failed, by request. */
const failures = (node: MeshSimNode): (readonly [request: number, code: string])[] =>
  node.events.flatMap((event) =>
    event.type === 'send-failed' || event.type === 'connect-failed'
      ? [[event.request, event.error.code] as const]
      : [],
  )

const counterOf = (node: MeshSimNode, name: string): number | undefined =>
  node.machine().counters()[name]

describe('sending', () => {
  test('a whisper that is passed reaches that neighbour, and goes nowhere when it is none', () => {
    const { network, a, b } = two()
    const message = written(a, flags.whisper, [flags.whisper, 'psst'])
    for (const peer of [b.id, 'nobody']) {
      a.sim.command({ type: 'pass', peer, message, priority: 'own' })
    }
    network.sim.runFor(1_000)
    expect(b.messages.map(({ message: { sender }, isPrivate }) => [sender, isPrivate])).toEqual([
      [a.id, true],
    ])
  })

  test('a broadcast can carry a tail', () => {
    const { network, a, b } = two()
    const tail = new Map([[9, Uint8Array.of(1)]])
    a.sim.command({ type: 'broadcast', request: 1, payload: [flags.broadcast, 'all'], tail })
    network.sim.runFor(1_000)
    expect(b.messages.map(({ message }) => message.sender)).toEqual([a.id])
    expect(b.messages[0]?.message.tail.length).toBeGreaterThan(0)
  })

  test('a message to ourselves fails', () => {
    const { a } = two()
    const message = written(a, flags.whisper, [flags.whisper, 'x'])
    a.sim.command({ type: 'deliver', request: 2, peer: a.id, message, timeoutMs: 1_000 })
    expect(failures(a)).toEqual([[2, 'P2P_SELF']])
  })

  test('a message is delivered to a neighbour without a search', () => {
    const { network, a, b } = two()
    const message = written(a, flags.whisper, [flags.whisper, 'x'])
    a.sim.command({ type: 'deliver', request: 1, peer: b.id, message, timeoutMs: 1_000 })
    network.sim.runFor(1_000)
    expect(b.messages).toHaveLength(1)
    expect(counterOf(a, 'openSearches')).toBe(0)
  })

  test('1,024 searches are under way, one more fails', () => {
    const { a } = two()
    const message = written(a, flags.whisper, [flags.whisper, 'x'])
    for (let request = 0; request <= 1_024; request += 1) {
      const peer = `nobody ${request}`
      a.sim.command({ type: 'deliver', request, peer, message, timeoutMs: 60_000 })
    }
    expect(failures(a)).toEqual([[1_024, 'P2P_TOO_MANY_SEARCHES']])
  })

  test('what was given up is not answered, neither a search nor a dial', () => {
    const { network, a } = two()
    const silent = network.add()
    silent.sim.crash({ silent: true })
    const message = written(a, flags.whisper, [flags.whisper, 'x'])
    a.sim.command({ type: 'deliver', request: 70, peer: 'nobody', message, timeoutMs: 1_000 })
    network.connect(a, silent)
    const events = a.events.length
    for (let request = 0; request <= 70; request += 1) a.sim.command({ type: 'cancel', request })
    network.sim.runFor(60_000)
    expect(a.events.slice(events)).toEqual([])
  })

  test('a message that the layer above spreads comes once, however often it does', () => {
    const { network, a, b } = two()
    const message = written(a, flags.broadcast, [flags.broadcast, 'x'])
    a.sim.command({ type: 'spread', message })
    a.sim.command({ type: 'spread', message })
    network.sim.runFor(1_000)
    expect(network.deliveries(message, a)).toEqual([1])
    expect(counterOf(b, 'duplicates')).toBe(0)
  })

  test('a policy may keep a broadcast from a neighbour', () => {
    const secret = 'not for everybody'
    const mayPass = (message: WireMessage, peer: Peer): boolean =>
      peer.id === '' || message.payload[1] !== secret
    const { network, nodes } = row(3, { policy: { ...fixedGraph, mayPass } })
    const [a] = nodes as [MeshSimNode]
    const kept = network.broadcast(a, secret)
    const open = network.broadcast(a, 'for everybody')
    network.sim.runFor(2_000)
    expect(network.deliveries(kept, a)).toEqual([0, 0])
    expect(network.deliveries(open, a)).toEqual([1, 1])
  })
})

describe('what others send', () => {
  test('a broadcast list of peers, which old peers would obey as a whisper, is not passed on', () => {
    const { network, nodes } = row(3)
    const [a, b, c] = nodes as [MeshSimNode, MeshSimNode, MeshSimNode]
    pass(network, a, b, written(a, flags.broadcast, [flags.peers, []]))
    expect(counterOf(b, 'notRelayed')).toBe(1)
    expect(c.events.filter(({ type }) => type === 'unclaimed')).toEqual([])
  })

  test('broadcasts from too long ago and from the future are counted, not delivered', () => {
    const { network, a, b } = two()
    pass(network, a, b, written(a, flags.broadcast, [flags.broadcast, 'old'], -120))
    pass(network, a, b, written(a, flags.broadcast, [flags.broadcast, 'new'], 100_000))
    expect([counterOf(b, 'expired'), counterOf(b, 'early')]).toEqual([1, 1])
    expect(b.messages).toEqual([])
  })

  test('what is nearly a minute old does not go on to an old neighbour, where it would go round', () => {
    const { network, nodes } = row(2)
    const [a, b] = nodes as [MeshSimNode, MeshSimNode]
    const old = network.add({ extensions: false })
    network.connect(b, old)
    network.sim.runFor(2_000)
    for (const age of [50, 59]) {
      pass(network, a, b, written(a, flags.broadcast, [flags.broadcast, age], -age))
    }
    expect(b.messages.map(({ message }) => message.payload[1])).toEqual([50, 59])
    expect(old.messages.map(({ message }) => message.payload[1])).toEqual([50])
  })

  test('what the mesh does not know goes to the layer above, broadcast or whispered', () => {
    const { network, a, b } = two()
    for (const type of [flags.broadcast, flags.whisper]) {
      const message = written(a, type, ['unheard of', 1])
      const events = pass(network, a, b, message)
      expect(events.map((event) => event.type)).toEqual(['unclaimed'])
    }
    const neither = written(a, 9, [flags.whisper, 'x'])
    expect(pass(network, a, b, neither)).toEqual([])
  })

  test('a question that nobody can answer, and one of the wanted node itself, get no answer', () => {
    const { network, a, b } = two()
    const sent = network.sim.counters.frames.control
    for (const wanted of ['nobody', a.id, 7]) {
      pass(network, a, b, written(a, flags.broadcast, [flags.request, 'id', wanted]))
    }
    expect(network.sim.counters.frames.control).toBe(sent)
  })

  test('a node that is asked for itself and listens nowhere does not answer', () => {
    const network = new MeshNetwork({ seed: 1, machine: { policy: fixedGraph } })
    const [a, b] = [network.add({}, { listen: [] }), network.add()]
    network.connect(a, b)
    network.sim.runFor(1_000)
    const sent = network.sim.counters.frames.control
    pass(network, b, a, written(b, flags.broadcast, [flags.request, 'id', a.id]))
    expect(network.sim.counters.frames.control).toBe(sent)
  })
})

describe('peers lists', () => {
  const knowing = { listsPeersAfterHandshake: false, dialsKnownPeers: true }

  test('who asks its neighbours hears of theirs, and dials them', () => {
    const { network, nodes } = row(3, { policy: knowing })
    const [a, , c] = nodes as [MeshSimNode, MeshSimNode, MeshSimNode]
    expect(a.peers.has(c.id)).toBe(false)
    a.sim.command({ type: 'request-peers' })
    network.sim.runFor(10_000)
    expect(a.peers.has(c.id)).toBe(true)
  })

  test('a neighbour is told of the others by command; for somebody who is none there is no list', () => {
    const { network, nodes } = row(3, { policy: knowing })
    const [a, b, c] = nodes as [MeshSimNode, MeshSimNode, MeshSimNode]
    b.sim.command({ type: 'list-peers', peer: 'nobody' })
    network.sim.runFor(10_000)
    expect(a.peers.has(c.id)).toBe(false)
    b.sim.command({ type: 'list-peers', peer: a.id })
    network.sim.runFor(10_000)
    expect(a.peers.has(c.id)).toBe(true)
  })

  test('a neighbour that is let go may come back, one that is sent away may not', () => {
    const { network, nodes } = row(2, { policy: knowing })
    const [a, b] = nodes as [MeshSimNode, MeshSimNode]
    const reason = new P2pError('P2P_TEST', 'for a while')
    a.sim.command({ type: 'let-go', peer: b.id, reason })
    network.sim.runFor(30_000)
    expect(a.peers.has(b.id)).toBe(true)
    a.sim.command({ type: 'disconnect', peer: b.id, reason })
    b.sim.command({ type: 'disconnect', peer: a.id, reason })
    network.sim.runFor(30_000)
    expect(a.peers.has(b.id)).toBe(false)
  })
})
