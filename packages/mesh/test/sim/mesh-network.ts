/**
 * Mesh nodes in the simulator, for the tests of this folder: builds a network, sends messages, and
 * counts who got what how often.
 */
import { resolveLimits, type Peer } from '@p2p/base'
import {
  Js2pModel,
  Py2pModel,
  Simulator,
  type OldPeerCommand,
  type OldPeerEvent,
  type SimNode,
  type SimulatorOptions,
} from '@p2p/base/sim'
import { encodeBase58Integer, flags, toHex, type Value, type WireMessage } from '@p2p/serializer'
import { MeshMachine } from '../../src/protocol/mesh.ts'
import type { MeshMachineOptions } from '../../src/protocol/mesh-contract.ts'
import type { MeshEffect, MeshInput } from '../../src/protocol/mesh-contract.ts'

type Emitted = Exclude<MeshEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>
type Command = Exclude<MeshInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>

export interface MeshSimNode {
  readonly sim: SimNode<Command, Emitted>
  /** Id of the message to how often the application got it. */
  readonly delivered: Map<string, number>
  readonly deliveredAtMs: Map<string, number>
  /** Everything but user messages and hearsay. */
  readonly events: Emitted[]
  readonly messages: Extract<MeshEffect, { type: 'message' }>[]
  readonly peers: Map<string, Peer>
  readonly machine: () => MeshMachine
  id: string
}

/** A model of an original program among ours. */
export interface OldSimNode {
  readonly sim: SimNode<OldPeerCommand, OldPeerEvent>
  readonly delivered: Map<string, number>
  readonly drops: string[]
}

export interface MeshNetworkOptions extends SimulatorOptions {
  readonly machine?: Partial<MeshMachineOptions>
}

export class MeshNetwork {
  readonly sim: Simulator
  readonly nodes: MeshSimNode[] = []
  readonly oldNodes: OldSimNode[] = []
  readonly #options: MeshNetworkOptions
  #request = 0

  constructor(options: MeshNetworkOptions) {
    this.#options = options
    this.sim = new Simulator({ transcriptLength: 0, ...options })
  }

  add(
    options: Partial<MeshMachineOptions> = {},
    place: { readonly listen?: readonly string[]; readonly utcOffsetSeconds?: number } = {},
  ): MeshSimNode {
    let machine: MeshMachine | undefined
    const node: Omit<MeshSimNode, 'sim'> & { sim?: MeshSimNode['sim'] } = {
      delivered: new Map(),
      deliveredAtMs: new Map(),
      events: [],
      messages: [],
      peers: new Map(),
      id: '',
      machine: () => {
        if (machine === undefined) throw new Error('not started')
        return machine
      },
    }
    node.sim = this.sim.addNode<Command, Emitted>({
      ...place,
      create: (boot) => {
        node.id = encodeBase58Integer(boot.randomBytes(48))
        node.peers.clear()
        machine = new MeshMachine({
          id: node.id,
          subnet: 'mesh',
          limits: resolveLimits(),
          randomBytes: boot.randomBytes,
          ...this.#options.machine,
          ...options,
        })
        return machine
      },
      onStart: (simNode) => {
        simNode.command({ type: 'listening', addresses: simNode.addresses })
      },
      onEffect: (effect) => {
        this.#note(node as MeshSimNode, effect)
      },
    })
    this.nodes.push(node as MeshSimNode)
    return node as MeshSimNode
  }

  addOld(kind: 'py2p' | 'js2p'): OldSimNode {
    const delivered = new Map<string, number>()
    const drops: string[] = []
    const sim = this.sim.addNode<OldPeerCommand, OldPeerEvent>({
      create: ({ address = '', randomBytes }) =>
        kind === 'py2p'
          ? new Py2pModel({ address, randomBytes })
          : new Js2pModel({ address, randomBytes }),
      onEffect: (effect) => {
        if (effect.type === 'dropped') drops.push(effect.cause)
        else count(delivered, toHex(effect.message.id))
      },
    })
    const node = { sim, delivered, drops }
    this.oldNodes.push(node)
    return node
  }

  connect(
    from: MeshSimNode,
    to: { readonly sim: { readonly addresses: readonly string[] } },
  ): void {
    const [address] = to.sim.addresses
    if (address === undefined) throw new Error('nobody listens there')
    this.#request += 1
    from.sim.command({ type: 'connect', request: this.#request, address, timeoutMs: 10_000 })
  }

  /** Sends a broadcast and returns its message. */
  broadcast(from: MeshSimNode, ...packets: readonly Value[]): WireMessage {
    this.#request += 1
    const request = this.#request
    from.sim.command({ type: 'broadcast', request, payload: [flags.broadcast, ...packets] })
    const sent = from.events.findLast((event) => event.type === 'sent' && event.request === request)
    if (sent?.type !== 'sent') throw new Error('the broadcast was not sent')
    return sent.message
  }

  /** How often each node of ours that is up got this message, the sender left out. */
  deliveries(message: WireMessage, sender?: MeshSimNode): number[] {
    const key = toHex(message.id)
    return this.nodes
      .filter((node) => node !== sender && node.sim.isUp)
      .map((node) => node.delivered.get(key) ?? 0)
  }

  /** Sums a counter of all nodes that are up. */
  counter(name: string): number {
    return this.nodes
      .filter((node) => node.sim.isUp)
      .reduce((sum, node) => sum + (node.machine().counters()[name] ?? 0), 0)
  }

  /** Lets each node dial `out` others at random, and waits until all links stand. */
  linkAtRandom(out: number): void {
    for (const node of this.nodes) {
      const others = new Set<MeshSimNode>()
      while (others.size < Math.min(out, this.nodes.length - 1)) {
        const other = this.nodes[this.sim.random.below(this.nodes.length)]
        if (other !== undefined && other !== node) others.add(other)
      }
      for (const other of others) this.connect(node, other)
    }
    this.sim.runFor(5_000)
  }

  #note(node: MeshSimNode, effect: Emitted): void {
    if (effect.type === 'message') {
      const key = toHex(effect.message.id)
      count(node.delivered, key)
      node.messages.push(effect)
      node.deliveredAtMs.set(key, this.sim.nowMs)
      return
    }
    if (effect.type === 'peer-join') node.peers.set(effect.peer.id, effect.peer)
    if (effect.type === 'peer-leave') node.peers.delete(effect.peer.id)
    node.events.push(effect)
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
