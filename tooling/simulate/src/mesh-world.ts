/** A simulated mesh: nodes of ours, old peers among them, and what is known about who got what. */
import { resolveLimits } from '@p2p/base'
import { BroadcastLedger, Js2pModel, Py2pModel, Simulator } from '@p2p/base/sim'
import type {
  DropCause,
  HostedNode,
  OldPeerCommand,
  OldPeerEvent,
  SimNode,
  SimNodeOptions,
} from '@p2p/base/sim'
import { MeshMachine } from '@p2p/mesh'
import type { MeshEffect, MeshInput } from '@p2p/mesh'
import { encodeBase58Integer, flags, idText, utf8Encode } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { hostilePeer } from './hostile-peer.ts'

type MeshCommand = Exclude<MeshInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>
type MeshEvent = Exclude<MeshEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>
export type OurNode = SimNode<MeshCommand, MeshEvent>
export type OldNode = SimNode<OldPeerCommand, OldPeerEvent>

export interface MeshWorldOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly oldShare: number
  readonly dissemination: 'tree' | 'flood'
  /** Share of ours that announce messages and never pass one on; default 0. */
  readonly liarShare?: number
  readonly transcriptLength: number
}

/** What an old peer held against one of our nodes. */
export interface Complaint {
  readonly by: HostedNode
  readonly against: HostedNode
  readonly cause: DropCause
}

const joinSpacingMs = 10
const dialTimeoutMs = 10_000
/** How often the application of a node without any peer dials its bootstrap addresses again. */
const lonelyRetryMs = 15_000
const bootstrapDials = 2
/** One node in so many is an address that others start from. */
const nodesPerBootstrap = 16
const minBootstraps = 4
const idKey = 'id'

export class MeshWorld {
  readonly sim: Simulator
  readonly ledger: BroadcastLedger
  readonly ours: OurNode[] = []
  readonly old: OldNode[] = []
  readonly complaints: Complaint[] = []
  readonly #options: MeshWorldOptions
  readonly #machines = new Map<HostedNode, MeshMachine>()
  readonly #nodesById = new Map<string, HostedNode>()
  readonly #liars = new Set<HostedNode>()
  #liarsDue = 0
  #sentCount = 0
  #requestCount = 0

  constructor(options: MeshWorldOptions) {
    const { seed, transcriptLength } = options
    this.#options = options
    this.sim = new Simulator({ seed, transcriptLength })
    this.ledger = new BroadcastLedger(this.sim, {
      isMember: (node) => this.#machines.has(node) && !this.#liars.has(node),
      measuresFlooding: true,
    })
  }

  /** Adds the nodes one after the other, each dialling some that were there before. */
  join(): void {
    const { nodeCount, oldShare } = this.#options
    let oldDue = 0
    for (let index = 0; index < nodeCount; index += 1) {
      // The first nodes are ours: old peers alone do not form a network that holds.
      oldDue += index < minBootstraps ? 0 : oldShare
      if (oldDue >= 1) {
        oldDue -= 1
        this.#addOld(this.old.length % 2 === 0 ? 'py2p' : 'js2p')
      } else {
        this.#addOurs()
      }
      this.sim.runFor(joinSpacingMs)
    }
    this.#watchForLonely()
  }

