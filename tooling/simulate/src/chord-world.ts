/** A simulated hash table network, and what is known about which keys were acknowledged. */
import { resolveLimits } from '@p2p/base'
import { Simulator } from '@p2p/base/sim'
import type { HostedNode, SimNode } from '@p2p/base/sim'
import { ChordMachine, StoringNodes, mostToMean, placesOf } from '@p2p/chord'
import type { ChordEffect, ChordInput } from '@p2p/chord'
import { decodeValue, encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'

type Command = Exclude<ChordInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>
type Emitted = Exclude<ChordEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>

export interface Member {
  readonly node: SimNode<Command, Emitted>
  /** Of the node while it is up. */
  readonly machine: ChordMachine
  /** Which side of a partition it is on; 0 while there is none. */
  side: number
}

/** What a key may hold: the last acknowledged value, and those of writes that were not yet, or later. */
interface Expectation {
  acknowledged: string | undefined
  readonly possible: Set<string>
}

export interface ReadCounts {
  right: number
  /** A value that the key should not have. */
  wrong: number
  /** No value, though one was acknowledged. */
  unreadable: number
}

const idBytes = 48
const replicas = 5
const opTimeoutMs = 10_000
const nodeLimits = {
  targetOutgoing: 6,
  maxNeighbours: 128,
  maxOldOutgoing: 8,
  maxSenderTrees: 0,
  maxLazyLinks: 12,
}

export class ChordWorld {
  readonly sim: Simulator
  /** Those that are up. The dead are forgotten: in hours of churn there are many, each with a view of the whole ring. */
  readonly #members = new Map<HostedNode, Member>()
  /** Nodes that there ever were. */
  nodeCount = 0
  readonly expected: Map<string, Expectation> = new Map<string, Expectation>()
  readonly readTimesMs: number[] = []
  failedWrites = 0
  acknowledgedWrites = 0
  /** True since the ring, or somebody's view of it, has changed. */
  isRingChanged = false
  /** Nodes whose view has changed since it was looked at. */
  readonly changedViews: Set<HostedNode> = new Set<HostedNode>()
  readonly #waiting = new Map<number, (effect: Emitted) => void>()
  readonly #repairMs: number
  readonly #heartbeatIntervalMs: number
  #introductions = 0
  #requests = 0
  #values = 0

  constructor(options: {
    readonly seed: number
    readonly transcriptLength: number
    readonly repairMs: number
    readonly heartbeatIntervalMs: number
  }) {
    const { seed, transcriptLength, repairMs, heartbeatIntervalMs } = options
    this.sim = new Simulator({ seed, transcriptLength })
    this.#repairMs = repairMs
    this.#heartbeatIntervalMs = heartbeatIntervalMs
  }

  /** How many nodes are up. */
  get size(): number {
    return this.#members.size
  }

  get living(): readonly Member[] {
    return [...this.#members.values()]
  }

  /** Those that have reached the network: a node of the application is open only then. */
  get connected(): readonly Member[] {
    return this.living.filter(({ machine }) => machine.peers.size > 0)
  }

  get storing(): readonly Member[] {
    return this.living.filter(({ machine }) => machine.isStoring)
  }

  /** The load of the node with most over the mean, as the nodes themselves know where they stand. */
  mostToMean(): number {
    const ring = new StoringNodes()
    for (const { machine } of this.storing) ring.add(machine.id, false, machine.shift)
    return mostToMean(placesOf(ring), replicas)
  }

  /** How many nodes that are up do not stand at their ids. */
  get placed(): number {
    return this.storing.filter(({ machine }) => machine.shift !== 0).length
  }

  memberOf(node: HostedNode): Member | undefined {
    return this.#members.get(node)
  }

  /** A node that knows two of those that are there. It stores from `join` on. */
  add(): Member {
    const contacts = this.#contacts()
    this.nodeCount += 1
    const made: ChordMachine[] = []
    const node = this.sim.addNode<Command, Emitted>({
      create: (boot) => {
        const machine = new ChordMachine({
          id: encodeBase58Integer(boot.randomBytes(idBytes)),
          subnet: 'chord',
          // Bytes cost nothing here, and packing them would take longer than everything else.
          methods: [],
          limits: resolveLimits({ heartbeatIntervalMs: this.#heartbeatIntervalMs }),
          repairMs: this.#repairMs,
          randomBytes: boot.randomBytes,
          meshLimits: nodeLimits,
        })
        made.push(machine)
        return machine
      },
      onStart: (sim) => sim.command({ type: 'listening', addresses: sim.addresses }),
      onEffect: (effect, sim) => this.#onEffect(effect, sim),
    })
    const machine = made.pop()
    if (machine === undefined) throw new Error('the simulator made no machine')
    const member = { node, machine, side: 0 }
    this.#members.set(node, member)
    this.#connect(member, contacts)
    return member
  }

  /** Of a node that reached nobody, because those that it knew have died: it is told of two others. */
  connectAgain(member: Member): void {
    this.#connect(member, this.#contacts())
  }

  #contacts(): readonly Member[] {
    this.#introductions += 1
    const random = this.sim.random.fork(`contacts ${this.#introductions}`)
    return random.shuffle(this.connected.length > 0 ? this.connected : this.living).slice(0, 2)
  }

  #connect({ node }: Member, contacts: readonly Member[]): void {
    for (const { node: other } of contacts) {
      const [address = ''] = other.addresses
      const request = this.#nextRequest()
      node.command({ type: 'connect', request, address, timeoutMs: opTimeoutMs })
    }
  }

  join({ node }: Member): void {
    node.command({ type: 'join' })
    this.isRingChanged = true
  }

  /** Hands over, and is gone once that is done. */
  leave({ node }: Member): void {
    const request = this.#nextRequest()
    this.#waiting.set(request, () => {
      this.sim.after(100, () => {
        this.#end(node)
      })
    })
    node.command({ type: 'leave', request, timeoutMs: opTimeoutMs })
  }

  crash({ node }: Member): void {
    this.#end(node)
  }

  #end(node: SimNode<Command, Emitted>): void {
    if (node.isUp) node.crash({ keepStore: false })
    this.#members.delete(node)
    this.changedViews.delete(node)
    this.isRingChanged = true
  }

  write({ node }: Member, key: string): void {
    this.#values += 1
    const value = `value ${this.#values}`
    const expectation = this.expected.get(key) ?? { acknowledged: undefined, possible: new Set() }
    this.expected.set(key, expectation)
    expectation.possible.add(value)
    const request = this.#nextRequest()
    this.#waiting.set(request, (effect) => {
      if (effect.type !== 'written') {
        this.failedWrites += 1
        return
      }
      this.acknowledgedWrites += 1
      // Of two that were under way together, either may be the later one.
      const later = [...expectation.possible].slice([...expectation.possible].indexOf(value))
      if (!later.includes(value)) return
      expectation.acknowledged = value
      expectation.possible.clear()
      for (const other of later) expectation.possible.add(other)
    })
    const input = { key: utf8Encode(key), value: encodeValue(value), timeoutMs: opTimeoutMs }
    node.command({ type: 'write', request, ...input })
  }

  /** Counts how the read ends, if the reader lives to see it. */
  read({ node }: Member, key: string, counts: ReadCounts): void {
    const expectation = this.expected.get(key)
    if (expectation?.acknowledged === undefined) return
    const allowed = new Set(expectation.possible)
    const startMs = this.sim.nowMs
    const request = this.#nextRequest()
    this.#waiting.set(request, (effect) => {
      if (effect.type !== 'read-ended') return
      for (const value of expectation.possible) allowed.add(value)
      const { result } = effect
      if (result.type !== 'found') counts.unreadable += 1
      else if (allowed.has(String(decodeValue(result.value)))) counts.right += 1
      else counts.wrong += 1
      this.readTimesMs.push(this.sim.nowMs - startMs)
    })
    node.command({ type: 'read', request, key: utf8Encode(key), timeoutMs: opTimeoutMs })
  }

  #onEffect(effect: Emitted, node: HostedNode): void {
    if (effect.type === 'ring') {
      this.isRingChanged = true
      this.changedViews.add(node)
    }
    if (!('request' in effect)) return
    const done = this.#waiting.get(effect.request)
    this.#waiting.delete(effect.request)
    done?.(effect)
  }

  #nextRequest(): number {
    this.#requests += 1
    return this.#requests
  }
}
