import { expect, test } from '@jest/globals'
import {
  FrameSplitter,
  concatBytes,
  createMessage,
  decodeFrame,
  encodeFrame,
  flags,
  idText,
  networkId,
  utf8Encode,
} from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { Js2pModel, Py2pModel, Simulator, scriptedPeer } from '../../../src/sim/index.ts'
import type {
  OldPeerCommand,
  OldPeerEvent,
  ScriptedPeerHands,
  SimNode,
} from '../../../src/sim/index.ts'

type OldNode = SimNode<OldPeerCommand, OldPeerEvent>

const meshId = networkId({ subnet: 'mesh', encryption: 'Plaintext' })
const hello = (text: string): readonly Value[] => [flags.broadcast, utf8Encode(text)]

/** A network of models: `py` and `js` add one, `said` holds what each node told. */
class OldNetwork {
  readonly sim = new Simulator({ seed: 1, conditions: { splitChance: 0 } })
  readonly said: [OldNode, OldPeerEvent][] = []

  py(): OldNode {
    return this.#add((address, randomBytes) => new Py2pModel({ address, randomBytes }))
  }

  js(): OldNode {
    return this.#add((address, randomBytes) => new Js2pModel({ address, randomBytes }))
  }

  connect(from: OldNode, to: OldNode): void {
    from.command({ type: 'connect', address: String(to.addresses[0]) })
    this.sim.runFor(2_000)
  }

  got(node: OldNode): string[] {
    return this.said.flatMap(([who, event]) => {
      const text = event.type === 'message' ? event.message.payload[1] : undefined
      return who === node && text instanceof Uint8Array ? [String(idText(text))] : []
    })
  }

  drops(node: OldNode): string[] {
    return this.said.flatMap(([who, event]) =>
      who === node && event.type === 'dropped' ? [event.cause] : [],
    )
  }

  #add(
    create: (address: string, randomBytes: (count: number) => Uint8Array) => Py2pModel | Js2pModel,
  ): OldNode {
    return this.sim.addNode<OldPeerCommand, OldPeerEvent>({
      create: (boot) => create(String(boot.address), boot.randomBytes),
      onEffect: (event, node) => this.said.push([node, event]),
    })
  }
}

const message = (
  hands: ScriptedPeerHands,
  payload: readonly Value[],
  fields: { readonly type?: number; readonly sender?: Value; readonly ageSeconds?: number } = {},
): Uint8Array => {
  const { type = flags.whisper, sender = 'probe', ageSeconds = 0 } = fields
  const time = Math.floor(hands.now.utcSeconds) - ageSeconds
  return encodeFrame(createMessage({ type, sender: sender as string, time, payload }))
}

const handshake = (hands: ScriptedPeerHands, id: Value = 'probe'): Uint8Array =>
  message(hands, [flags.handshake, id, meshId, ['198.51.100.1', 9], []], { sender: id })

/** Lets a probe dial the target and, once the handshakes are through, send what `act` makes. */
function probe(
  network: OldNetwork,
  target: OldNode,
  act: (hands: ScriptedPeerHands) => Uint8Array,
  id: Value = 'probe',
): { readonly frames: WireMessage[]; isClosed: boolean } {
  const seen = { frames: [] as WireMessage[], isClosed: false }
  const splitter = new FrameSplitter()
  network.sim.addNode({
    listen: [],
    ...scriptedPeer({
      onStart: (hands) => hands.dial(String(target.addresses[0])),
      onOpen: (link, hands) => {
        hands.send(link, handshake(hands, id))
        hands.wakeAfter(1_000)
      },
      onBytes: (_, bytes) => {
        for (const frame of splitter.push(bytes)) seen.frames.push(decodeFrame(frame))
      },
      onWake: (hands) => hands.send(1, act(hands)),
      onClosed: () => {
        seen.isClosed = true
      },
    }),
  })
  network.sim.runFor(3_000)
  return seen
}

const subFlags = (frames: readonly WireMessage[]): Value[] =>
  frames.map(({ payload }) => payload[0] ?? null)