  /** Peers that mean harm; they dial our nodes and listen nowhere. */
  addHostile(count: number): void {
    const targets = {
      addresses: () => this.ours.flatMap(({ addresses }) => addresses),
      ids: () => [...this.#nodesById.keys()],
    }
    for (let index = 0; index < count; index += 1) {
      const random = this.sim.random.fork(`hostile ${index}`)
      this.sim.addNode({ listen: [], ...hostilePeer(random, targets) })
    }
  }

  /** Broadcasts so far, of ours and of old peers. */
  get sentCount(): number {
    return this.#sentCount
  }

  machine(node: HostedNode): MeshMachine | undefined {
    return node.isUp ? this.#machines.get(node) : undefined
  }

  isLiar(node: HostedNode): boolean {
    return this.#liars.has(node)
  }

  nodeById(id: string): HostedNode | undefined {
    return this.#nodesById.get(id)
  }

  /** Sends a message to everyone and enters it into the ledger, under the key that it returns. */
  broadcast(sender: OurNode, isOwed: boolean = true): string {
    this.#sentCount += 1
    const key = `m${this.#sentCount}`
    this.ledger.sent(key, sender, isOwed)
    const payload: Value[] = [flags.broadcast, utf8Encode(key)]
    sender.command({ type: 'broadcast', request: this.#nextRequest(), payload })
    return key
  }

  /** The same from an old peer; nobody is owed it. */
  broadcastFromOld(sender: OldNode): void {
    this.#sentCount += 1
    const key = `m${this.#sentCount}`
    this.ledger.sent(key, sender, false)
    const payload: Value[] = [flags.broadcast, utf8Encode(key)]
    sender.command({ type: 'broadcast', payload })
  }

  #addOurs(): void {
    const entries = this.#entryAddresses()
    this.#liarsDue += this.#options.liarShare ?? 0
    const isLiar = this.#liarsDue >= 1
    if (isLiar) this.#liarsDue -= 1
    const node = this.sim.addNode<MeshCommand, MeshEvent>({
      create: (boot) => {
        const id = this.#idOf(boot)
        return new MeshMachine({
          id,
          subnet: 'mesh',
          limits: resolveLimits(),
          randomBytes: boot.randomBytes,
          dissemination: this.#options.dissemination,
          policy: {
            listsPeersAfterHandshake: true,
            dialsKnownPeers: true,
            mayPass: () => !isLiar,
          },
        })
      },
      onStart: (started) => {
        const { machine } = started
        if (isLiar) this.#liars.add(started)
        if (machine instanceof MeshMachine) {
          this.#machines.set(started, machine)
          this.#nodesById.set(machine.id, started)
        }
        started.command({ type: 'listening', addresses: started.addresses })
        this.#connect(started, entries)
      },
      onEffect: (effect, self) => {
        if (effect.type !== 'message') return
        this.#onMessage(self, effect.message, effect.from.link)
      },
    })
    this.ours.push(node)
  }

  #addOld(kind: 'py2p' | 'js2p'): void {
    const entries = this.#entryAddresses()
    const options: SimNodeOptions<OldPeerCommand, OldPeerEvent> = {
      create: (boot) => {
        const address = boot.address ?? ''
        const { randomBytes } = boot
        return kind === 'py2p'
          ? new Py2pModel({ address, randomBytes })
          : new Js2pModel({ address, randomBytes })
      },
      onStart: (node) => {
        for (const address of entries) node.command({ type: 'connect', address })
      },
      onEffect: (effect, self) => {
        if (effect.type === 'message') this.#onMessage(self, effect.message, effect.link)
        else this.#onDropped(self, effect)
      },
    }
    this.old.push(this.sim.addNode(options))
  }

  /** An id outlives the process together with the store. */
  #idOf(boot: {
    readonly store: Map<string, Uint8Array>
    readonly randomBytes: (count: number) => Uint8Array
  }): string {
    const bytes = boot.store.get(idKey) ?? boot.randomBytes(48)
    boot.store.set(idKey, bytes)
    return encodeBase58Integer(bytes)
  }

  /** Addresses that a new node starts from: some of the first nodes. */
  #entryAddresses(): string[] {
    const wanted = Math.max(minBootstraps, Math.floor(this.#options.nodeCount / nodesPerBootstrap))
    const pool = this.ours.slice(0, wanted)
    const random = this.sim.random.fork(`entry ${this.sim.nodes.length}`)
    return random
      .shuffle(pool)
      .slice(0, bootstrapDials)
      .flatMap(({ addresses }) => addresses.slice(0, 1))
  }

  #connect(node: OurNode, addresses: readonly string[]): void {
    for (const address of addresses) {
      const request = this.#nextRequest()
      node.command({ type: 'connect', request, address, timeoutMs: dialTimeoutMs })
    }
  }

  /** What an application does that was given bootstrap addresses. */
  #watchForLonely(): void {
    const pool = this.ours.slice(0, minBootstraps).flatMap(({ addresses }) => addresses)
    const random = this.sim.random.fork('lonely')
    const look = (): void => {
      for (const node of this.ours) {
        if (this.machine(node)?.peers.size !== 0) continue
        const others = pool.filter((address) => !node.addresses.includes(address))
        this.#connect(node, random.shuffle(others).slice(0, bootstrapDials))
      }
      this.sim.after(lonelyRetryMs, look)
    }
    this.sim.after(lonelyRetryMs, look)
  }

  #onMessage(node: HostedNode, message: WireMessage, link: number): void {
    const key = idText(message.payload[1])
    if (key !== undefined) this.ledger.delivered(key, node, link)
  }

  #onDropped(by: HostedNode, dropped: Extract<OldPeerEvent, { type: 'dropped' }>): void {
    const against = this.#nodesById.get(dropped.peerId)
    const end = by.links.get(dropped.link)
    // What a fault flipped on the way is nobody's doing.
    if (against === undefined || end === undefined || end.other.wasCorrupted) return
    this.complaints.push({ by, against, cause: dropped.cause })
  }

  #nextRequest(): number {
    this.#requestCount += 1
    return this.#requestCount
  }
}
