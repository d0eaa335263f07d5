/**
 * Everything that this node says: to neighbours at once, to other members once they are dialled, to all
 * as a broadcast, and in portions what there is much of. Links that were dialled for it and are used
 * no more are let go.
 */
import { P2pError } from '@p2p/base'
import type { Now, Peer, RequestId } from '@p2p/base'
import type { MeshInput } from '@p2p/mesh'
import { checksumBytes, createMessage, flags } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { HandOvers } from './hand-overs.ts'
import type { Parcel } from './hand-overs.ts'
import { OnDemandLinks } from './on-demand-links.ts'
import { Reach } from './reach.ts'
import { meshedUpTo } from './ring-keeper.ts'
import type { StoringNodes } from './storing-nodes.ts'

const dialTimeoutMs = 3_000
/** Links in all up to which none is let go … */
const keptLinks = 64
/** … and in a ring that is not meshed in full. */
const keptInLargeRing = 24

/** What the outbox needs of the machine around it. */
export interface OutboxLine {
  readonly peers: ReadonlyMap<string, Peer>
  /** The own id as it goes on the wire. */
  readonly wireId: string | Uint8Array
  readonly nodes: Pick<StoringNodes, 'size'>
  addressOf(id: string): string | undefined
  /** Whether a link serves more than single questions. */
  needsLinkTo(id: string): boolean
  tellMesh(input: MeshInput, now: Now): void
}

export class Outbox {
  readonly #line: OutboxLine
  readonly #maxFrameBytes: number
  readonly #reach = new Reach()
  readonly #handOvers = new HandOvers()
  readonly #onDemand = new OnDemandLinks()

  /** `maxFrameBytes`: what is longer is not sent, as it would cost the link. */
  constructor(line: OutboxLine, maxFrameBytes: number) {
    this.#line = line
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Nodes being dialled. */
  get diallingCount(): number {
    return this.#reach.size
  }

  /** Whether something of what was to be handed over has not gone out yet. */
  get isHandingOver(): boolean {
    return this.#handOvers.nextDeadline() !== Infinity
  }

  nextDeadline(): number {
    return Math.min(this.#handOvers.nextDeadline(), this.#onDemand.nextDeadline())
  }

  handleDeadline(now: Now): void {
    this.sendParcels(this.#handOvers.handleDeadline(now.monoMs), now)
    if (this.#onDemand.nextDeadline() <= now.monoMs) this.#letGo(now)
  }

  whisper(peer: string, payload: readonly Value[], now: Now): void {
    this.#pass(peer, payload, now)
  }

  /** False for what fits no frame. */
  #pass(peer: string, payload: readonly Value[], now: Now): boolean {
    const message = this.#compose(flags.whisper, payload, now)
    if (message !== undefined)
      this.#line.tellMesh({ type: 'pass', peer, message, priority: 'own' }, now)
    return message !== undefined
  }

  /** To any member, which is dialled when it is no neighbour. False when it cannot be, and for what fits no frame. */
  send(to: string, payload: readonly Value[], now: Now): boolean {
    if (!this.#line.peers.has(to)) return this.dial(to, payload, now)
    this.#onDemand.noteUse(to, now.monoMs)
    return this.#pass(to, payload, now)
  }

  /** False when no address is known, or too much is under way. */
  dial(to: string, payload: readonly Value[] | undefined, now: Now): boolean {
    const address = this.#line.addressOf(to)
    if (address === undefined) return false
    const request = this.#reach.add(to, payload)
    if (typeof request !== 'number') return request === 'waits'
    const timeoutMs = dialTimeoutMs
    this.#line.tellMesh({ type: 'connect', request, address, expectedId: to, timeoutMs }, now)
    return true
  }

  /** `knownTo`: neighbours that need not be told. */
  spread(payload: readonly Value[], now: Now, knownTo: Iterable<string> = []): void {
    const message = this.#compose(flags.broadcast, payload, now)
    if (message !== undefined)
      this.#line.tellMesh({ type: 'spread', message, heldBy: knownTo }, now)
  }

  handOver(parcels: Iterable<Parcel>, now: Now): void {
    this.sendParcels(this.#handOvers.add(parcels, now.monoMs), now)
  }

  sendParcels(parcels: readonly Parcel[], now: Now): void {
    for (const { peer, payload } of parcels) this.send(peer, payload, now)
  }

  /** A dial has ended; whose it was, undefined when it was none of the table's. */
  dialEnded(request: RequestId, isConnected: boolean, now: Now): string | undefined {
    const id = this.#reach.end(request)
    if (id !== undefined && isConnected) this.#onDemand.add(id, now.monoMs)
    return id
  }

  peerJoined(id: string, now: Now): void {
    for (const payload of this.#reach.takeWaiting(id)) this.whisper(id, payload, now)
  }

  peerLeft(id: string): void {
    this.#onDemand.delete(id)
  }

  /** A peer asked or told something about slots. */
  noteUse(id: string, now: Now): void {
    this.#onDemand.noteUse(id, now.monoMs)
  }

  #letGo(now: Now): void {
    const { peers, nodes } = this.#line
    const kept = nodes.size > meshedUpTo ? keptInLargeRing : keptLinks
    const isNeeded = (id: string): boolean => this.#line.needsLinkTo(id)
    for (const peer of this.#onDemand.takeUnused(now.monoMs, peers.size - kept, isNeeded)) {
      const reason = new P2pError('P2P_LINK_UNUSED', 'the link was not used')
      this.#line.tellMesh({ type: 'let-go', peer, reason }, now)
    }
  }

  #compose(
    type: WireMessage['type'],
    payload: readonly Value[],
    now: Now,
  ): WireMessage | undefined {
    const time = Math.floor(now.utcSeconds)
    const message = createMessage({ type, sender: this.#line.wireId, time, payload })
    const isTooLong = message.body.length + checksumBytes > this.#maxFrameBytes
    return isTooLong ? undefined : message
  }
}