test('old peers of both kinds connect and get each other’s broadcasts once (observed.md 1)', () => {
  const network = new OldNetwork()
  const nodes = [network.py(), network.js(), network.py()] as const
  network.connect(nodes[1], nodes[0])
  network.connect(nodes[2], nodes[1])
  nodes[0].command({ type: 'broadcast', payload: hello('from 0') })
  nodes[1].command({ type: 'broadcast', payload: hello('from 1') })
  network.sim.runFor(2_000)
  expect(nodes.map((node) => network.got(node).sort())).toEqual([
    ['from 1'],
    ['from 0'],
    ['from 0', 'from 1'],
  ])
})

test('py2p sends one handshake and peers that hold the asker; its ids are bin (mesh.md 3.1)', () => {
  const network = new OldNetwork()
  const { frames } = probe(network, network.py(), () => new Uint8Array(0))
  expect(subFlags(frames)).toEqual([flags.handshake, flags.peers])
  expect(frames[0]?.payload[1]).toBeInstanceOf(Uint8Array)
  expect(frames[1]?.payload[1]).toEqual([[['198.51.100.1', 9], 'probe']])
})

test('js2p sends two handshakes and peers without the asker; its ids are text (mesh.md 3.2)', () => {
  const network = new OldNetwork()
  const { frames } = probe(network, network.js(), () => new Uint8Array(0))
  expect(subFlags(frames)).toEqual([flags.handshake, flags.handshake, flags.peers])
  expect(typeof frames[0]?.payload[1]).toBe('string')
  expect(frames[2]?.payload[1]).toEqual([])
})

test('a lost peer makes the link between two other py2p nodes fall (mesh.md 5.2)', () => {
  const network = new OldNetwork()
  const [one, two, three] = [network.py(), network.py(), network.py()]
  network.connect(one, two)
  network.connect(three, one)
  expect(one.links.size).toBe(2)
  three.crash()
  network.sim.runFor(5_000)
  expect(one.links.size).toBe(0)
  expect([...network.drops(one), ...network.drops(two)]).toContain('unreadable')
})

test('a message of exactly 60 seconds circulates until the second changes (mesh.md 4.1)', () => {
  const network = new OldNetwork()
  const nodes = [network.js(), network.js(), network.js()] as const
  network.connect(nodes[0], nodes[1])
  network.connect(nodes[1], nodes[2])
  network.connect(nodes[2], nodes[0])
  probe(network, nodes[0], (hands) => {
    return message(hands, hello('storm'), { type: flags.broadcast, ageSeconds: 60 })
  })
  const count = network.got(nodes[0]).length
  expect(count).toBeGreaterThan(100)
  network.sim.runFor(5_000)
  expect(network.got(nodes[0])).toHaveLength(count)
})

test('a flood comes back to the hop it came from, but not to its originator (mesh.md 4.1)', () => {
  const network = new OldNetwork()
  const act =
    (sender: string) =>
    (hands: ScriptedPeerHands): Uint8Array =>
      message(hands, hello('echo'), { type: flags.broadcast, sender })
  const echoed = probe(network, network.py(), act('somebody else'))
  expect(subFlags(echoed.frames)).toContain(flags.broadcast)
  const own = probe(network, network.py(), act('probe'))
  expect(subFlags(own.frames)).not.toContain(flags.broadcast)
})

test('four bytes behind a frame that ends at 1,020 cost py2p the link, js2p nothing (wire.md 8)', () => {
  const network = new OldNetwork()
  const act = (hands: ScriptedPeerHands): Uint8Array => {
    const bare = message(hands, [flags.broadcast, new Uint8Array(300)], { type: flags.broadcast })
    const fill = 1_020 - bare.length + 300
    const first = message(hands, [flags.broadcast, new Uint8Array(fill)], { type: flags.broadcast })
    expect(first).toHaveLength(1_020)
    return concatBytes(first, message(hands, hello('second'), { type: flags.broadcast }))
  }
  const python = network.py()
  expect(probe(network, python, act).isClosed).toBe(true)
  expect(network.drops(python)).toEqual(['four-byte-trap'])
  const script = network.js()
  expect(probe(network, script, act).isClosed).toBe(false)
  expect(network.got(script)).toContain('second')
})

