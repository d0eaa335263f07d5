/**
 * The network of the running demo: starts nodes of every kind, says what happens as events for pages,
 * and carries out what pages ask for.
 *
 * Each kind is a network of its own. The first node of each listens on TCP and on WebSocket and bridges
 * the two: tabs join there.
 */
import { ensureForeign, ensurePython } from '@p2p/foreign'
import { js2pProgram, py2pProgram } from '@p2p/interop'
import type { NodeProgram } from '@p2p/interop'
import { networkNames } from '../view/world-event.ts'
import type {
  ControlCommand,
  Language,
  NetworkName,
  NodeFacts,
  Welcome,
  WorldEvent,
} from '../view/world-event.ts'
import { startForeignPeer } from './foreign-node.ts'
import type { LiveNode, LiveNodeEvents } from './live-node.ts'
import { startOwnNode } from './own-node.ts'
import { startP2pyNode } from './p2py-node.ts'

export interface LiveNetworkOptions {
  readonly python: boolean
  /** Nodes of ours in each network. */
  readonly counts: Readonly<Record<NetworkName, number>>
  readonly say: (line: string) => void
}

interface CutLink {
  readonly a: string
  /** Undefined: `a` is cut off from everybody. */
  readonly b: string | undefined
}

/** The most nodes a page can have started: all run in one process. */
const maxNodes = 200
/** Values that a page that comes later is told. */
const maxHeldKeys = 1_000

export class LiveNetwork {
  readonly #nodes = new Map<string, LiveNode>()
  /** Open links, as `a b` with the smaller id first. */
  #links = new Set<string>()
  readonly #visitors = new Map<string, NodeFacts>()
  readonly #cuts: CutLink[] = []
  readonly #paused = new Set<string>()
  readonly #held = new Map<string, Extract<WorldEvent, { type: 'held' }>>()
  readonly #listeners = new Set<(event: WorldEvent) => void>()
  readonly #counters = new Map<string, number>()
  readonly #options: LiveNetworkOptions

  constructor(options: LiveNetworkOptions) {
    this.#options = options
  }

