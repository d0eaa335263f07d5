/**
 * Who was sent what and who got it: the bookkeeping behind "everyone, exactly once".
 *
 * A program tells the ledger when it broadcasts and when a node hands a message to its application.
 * The ledger tells how long that took beside a perfect flood over the links of that moment (shortest
 * paths over their latencies), which is the least time there can be.
 */
import type { LinkId } from '../protocol/link.ts'
import type { Invariant } from './invariant.ts'
import type { HostedNode } from './sim-node.ts'
import type { Simulator } from './simulator.ts'

interface Entry {
  readonly key: string
  readonly sender: HostedNode
  readonly sentMs: number
  /** Restarts of each node at the time of sending: who was started since need not have it. */
  readonly startsByNode: ReadonlyMap<HostedNode, number>
  readonly deliveredMs: Map<HostedNode, number>
  /** Restarts of the node when it last delivered: once per life of a process. */
  readonly deliveredIn: Map<HostedNode, number>
  readonly floodMs: ReadonlyMap<HostedNode, number>
  /** Links that the delivered copy had crossed. */
  readonly hops: Map<HostedNode, number>
  /** It must reach everybody. */
  isOwed: boolean
}

export interface LedgerTotals {
  readonly broadcasts: number
  /** Deliveries that must happen: broadcasts times other nodes. */
  readonly expected: number
  readonly delivered: number
  readonly duplicates: number
  readonly lost: number
}

/**
 * @example
 * const ledger = new BroadcastLedger(sim)
 * sim.addInvariant(ledger.atMostOnce)
 * ledger.sent('hello 1', sender)
 * // in onEffect of every node: ledger.delivered('hello 1', node)
 */
export class BroadcastLedger {
  readonly #sim: Simulator
  readonly #entries = new Map<string, Entry>()
  readonly #measuresFlooding: boolean
  #duplicates = 0
  #duplicateDetail: string | undefined
  readonly #isMember: (node: HostedNode) => boolean

  constructor(
    sim: Simulator,
    options: {
      /** Nodes that must get everything, once; default all. What others get twice is not counted. */
      readonly isMember?: (node: HostedNode) => boolean
      /** Compares with a perfect flood: one search over all links per broadcast. */
      readonly measuresFlooding?: boolean
    } = {},
  ) {
    this.#sim = sim
    this.#isMember = options.isMember ?? ((): boolean => true)
    this.#measuresFlooding = options.measuresFlooding ?? false
  }

  /** No node hands the same message to its application twice within one life of its process. */
  readonly atMostOnce: Invariant = {
    name: 'delivered-at-most-once',
    afterTurn: () => this.#duplicateDetail,
  }

  /** Every node that ran since a message was sent has it. */
  readonly reachesAll: Invariant = {
    name: 'broadcast-reaches-all',
    atRest: () => {
      for (const entry of this.#owed()) {
        const [missing] = this.#missing(entry)
        if (missing === undefined) continue
        const count = this.#missing(entry).length
        const who = `${count} nodes lack "${entry.key}" from ${entry.sender.name}`
        return { detail: `${who}, ${missing.name} among them`, node: missing }
      }
      return undefined
    },
  }

