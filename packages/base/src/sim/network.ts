/**
 * The simulated network: who listens where, dials, and what cuts nodes off from each other.
 *
 * A dial takes one round trip. The accepting node has its end of the link after half of it, as over
 * TCP, so it may speak first; the dialling node gets its end before the first of those bytes. A dial
 * into a partition is silent: it fails when its time is over, and so does one to a machine that is
 * switched off. One to a machine whose process is gone is refused.
 */
import { parseAddress } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { DialId, LinkId, TransportName } from '../protocol/link.ts'
import type { NetworkConditions } from './conditions.ts'
import { LinkEnd } from './link-end.ts'
import type { LinkOwner, LinkWorld } from './link-end.ts'
import type { SeededRandom } from './random.ts'
import type { Schedule } from './schedule.ts'

/** A node as the network sees it. */
export interface NetworkNode extends LinkOwner {
  /** Host name that the other end of a link sees. */
  readonly host: string
  /** What happens to dials while the node is down: its machine refuses, or is switched off too. */
  readonly isSilentWhenDown: boolean
  takeLinkId(): LinkId
  addLink(end: LinkEnd): void
  endDial(dial: DialId): void
}

export interface DialRequest {
  readonly dial: DialId
  readonly address: string
  readonly timeoutMs: number
}

/** Something that keeps nodes apart until it is healed. */
export interface Cut {
  heal(): void
}

type Blocks = (from: LinkOwner, to: LinkOwner) => boolean

const firstEphemeralPort = 49_152
const ephemeralPorts = 16_384

export class Network implements LinkWorld {
  readonly schedule: Schedule
  readonly random: SeededRandom
  conditions: NetworkConditions
  /** Links that were opened, by number of ends the owners were told of. */
  openedLinks = 0
  readonly #listeners = new Map<string, NetworkNode>()
  readonly #cuts = new Set<Blocks>()
  readonly #ends = new Set<LinkEnd>()
  /** Ends whose bytes wait for a partition to heal. */
  readonly #standing = new Set<LinkEnd>()

  constructor(options: {
    readonly schedule: Schedule
    readonly random: SeededRandom
    readonly conditions: NetworkConditions
  }) {
    this.schedule = options.schedule
    this.random = options.random
    this.conditions = options.conditions
  }