test('js2p drops the link that brings two peers it would dial, py2p dials both (observed.md 2)', () => {
  const entries = (network: OldNetwork, count: number): Value[] =>
    Array.from({ length: count }, (_, index): Value => {
      const [, host = '', port] = /\/\/(.*):(\d+)/.exec(String(network.py().addresses[0])) ?? []
      return [[host, Number(port)], `id ${index}`]
    })
  const run = (kind: 'py' | 'js', count: number): { readonly isClosed: boolean } => {
    const network = new OldNetwork()
    const listed = entries(network, count)
    return probe(network, network[kind](), (hands) => message(hands, [flags.peers, listed]))
  }
  expect([run('js', 1).isClosed, run('js', 2).isClosed]).toEqual([false, true])
  expect(run('py', 2).isClosed).toBe(false)
})

test('js2p drops a second neighbour’s list while it dials what the first one told (observed.md 2)', () => {
  const network = new OldNetwork()
  const script = network.js()
  network.sim.network.conditions = {
    ...network.sim.network.conditions,
    unknownAddress: 'silent',
  }
  const telling = (host: string): { readonly isClosed: boolean } => {
    const entry: Value = [[host, 7_000 + host.length], `id at ${host}`]
    return probe(network, script, (hands) => message(hands, [flags.peers, [entry]]), host)
  }
  expect(telling('203.0.113.1').isClosed).toBe(false)
  expect(telling('203.0.113.222').isClosed).toBe(true)
  expect(network.drops(script)).toEqual(['peers-lists-of-two'])
})

test('js2p sends everything twice to a peer with a bin id that shook hands twice (wire.md 2.4)', () => {
  const count = (id: Value): number => {
    const network = new OldNetwork()
    const script = network.js()
    const seen = probe(network, script, (hands) => handshake(hands, id), id)
    script.command({ type: 'broadcast', payload: hello('copy') })
    network.sim.runFor(1_000)
    return subFlags(seen.frames).filter((flag) => flag === flags.broadcast).length
  }
  expect([count(utf8Encode('probe')), count('probe')]).toEqual([2, 1])
})

test('js2p closes on resend and on a shrinking list, py2p answers both (mesh.md 6)', () => {
  const cases: readonly (readonly Value[])[] = [[flags.resend], [flags.compression]]
  for (const payload of cases) {
    const run = (kind: 'py' | 'js'): boolean => {
      const network = new OldNetwork()
      return probe(network, network[kind](), (hands) =>
        message(hands, payload, { type: flags.renegotiate }),
      ).isClosed
    }
    expect([run('js'), run('py')]).toEqual([true, false])
  }
})

test('two py2p nodes that dial each other at once may lose both links (mesh.md 3.4)', () => {
  const network = new OldNetwork()
  const [one, two] = [network.py(), network.py()]
  one.command({ type: 'connect', address: String(two.addresses[0]) })
  two.command({ type: 'connect', address: String(one.addresses[0]) })
  network.sim.runFor(5_000)
  const causes = [...network.drops(one), ...network.drops(two)]
  expect(causes.filter((cause) => cause === 'double-link').length).toBeGreaterThan(0)
})

test('py2p gives up half a frame after 60 s, js2p never (mesh.md 3.5)', () => {
  const network = new OldNetwork()
  const [python, script] = [network.py(), network.js()]
  const half = (): Uint8Array => new Uint8Array([0, 0, 1, 0, 1])
  const [one, two] = [probe(network, python, half), probe(network, script, half)]
  network.sim.runFor(50_000)
  expect([one.isClosed, two.isClosed]).toEqual([false, false])
  network.sim.runFor(15_000)
  expect([one.isClosed, two.isClosed]).toEqual([true, false])
})

test('another subnet is refused silently by both (observed.md 4.15)', () => {
  const network = new OldNetwork()
  for (const target of [network.py(), network.js()]) {
    const stranger = (hands: ScriptedPeerHands): Uint8Array =>
      message(hands, [flags.handshake, 'probe', 'other', ['198.51.100.1', 9], []])
    expect(probe(network, target, stranger).isClosed).toBe(true)
    expect(network.drops(target)).toEqual(['wrong-network'])
  }
})