  /** @param isOwed whether it must reach everybody, and is compared with a flood; default true */
  sent(key: string, sender: HostedNode, isOwed: boolean = true): void {
    if (this.#entries.has(key)) throw new RangeError(`"${key}" was sent before`)
    const members = this.#sim.nodes.filter((node) => node.isUp && this.#isMember(node))
    this.#entries.set(key, {
      key,
      sender,
      sentMs: this.#sim.nowMs,
      startsByNode: new Map(members.map((node) => [node, node.restarts])),
      deliveredMs: new Map(),
      deliveredIn: new Map([[sender, sender.restarts]]),
      floodMs: this.#measuresFlooding && isOwed ? floodFrom(sender, this.#sim) : new Map(),
      hops: new Map([[sender, 0]]),
      isOwed,
    })
  }

  /**
   * The messages sent so far need not reach everybody any more, for instance because links were
   * broken; that nobody may get them twice still holds. They leave the figures, too.
   */
  excuseAll(): void {
    for (const entry of this.#entries.values()) entry.isOwed = false
  }

  /**
   * @param link the link that brought the copy; with it hops can be counted
   * @returns false for a message that was never sent
   */
  delivered(key: string, node: HostedNode, link?: LinkId): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#countHops(entry, node, link)
    if (entry.deliveredIn.get(node) === node.restarts) {
      if (this.#isMember(node)) {
        this.#duplicates += 1
        this.#duplicateDetail ??= `"${key}" came twice to ${node.name}`
      }
      return true
    }
    entry.deliveredIn.set(node, node.restarts)
    if (!entry.deliveredMs.has(node)) entry.deliveredMs.set(node, this.#sim.nowMs)
    return true
  }

  /** Whether the node has had the message, in whatever life of its process. */
  hasDelivered(key: string, node: HostedNode): boolean {
    return this.#entries.get(key)?.deliveredMs.has(node) ?? false
  }

  /** Figures of all messages that are owed to everybody; duplicates of all messages. */
  totals(): LedgerTotals {
    let expected = 0
    let delivered = 0
    let lost = 0
    const owed = this.#owed()
    for (const entry of owed) {
      expected += entry.startsByNode.size - (entry.startsByNode.has(entry.sender) ? 1 : 0)
      delivered += entry.deliveredMs.size
      lost += this.#missing(entry).length
    }
    return { broadcasts: owed.length, expected, delivered, duplicates: this.#duplicates, lost }
  }

  /** Milliseconds from sending to each delivery. */
  deliveryTimesMs(): number[] {
    return this.#owed().flatMap(({ sentMs, deliveredMs }) =>
      [...deliveredMs.values()].map((atMs) => atMs - sentMs),
    )
  }

  /** What a perfect flood would have needed for the same deliveries. */
  floodTimesMs(): number[] {
    return this.#owed().flatMap(({ floodMs, deliveredMs }) =>
      [...deliveredMs.keys()].flatMap((node) => floodMs.get(node) ?? []),
    )
  }

  /** Links that each delivered copy had crossed, where that is known. */
  hops(): number[] {
    return this.#owed().flatMap(({ hops, deliveredMs }) =>
      [...deliveredMs.keys()].flatMap((node) => hops.get(node) ?? []),
    )
  }

  #owed(): Entry[] {
    return [...this.#entries.values()].filter(({ isOwed }) => isOwed)
  }

  #countHops(entry: Entry, node: HostedNode, link: LinkId | undefined): void {
    const from = link === undefined ? undefined : node.links.get(link)?.other.owner
    const neighbour = from === undefined ? undefined : this.#sim.nodes[from.index]
    const hops = neighbour === undefined ? undefined : entry.hops.get(neighbour)
    if (hops !== undefined && !entry.hops.has(node)) entry.hops.set(node, hops + 1)
  }

  /** Running without a break since the message was sent, sender excepted, and still without it. */
  #missing(entry: Entry): HostedNode[] {
    if (!entry.sender.isUp || entry.startsByNode.get(entry.sender) !== entry.sender.restarts) {
      // The sender is gone: whether anybody got the message is not promised.
      return []
    }
    return [...entry.startsByNode].flatMap(([node, restarts]) => {
      const hasRun = node.isUp && node.restarts === restarts && node !== entry.sender
      return hasRun && !entry.deliveredMs.has(node) ? [node] : []
    })
  }
}

/** When a perfect flood would arrive: Dijkstra over the open links, one bucket per millisecond. */
function floodFrom(sender: HostedNode, sim: Simulator): ReadonlyMap<HostedNode, number> {
  const arrivalMs = new Map<HostedNode, number>([[sender, 0]])
  const buckets: HostedNode[][] = [[sender]]
  for (let bucket = 0; bucket < buckets.length; bucket += 1) {
    for (const node of buckets[bucket] ?? []) {
      const reachedMs = arrivalMs.get(node) ?? Infinity
      if (Math.floor(reachedMs) !== bucket) continue
      for (const end of node.links.values()) {
        const neighbour = sim.nodes[end.other.owner.index]
        const throughMs = reachedMs + end.latencyMs
        if (!end.isOpen || neighbour === undefined) continue
        if (throughMs >= (arrivalMs.get(neighbour) ?? Infinity)) continue
        arrivalMs.set(neighbour, throughMs)
        const target = Math.floor(throughMs)
        for (let count = buckets.length; count <= target; count += 1) buckets.push([])
        buckets[target]?.push(neighbour)
      }
    }
  }
  return arrivalMs
}