  get nodes(): readonly LiveNode[] {
    return [...this.#nodes.values()]
  }

  /** Starts everything. What was started before a failure is ended by `close`. */
  async start(): Promise<void> {
    const { python, counts, say } = this.#options
    const modules = await ensureForeign()
    const interpreter = python ? await ensurePython() : undefined
    for (const network of networkNames) {
      say(`starting ${counts[network]} ${network} nodes …`)
      for (let index = 0; index < counts[network]; index += 1) await this.#add(network)
    }
    say('starting the original programs …')
    const starts = [this.#addForeign(js2pProgram(modules), 'js2p', 'JavaScript')]
    if (interpreter !== undefined)
      starts.push(this.#addForeign(py2pProgram(interpreter), 'py2p', 'Python'))
    await Promise.all(starts)
  }

  /** Calls back for every event from now on; returns the function that ends it. */
  onEvent(listener: (event: WorldEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All a page has to know when it opens. */
  welcome(): Welcome {
    const doors: Partial<Record<NetworkName, string>> = {}
    const subnets: Partial<Record<NetworkName, string>> = {}
    for (const { facts, webSocketAddress } of this.#nodes.values()) {
      if (webSocketAddress !== undefined) doors[facts.network] ??= webSocketAddress
      subnets[facts.network] = facts.network
    }
    const nodes = [...this.#nodes.values()].map(({ facts }) => this.#nodeEvent(facts))
    const visitors = [...this.#visitors.values()].map((node) => ({ type: 'node', node }) as const)
    const links = [...this.#links].map((link): WorldEvent => linkEvent(link, 'open'))
    return {
      type: 'welcome',
      doors,
      subnets,
      events: [...nodes, ...visitors, ...links, ...this.#held.values()],
    }
  }

  /** Does what a page asked for. Rejects with what is wrong with it. */
  async obey(command: ControlCommand): Promise<void> {
    switch (command.op) {
      case 'add':
        if (this.#nodes.size + command.count > maxNodes)
          throw new RangeError(`no more than ${maxNodes} nodes`)
        for (let index = 0; index < command.count; index += 1) await this.#add(command.network)
        return
      case 'kill':
        return this.#kill(this.#node(command.id))
      case 'pause':
      case 'resume':
        this.#pause(this.#node(command.id), command.op === 'pause')
        return
      case 'cut':
        this.#cut(this.#node(command.a), command.b)
        return
      case 'heal':
        return this.#heal()
    }
  }

  /** Something that a person can see: a node of ours or of theirs says something. */
  async talk(turn: number): Promise<void> {
    const speakers = [...this.#nodes.values()].filter(({ facts }) => !this.#paused.has(facts.id))
    const speaker = speakers[turn % Math.max(1, speakers.length)]
    await speaker?.talk(`message ${turn} by ${speaker.facts.name}`)
  }

  async close(): Promise<void> {
    const nodes = [...this.#nodes.values()]
    this.#nodes.clear()
    this.#listeners.clear()
    await Promise.all(nodes.map((node) => node.close()))
  }

  async #add(network: NetworkName): Promise<void> {
    const bridge = this.#bridge(network)
    const contacts = this.#contacts(network)
    const options = { ...this.#events(), name: this.#nameFor(network), contacts }
    const isBridge = bridge === undefined && network !== 'p2py'
    const node =
      network === 'p2py'
        ? await startP2pyNode({ ...options, network, isBridge })
        : await startOwnNode({ ...options, network, isBridge })
    this.#adopt(node)
  }

  async #addForeign(program: NodeProgram, name: string, language: Language): Promise<void> {
    for (const network of ['mesh', 'sync'] as const) {
      const [contact = ''] = this.#contacts(network)
      const contacts = [contact]
      const start = { ...this.#events(), network, language, contacts, isBridge: false }
      this.#adopt(await startForeignPeer(program, { ...start, name: `${name} ${network}` }))
    }
  }

  #adopt(node: LiveNode): void {
    this.#visitors.delete(node.facts.id)
    this.#nodes.set(node.facts.id, node)
    this.#emit(this.#nodeEvent(node.facts))
    this.#compareLinks()
  }

  #events(): LiveNodeEvents {
    return {
      onNeighbours: () => this.#compareLinks(),
      onEvent: (event) => this.#emit(event),
      isSeenHere: (sender) => this.#nodes.get(sender)?.facts.isOurs !== true,
    }
  }

  #bridge(network: NetworkName): LiveNode | undefined {
    return this.#ofNetwork(network).find(({ facts }) => facts.isBridge)
  }

  #ofNetwork(network: NetworkName): readonly LiveNode[] {
    return [...this.#nodes.values()].filter(({ facts }) => facts.network === network)
  }

  /** The newest node, and one that has been there for a while: so a network is neither a star nor a line. */
  #contacts(network: NetworkName): readonly string[] {
    const nodes = this.#ofNetwork(network).filter(({ facts }) => facts.isOurs)
    const contacts = new Set([nodes.at(-1), nodes[Math.floor(nodes.length / 2)]])
    return [...contacts].flatMap((node) => (node === undefined ? [] : [node.address]))
  }

  #nameFor(network: NetworkName): string {
    const number = (this.#counters.get(network) ?? 0) + 1
    this.#counters.set(network, number)
    return `${network} ${number}`
  }

  #node(id: string): LiveNode {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new RangeError('there is no such node')
    return node
  }

  async #kill(node: LiveNode): Promise<void> {
    const { id, name } = node.facts
    this.#nodes.delete(id)
    this.#paused.delete(id)
    for (const [key, { node: holder }] of this.#held) if (holder === id) this.#held.delete(key)
    this.#emit({ type: 'node-gone', id })
    this.#emit({ type: 'note', text: `${name} was killed` })
    this.#compareLinks()
    await node.kill()
  }

  #pause(node: LiveNode, isPaused: boolean): void {
    const faults = faultsOf(node)
    if (isPaused) {
      this.#paused.add(node.facts.id)
      faults.pause()
    } else {
      this.#paused.delete(node.facts.id)
      faults.resume()
    }
    this.#emit(this.#nodeEvent(node.facts))
  }

  #cut(node: LiveNode, peer: string | undefined): void {
    const faults = faultsOf(node)
    const a = node.facts.id
    this.#cuts.push({ a, b: peer })
    const severed = [...this.#links]
      .map((link) => link.split(' | '))
      .filter((ends) => ends.includes(a) && (peer === undefined || ends.includes(peer)))
    if (peer === undefined) faults.isolate()
    else {
      faults.cut(peer)
      this.#nodes.get(peer)?.faults?.cut(a)
    }
    for (const [one = '', two = ''] of severed)
      this.#emit({ type: 'link', a: one, b: two, state: 'cut' })
  }

  /** Lets everything pass again, and dials for those that were cut off: they would in a minute. */
  async #heal(): Promise<void> {
    const cuts = this.#cuts.splice(0)
    for (const { faults } of this.#nodes.values()) faults?.heal()
    for (const id of [...this.#paused]) this.#pause(this.#node(id), false)
    this.#emit({ type: 'note', text: 'everything is healed' })
    await Promise.allSettled(
      cuts.map(async ({ a, b }) => {
        const node = this.#nodes.get(a)
        if (node === undefined) return
        const other =
          b === undefined ? this.#contacts(node.facts.network) : [this.#nodes.get(b)?.address]
        for (const address of other)
          if (address !== undefined && address !== node.address) await node.connect(address)
      }),
    )
  }

  /** Tells what changed in who is linked to whom; nodes nobody knows are tabs. */
  #compareLinks(): void {
    const now = new Set<string>()
    const seen = new Set<string>()
    for (const { facts, neighbours } of this.#nodes.values()) {
      for (const peer of neighbours()) {
        now.add(facts.id < peer ? `${facts.id} | ${peer}` : `${peer} | ${facts.id}`)
        seen.add(peer)
        if (facts.isOurs && !this.#nodes.has(peer)) this.#welcomeVisitor(peer, facts.network)
      }
    }
    for (const link of this.#links) if (!now.has(link)) this.#emit(linkEvent(link, 'closed'))
    for (const link of now) if (!this.#links.has(link)) this.#emit(linkEvent(link, 'open'))
    this.#links = now
    for (const id of this.#visitors.keys()) {
      if (seen.has(id)) continue
      this.#visitors.delete(id)
      this.#emit({ type: 'node-gone', id })
    }
  }

  #welcomeVisitor(id: string, network: NetworkName): void {
    if (this.#visitors.has(id)) return
    const node: NodeFacts = {
      id,
      name: `tab ${id.slice(-4)}`,
      network,
      language: 'browser',
      state: 'running',
      isBridge: false,
      isOurs: false,
    }
    this.#visitors.set(id, node)
    this.#emit({ type: 'node', node })
  }

  #nodeEvent(facts: NodeFacts): WorldEvent {
    const state = this.#paused.has(facts.id) ? 'paused' : 'running'
    return { type: 'node', node: { ...facts, state } }
  }

  #emit(event: WorldEvent): void {
    if (event.type === 'held') {
      this.#held.set(`${event.node} ${event.key}`, event)
      const [oldest] = this.#held.keys()
      if (this.#held.size > maxHeldKeys && oldest !== undefined) this.#held.delete(oldest)
    }
    for (const listener of this.#listeners) listener(event)
  }
}

function faultsOf({ faults, facts }: LiveNode): NonNullable<LiveNode['faults']> {
  if (faults === undefined) throw new RangeError(`${facts.name} can only be killed`)
  return faults
}

function linkEvent(link: string, state: 'open' | 'closed'): WorldEvent {
  const [a = '', b = ''] = link.split(' | ')
  return { type: 'link', a, b, state }
}