  /** The ends, one per link, that dialled; open ones only, in the order they were dialled. */
  openLinks(): LinkEnd[] {
    return [...this.#ends].filter((end) => end.isOpen && end.other.isOpen)
  }

  listen(address: string, node: NetworkNode): void {
    if (parseAddress(address) === undefined) throw new TypeError(`not an address: ${address}`)
    if (this.#listeners.has(address)) throw new RangeError(`${address} is taken`)
    this.#listeners.set(address, node)
  }

  isBlocked(from: LinkOwner, to: LinkOwner): boolean {
    if (this.#cuts.size === 0) return false
    for (const blocks of this.#cuts) if (blocks(from, to)) return true
    return false
  }

  /** Keeps bytes from every `from` to every `to` until healed; the other direction still works. */
  cutOneWay(from: ReadonlySet<LinkOwner>, to: ReadonlySet<LinkOwner>): Cut {
    return this.#cut((sender, receiver) => from.has(sender) && to.has(receiver))
  }

  /** Keeps the groups apart from each other until healed; a node in none of them reaches all. */
  cutGroups(groups: readonly ReadonlySet<LinkOwner>[]): Cut {
    const groupOf = new Map<LinkOwner, number>()
    groups.forEach((group, number) => {
      for (const node of group) groupOf.set(node, number)
    })
    return this.#cut((one, two) => {
      const groupOne = groupOf.get(one)
      const groupTwo = groupOf.get(two)
      return groupOne !== undefined && groupTwo !== undefined && groupOne !== groupTwo
    })
  }

  /** Keeps the node apart from everybody until healed. */
  cutOff(node: LinkOwner): Cut {
    return this.#cut((one, two) => (one === node) !== (two === node))
  }

  /** Dials; the node is told by an input. The returned function cancels. */
  dial(node: NetworkNode, request: DialRequest): () => void {
    const attempt = new DialAttempt(this, node, request)
    attempt.start(this.#listeners.get(request.address))
    return () => {
      attempt.cancel()
    }
  }

  wakeAfterHeal(end: LinkEnd): void {
    this.#standing.add(end)
  }

  /** Internal: remembers a link for `openLinks`. */
  keep(end: LinkEnd): void {
    this.#ends.add(end)
    this.openedLinks += 1
  }

  /** Internal: a node's end is gone. */
  drop(end: LinkEnd): void {
    this.#ends.delete(end)
  }

  drawLatencyMs(): number {
    return this.random.between(this.conditions.minLatencyMs, this.conditions.maxLatencyMs)
  }

  #cut(blocks: Blocks): Cut {
    this.#cuts.add(blocks)
    return {
      heal: () => {
        if (!this.#cuts.delete(blocks)) return
        const standing = [...this.#standing]
        this.#standing.clear()
        for (const end of standing) end.wake()
      },
    }
  }
}

/** One dial, from the wish to an open link or a failure. */
class DialAttempt {
  readonly #network: Network
  readonly #node: NetworkNode
  readonly #request: DialRequest
  #end: LinkEnd | undefined
  #isSettled = false

  constructor(network: Network, node: NetworkNode, request: DialRequest) {
    this.#network = network
    this.#node = node
    this.#request = request
  }

  start(listener: NetworkNode | undefined): void {
    const { conditions, random } = this.#network
    const latencyMs = this.#network.drawLatencyMs()
    this.#after(this.#request.timeoutMs, () => {
      if (this.#isSettled) return
      this.#end?.abandon()
      this.#fail(new P2pError('P2P_DIAL_TIMEOUT', `no answer from ${this.#request.address}`))
    })
    if (random.chance(conditions.silenceChance)) return
    if (listener === undefined) {
      if (conditions.unknownAddress === 'refused') this.#refuseAfter(2 * latencyMs)
      return
    }
    if (random.chance(conditions.refuseChance)) {
      this.#refuseAfter(2 * latencyMs)
      return
    }
    this.#after(latencyMs, () => {
      this.#arrive(listener, latencyMs)
    })
  }

  cancel(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#end?.abandon()
  }

  #arrive(listener: NetworkNode, latencyMs: number): void {
    if (this.#isSettled || !this.#node.isUp) return
    const network = this.#network
    if (network.isBlocked(this.#node, listener) || network.isBlocked(listener, this.#node)) return
    if (!listener.isUp) {
      if (!listener.isSilentWhenDown) this.#refuseAfter(latencyMs)
      return
    }
    this.#join(listener, latencyMs)
  }

  #join(listener: NetworkNode, latencyMs: number): void {
    const node = this.#node
    const world = this.#network
    const transport = transportOf(this.#request.address)
    const ours = new LinkEnd(node, { link: node.takeLinkId(), latencyMs, world })
    const theirs = new LinkEnd(listener, { link: listener.takeLinkId(), latencyMs, world })
    LinkEnd.join(ours, theirs)
    this.#end = ours
    ours.onOpened = () => {
      this.#open(ours, transport)
    }
    node.addLink(ours)
    listener.addLink(theirs)
    world.keep(ours)
    theirs.announceOpened()
    theirs.state = 'open'
    const port = firstEphemeralPort + world.random.below(ephemeralPorts)
    listener.receive({
      type: 'link-open',
      link: theirs.link,
      transport,
      remote:
        transport === 'memory' ? `memory://${node.host}` : `${transport}://${node.host}:${port}`,
      dial: undefined,
    })
  }

  #open(end: LinkEnd, transport: TransportName): void {
    if (this.#isSettled || end.state !== 'opening') return
    this.#isSettled = true
    end.state = 'open'
    this.#node.endDial(this.#request.dial)
    this.#node.receive({
      type: 'link-open',
      link: end.link,
      transport,
      remote: this.#request.address,
      dial: this.#request.dial,
    })
  }

  #refuseAfter(delayMs: number): void {
    this.#after(delayMs, () => {
      this.#fail(
        new P2pError('P2P_CONNECTION_REFUSED', `nobody listens at ${this.#request.address}`),
      )
    })
  }

  #fail(error: P2pError): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#node.endDial(this.#request.dial)
    this.#node.receive({ type: 'dial-failed', dial: this.#request.dial, error })
  }

  #after(delayMs: number, due: () => void): void {
    this.#network.schedule.at(this.#network.schedule.nowMs + delayMs, { due })
  }
}

function transportOf(address: string): TransportName {
  const parsed = parseAddress(address)
  if (parsed === undefined) throw new TypeError(`not an address: ${address}`)
  return parsed.transport
}
