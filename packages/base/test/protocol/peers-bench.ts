/**
 * Peer machines on a bench: links between them carry bytes in order, time moves only when told.
 * Small on purpose; the simulator of this package is for everything that needs faults.
 */
import { P2pError } from '../../src/protocol/errors.ts'
import { resolveLimits } from '../../src/protocol/limits.ts'
import type { NodeLimits } from '../../src/protocol/limits.ts'
import type { LinkId } from '../../src/protocol/link.ts'
import type { PeersEffect, PeersInput, PeersOptions } from '../../src/protocol/peers-contract.ts'
import { Peers } from '../../src/protocol/peers.ts'

interface End {
  readonly node: BenchNode
  readonly link: LinkId
}

export class BenchNode {
  readonly name: string
  readonly peers: Peers
  /** What the layer above would get, in order. */
  readonly events: PeersEffect[] = []
  readonly #bench: Bench
  readonly ends = new Map<LinkId, End>()
  /** Bytes that go nowhere: what a raw end received. */
  readonly sent = new Map<LinkId, Uint8Array[]>()
  #nextLink = 1
  /** When true, everything sent to this node is lost, and it sends nothing. */
  isDead = false

  constructor(bench: Bench, name: string, peers: Peers) {
    this.#bench = bench
    this.name = name
    this.peers = peers
  }

  newLink(): LinkId {
    return this.#nextLink++
  }

  handle(input: PeersInput): readonly PeersEffect[] {
    if (this.isDead) return []
    const effects = this.peers.handle(input, this.#bench.now)
    for (const effect of effects) this.#bench.carryOut(this, effect)
    return effects
  }

  of<T extends PeersEffect['type']>(type: T): Extract<PeersEffect, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<PeersEffect, { type: T }> => event.type === type,
    )
  }
}

export class Bench {
  now = { monoMs: 1_000, utcSeconds: 1_500_000_000 }
  readonly nodes = new Map<string, BenchNode>()
  readonly #queue: (() => void)[] = []
  #seed = 1

  add(
    name: string,
    options: Partial<Omit<PeersOptions, 'limits'>> & { readonly limits?: Partial<NodeLimits> } = {},
  ): BenchNode {
    const peers = new Peers({
      id: name,
      subnet: 'mesh',
      randomBytes: (count) =>
        Uint8Array.from({ length: count }, () => (this.#seed = (this.#seed * 73 + 41) % 251)),
      ...options,
      limits: resolveLimits(options.limits),
    })
    const node = new BenchNode(this, name, peers)
    this.nodes.set(name, node)
    node.handle({ type: 'listening', addresses: [`memory://${name}`] })
    return node
  }

  carryOut(node: BenchNode, effect: PeersEffect): void {
    switch (effect.type) {
      case 'send': {
        const end = node.ends.get(effect.link)
        node.sent.set(effect.link, [...(node.sent.get(effect.link) ?? []), effect.bytes])
        if (end === undefined) return
        this.#queue.push(() =>
          end.node.handle({ type: 'link-bytes', link: end.link, bytes: effect.bytes }),
        )
        return
      }
      case 'dial':
        this.#queue.push(() => this.#dial(node, effect.dial, effect.address))
        return
      case 'close':
        node.events.push(effect)
        this.#queue.push(() => this.cut(node, effect.link, effect.reason))
        return
      default:
        node.events.push(effect)
    }
  }

  /** Ends a link on both sides. */
  cut(node: BenchNode, link: LinkId, reason = new P2pError('P2P_LINK_CLOSED', 'closed')): void {
    const end = node.ends.get(link)
    node.ends.delete(link)
    end?.node.ends.delete(end.link)
    node.handle({ type: 'link-closed', link, reason })
    const remoteReason = new P2pError('P2P_LINK_CLOSED', 'closed by the other end')
    end?.node.handle({ type: 'link-closed', link: end.link, reason: remoteReason })
  }

  /** A link whose other end is the test itself; what the node sends is in `node.sent`. */
  rawLink(
    node: BenchNode,
    options: { readonly dial?: number; readonly remote?: string } = {},
  ): LinkId {
    const link = node.newLink()
    const { dial, remote = 'memory://raw' } = options
    node.handle({ type: 'link-open', link, transport: 'memory', remote, dial })
    return link
  }

  /** Lets everything happen that needs no time. */
  settle(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
  }

  /** Moves time on, stopping at every deadline. */
  advance(durationMs: number): void {
    const endMs = this.now.monoMs + durationMs
    this.settle()
    for (;;) {
      const nextMs = Math.min(
        ...[...this.nodes.values()].map(({ peers, isDead }) =>
          isDead ? Infinity : peers.nextDeadline(),
        ),
      )
      if (nextMs > endMs) break
      this.#moveTo(Math.max(nextMs, this.now.monoMs))
      for (const node of this.nodes.values()) {
        if (node.peers.nextDeadline() <= this.now.monoMs) node.handle({ type: 'deadline' })
      }
      this.settle()
    }
    this.#moveTo(endMs)
  }

  #moveTo(monoMs: number): void {
    const utcSeconds = this.now.utcSeconds + (monoMs - this.now.monoMs) / 1_000
    this.now = { monoMs, utcSeconds }
  }

  #dial(node: BenchNode, dial: number, address: string): void {
    // Dials to real addresses are left to the test, which answers them with `rawLink`.
    if (!address.startsWith('memory://')) return
    const target = this.nodes.get(address.replace('memory://', ''))
    if (target === undefined) {
      const error = new P2pError('P2P_CONNECTION_REFUSED', 'nobody there')
      node.handle({ type: 'dial-failed', dial, error })
      return
    }
    const here = node.newLink()
    const there = target.newLink()
    node.ends.set(here, { node: target, link: there })
    target.ends.set(there, { node, link: here })
    const remote = `memory://${node.name}-dialler`
    target.handle({ type: 'link-open', link: there, transport: 'memory', remote, dial: undefined })
    node.handle({ type: 'link-open', link: here, transport: 'memory', remote: address, dial })
  }
}
