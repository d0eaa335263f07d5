/**
 * The hash table: a mesh whose nodes divide the keys among them.
 *
 * Theory of operation. The machine wraps a mesh machine and sorts what nodes say about the table. Each
 * part that has rules of its own is a structure of its own:
 *
 *   ring-keeper.ts     who stores: news of the ring, links to neighbours on it, who is gone
 *   membership.ts      this node's joining and leaving
 *   own-reads.ts       reads of this node
 *   own-writes.ts      writes of this node
 *   replica-talk.ts    what nodes of ours ask each other about slots
 *   repair.ts          replicas: that all holders of a slot hold the same
 *   old-questions.ts   what nodes of protocol 0.7 ask and send, and what is asked of them
 *
 * A slot belongs to the storing node nearest behind it. Nodes of ours keep each slot r times: at its
 * owner, or behind an old owner, and at the nodes behind; they speak of slots with versions and answer
 * each other. With old nodes everything is done in the messages they know.
 *
 * Source: spec/chord.md §3–§7, §12; the design of replicas from the research on crashes and churn.
 */
import type { Machine, Now, Peer } from '@p2p/base'
import { MeshMachine, defaultMeshPolicy } from '@p2p/mesh'
import type { MeshEffect, MeshInput } from '@p2p/mesh'
import { flags, wholeNumber } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import { Balancing } from './balancing.ts'
import type { ChordEffect, ChordInput, ChordMachineOptions } from './chord-contract.ts'
import { slotsOf } from './hash-tables.ts'
import { Holders } from './holders.ts'
import type { EarlyRequest } from './joining.ts'
import { KeyList } from './key-list.ts'
import { KeyNews } from './key-news.ts'
import type { KeyNewsLine } from './key-news.ts'
import { Membership } from './membership.ts'
import type { MembershipLine } from './membership.ts'
import { metaPayload, readMessage } from './messages.ts'
import type { ChordMessage } from './messages.ts'
import { OldQuestions } from './old-questions.ts'
import type { OldLine } from './old-questions.ts'
import { Outbox } from './outbox.ts'
import type { OutboxLine } from './outbox.ts'
import { OwnReads } from './own-reads.ts'
import { OwnWrites } from './own-writes.ts'
import { PeerBudget } from './peer-budget.ts'
import { placesOf } from './place.ts'
import type { Place } from './place.ts'
import type { RequestLine } from './questions.ts'
import { RepairRounds } from './repair-rounds.ts'
import type { RepairLine } from './repair-rounds.ts'
import { ReplicaTalk } from './replica-talk.ts'
import type { TalkLine } from './replica-talk.ts'
import { readRingMessage, replicaFeature, ringFlag } from './ring-messages.ts'
import { RingKeeper } from './ring-keeper.ts'
import type { RingLine } from './ring-keeper.ts'
import { RingView } from './ring-view.ts'
import type { Member } from './ring-view.ts'
import { positionDigits, shiftedPosition } from './ring.ts'
import type { Position } from './ring.ts'
import { SlotStore } from './slot-store.ts'
import type { StoredSlot } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'
import { putPayload, readTableMessage, tableFlag } from './table-messages.ts'
import { VersionClock } from './version.ts'

const defaultReplicas = 5
const sweepEveryMs = 600_000

/** What the parts see of the machine. */
type Line = RingLine &
  OutboxLine &
  RequestLine &
  OldLine &
  TalkLine &
  RepairLine &
  MembershipLine &
  KeyNewsLine

export class ChordMachine implements Machine<ChordInput, ChordEffect> {
  readonly id: string
  readonly slots: SlotStore
  readonly keys: KeyList
  readonly #mesh: MeshMachine
  readonly #clock: VersionClock
  readonly #ring: RingKeeper
  readonly #old: OldQuestions
  readonly #reads: OwnReads
  readonly #writes: OwnWrites
  readonly #rounds: RepairRounds
  readonly #talk: ReplicaTalk
  readonly #holders: Holders
  readonly #outbox: Outbox
  readonly #news: KeyNews
  readonly #membership: Membership
  readonly #balancing: Balancing
  readonly #budget: PeerBudget
  readonly #isTalking: boolean
  readonly #replicas: number
  readonly #schemes: readonly string[] | undefined
  #invalidCount = 0
  /** 0 before the first deadline, which need not come for this. */
  #nextSweepMs = 0
  #effects: ChordEffect[] = []

  constructor(options: ChordMachineOptions) {
    const { id, randomBytes, replicas = defaultReplicas } = options
    this.id = id
    const { maxFrameBytes } = options.limits
    this.slots = new SlotStore(options.slotLimits, maxFrameBytes)
    this.keys = new KeyList(options.maxKeys)
    this.#clock = new VersionClock(id)
    this.#isTalking = options.extensions !== false
    this.#replicas = replicas
    this.#schemes = options.schemes
    const features = [...(options.features ?? []), replicaFeature]
    const policy = { ...(options.policy ?? defaultMeshPolicy), listsPeersAfterHandshake: false }
    this.#mesh = new MeshMachine({ ...options, features, policy })
    const { slots } = this
    const { repairMs } = options
    const isTalking = this.#isTalking
    const view = new RingView()
    this.#budget = new PeerBudget({ slots, members: view, keys: this.keys })
    const { nodes } = view
    const line = this.#line(nodes)
    const shared = { id, nodes, replicas, random: randomBytes, isTalking, line }
    this.#ring = new RingKeeper({ ...shared, view })
    this.#outbox = new Outbox(line, maxFrameBytes)
    this.#holders = new Holders(shared)
    this.#rounds = new RepairRounds({ ...shared, slots, repairMs })
    this.#old = new OldQuestions(line)
    this.#news = new KeyNews(line, { outbox: this.#outbox, old: this.#old, random: randomBytes })
    this.#reads = new OwnReads(line)
    this.#writes = new OwnWrites(line)
    this.#talk = new ReplicaTalk(line, this.#rounds.repair, this.#news)
    this.#balancing = new Balancing(shared)
    this.#membership = new Membership(line, {
      ring: this.#ring,
      balancing: this.#balancing,
      outbox: this.#outbox,
      old: this.#old,
      rounds: this.#rounds,
      talk: this.#talk,
    })
    this.#restore(options)
  }

  /** The own id as it goes on the wire. */
  get wireId(): string | Uint8Array {
    return this.#mesh.wireId
  }

  get subnet(): string {
    return this.#mesh.subnet
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#mesh.peers
  }

  /** Whether this node stores for others. */
  get isStoring(): boolean {
    return this.#ring.isStoring
  }

  /** The storing nodes this node knows, itself among them. */
  get storingNodes(): StoringNodes {
    return this.#ring.view.nodes
  }

  /** Where this node stands, in hexadecimal digits. */
  get ringPosition(): string {
    return positionDigits(shiftedPosition(this.id, this.shift) ?? 0n)
  }

  /** What it has chosen its place with: see `shiftedPosition`. */
  get shift(): number {
    return this.#ring.shift
  }

  /** The five places of a key and who holds each, as far as is known here. */
  locate(key: Uint8Array): readonly Place[] {
    const count = this.#isTalking ? this.#replicas : 1
    return placesOf(key, { nodes: this.storingNodes, ownId: this.id, count })
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#mesh.counters(),
      storingNodes: this.storingNodes.size,
      ringRecords: this.#ring.view.size,
      slots: this.slots.size,
      tombstones: this.slots.tombstoneCount,
      valueBytes: this.slots.valueBytes,
      keys: this.keys.size,
      openQuestions: this.#old.size,
      openRequests: this.#talk.requestCount,
      openReads: this.#reads.size,
      openWrites: this.#writes.size,
      dialling: this.#outbox.diallingCount,
      invalidMessages: this.#invalidCount + this.#old.invalidCount,
      refusedStores: this.#old.refusedCount + this.#talk.refusedCount,
      refusedComparisons: this.#budget.refused,
    }
  }

  handle(input: ChordInput, now: Now): readonly ChordEffect[] {
    this.#effects = []
    this.#holders.sweep(now.monoMs)
    switch (input.type) {
      case 'join':
        this.#membership.join(input, now)
        break
      case 'leave':
        this.#news.flush(now)
        this.#membership.leave(input, now)
        break
      case 'write':
      case 'read':
        if (!this.#membership.holds(input, now)) this.#request(input, now)
        break
      case 'cancel':
        this.#membership.cancel(input.request)
        this.#reads.cancel(input.request)
        this.#writes.cancel(input.request)
        this.#tellMesh(input, now)
        break
      case 'listening':
        this.#tellMesh(input, now)
        this.#ring.setAddresses(input.addresses, now)
        break
      case 'deadline':
        this.#onDeadline(now)
        break
      default:
        this.#tellMesh(input, now)
    }
    for (const early of this.#membership.settleJoining(now)) this.#request(early, now)
    this.#talk.failUnanswered(now)
    this.#membership.settleLeaving(now)
    const slots = this.slots.takeChanged()
    if (slots.length > 0) this.#effects.push({ type: 'slots-changed', slots })
    return this.#effects
  }

  nextDeadline(): number {
    return Math.min(
      this.#mesh.nextDeadline(),
      this.#ring.nextDeadline(),
      this.#old.nextDeadline(),
      this.#reads.nextDeadline(),
      this.#writes.nextDeadline(),
      this.#talk.nextDeadline(),
      this.#outbox.nextDeadline(),
      this.#news.nextDeadline(),
      this.#nextSweepMs || Infinity,
      this.#rounds.dueMs,
      this.#membership.nextDeadline(),
    )
  }

  #onDeadline(now: Now): void {
    const { monoMs } = now
    if (this.#mesh.nextDeadline() <= monoMs) this.#tellMesh({ type: 'deadline' }, now)
    this.#ring.handleDeadline(now)
    this.#outbox.handleDeadline(now)
    this.#news.handleDeadline(now)
    this.#membership.handleDeadline(now)
    this.#old.handleDeadline(now)
    for (const to of this.#talk.endRequests(monoMs)) this.#holders.avoid(to, monoMs)
    this.#writes.handleDeadline(now)
    this.#reads.handleDeadline(now)
    if (this.#rounds.dueMs <= monoMs) this.#rounds.handleDeadline(now)
    if (this.#nextSweepMs > monoMs) return
    this.#nextSweepMs = monoMs + sweepEveryMs
    this.slots.sweep(now.utcSeconds)
    this.#ring.view.sweep(monoMs)
  }

  // ---- the mesh below

  #tellMesh(input: MeshInput, now: Now): void {
    for (const effect of this.#mesh.handle(input, now)) this.#onMeshEffect(effect, now)
  }

  #onMeshEffect(effect: MeshEffect, now: Now): void {
    switch (effect.type) {
      case 'unclaimed':
        if (!this.#onUnclaimed(effect.message, effect.from, now)) this.#effects.push(effect)
        return
      case 'connected':
      case 'connect-failed': {
        const isConnected = effect.type === 'connected'
        const id = this.#outbox.dialEnded(effect.request, isConnected, now)
        if (id === undefined) this.#effects.push(effect)
        else if (effect.type === 'connected') this.#ring.dialEnded(id, undefined, now)
        else this.#onUnreachable(id, effect.error.code, now)
        return
      }
      case 'peer-join':
        this.#effects.push(effect)
        this.#onPeerJoin(effect.peer, now)
        return
      case 'peer-leave':
        this.#effects.push(effect)
        this.#talk.peerLeft(effect.peer.id)
        this.#outbox.peerLeft(effect.peer.id)
        this.#membership.peerLeft(effect.peer.id)
        this.#budget.forget(effect.peer.id)
        this.#ring.peerLeft(effect.peer, now)
        this.#old.peerLeft(effect.peer.id, now)
        return
      default:
        this.#effects.push(effect)
    }
  }

  #onPeerJoin(peer: Peer, now: Now): void {
    this.#holders.forgive(peer.id)
    this.#ring.peerJoined(peer, now)
    this.#membership.peerJoined(peer, now)
    this.#outbox.peerJoined(peer.id, now)
    // py2p greets only those that dial it, so two storing nodes may never learn of each other.
    if (!this.#talksTo(peer)) this.#outbox.whisper(peer.id, metaPayload(this.isStoring), now)
    this.#news.peerJoined(peer, now)
  }

  #onUnreachable(id: string, code: string, now: Now): void {
    // It has dialled this node meanwhile.
    if (this.peers.has(id)) {
      this.#ring.dialEnded(id, undefined, now)
      return
    }
    this.#holders.avoid(id, now.monoMs)
    this.#talk.peerLeft(id)
    this.#old.peerLeft(id, now)
    this.#ring.dialEnded(id, code, now)
  }

  #talksTo(peer: Peer): boolean {
    return this.#isTalking && peer.supports(replicaFeature)
  }

  /** True when the message was about the hash table. */
  #onUnclaimed(message: WireMessage, from: Peer, now: Now): boolean {
    const subFlag = wholeNumber(message.payload[0])
    if (subFlag === ringFlag || (subFlag === tableFlag && message.type === flags.whisper)) {
      if (this.#isTalking) this.#onOurs(subFlag, message, from, now)
      return true
    }
    const read = readMessage(message)
    if (read === 'ignored') return false
    if (read === 'invalid') this.#invalidCount += 1
    else this.#onMessage(read, from, now)
    return true
  }

  #onOurs(subFlag: number, { type, payload }: WireMessage, from: Peer, now: Now): void {
    const message = subFlag === ringFlag ? readRingMessage(payload) : readTableMessage(payload)
    if (message === undefined) {
      this.#invalidCount += 1
      return
    }
    if (!this.#budget.pays(from.id, message, now.monoMs)) return
    switch (message.type) {
      case 'keys':
        return this.#news.compare(message, from, now)
      case 'news':
        return this.#news.heardNews(message.keys, message.isPassed, now, type === flags.whisper)
      case 'members':
      case 'digest':
        return this.#ring.handle(message, from, type === flags.whisper, now)
      default:
        this.#outbox.noteUse(from.id, now)
        return this.#talk.handle(message, from.id, now)
    }
  }

  #onMessage(message: ChordMessage, from: Peer, now: Now): void {
    switch (message.type) {
      case 'meta':
        // Those that announce themselves to the ring are known from there.
        if (!this.#talksTo(from)) this.#membership.hearMeta(from, message.isStoring, now)
        return
      case 'notice':
        this.#news.heardNotice(message.key, now)
        return
      case 'removal':
        this.#news.heardRemoval(message.key, now)
        return
      default:
        this.#old.handle(message, from.id, now)
    }
  }

  // ---- who stores

  /** `from`: where the node stood, if it did. */
  #ringChanged({ id, state, isOld }: Member, from: Position | undefined, now: Now): void {
    const isStoring = state === 'storing'
    const to = this.storingNodes.get(id)?.position
    const isMove = from !== undefined && to !== undefined
    if (id !== this.id && !isMove) this.#effects.push({ type: 'ring', peer: id, isStoring })
    if (!isStoring) this.#holders.forgive(id)
    if (!isMove) this.#balancing.ringChanged(now)
    if (!this.isStoring) return
    if (id !== this.id) this.#rounds.ringChanged({ from, to }, now)
    if (isOld || this.storingNodes.size !== this.storingNodes.keeperCount)
      this.#old.tending.tendSoon(now)
  }

  // ---- reads and writes of this node

  #request(input: EarlyRequest, now: Now): void {
    if (input.type === 'read') {
      this.#reads.begin(input, now)
      return
    }
    this.#writes.begin(input, now)
    if (input.value === null) this.#news.deleted(input.key, now)
    else this.#news.wrote(input.key, now)
  }

  #restore({ restored = [], persists }: ChordMachineOptions): void {
    for (const slot of restored) {
      this.slots.put(slot, slot)
      this.#clock.see(slot.version, Infinity)
      if (slot.key !== undefined && slot.value !== undefined) this.keys.add(slot.key)
    }
    if (persists === true) this.slots.watchChanges()
  }

  // ---- what the parts see of this machine

  /** One for all: each sees what its own interface names. */
  #line(nodes: StoringNodes): Line {
    return {
      id: this.id,
      slots: this.slots,
      keys: this.keys,
      clock: this.#clock,
      nodes,
      peers: this.peers,
      wireId: this.wireId,
      isStoring: () => this.isStoring,
      tends: () => this.isStoring && this.#isTalking,
      talksTo: (peer) => this.#talksTo(peer),
      talking: () => this.#ring.talking,
      isOld: (id) => this.#isOld(id),
      hasOld: () => nodes.keeperCount !== nodes.size || !this.#isTalking,
      isDeleted: (key) => slotsOf(key).some((slot) => this.slots.isDeleted(slot)),
      addressOf: (id) => this.#addressOf(id),
      needsLinkTo: (id) => this.#ring.needsLinkTo(id),
      holdersOf: (slot) => this.#holders.of(slot),
      passedOver: (slot) => this.#holders.passedOver(slot),
      send: (to, payload, now) => this.#outbox.send(to, payload, now),
      spread: (payload, now) => {
        this.#outbox.spread(payload, now)
      },
      sendParcels: (parcels, now) => {
        this.#outbox.sendParcels(parcels, now)
      },
      handOver: (parcels, now) => {
        this.#outbox.handOver(parcels, now)
      },
      dial: (id, now) => this.#dial(id, now),
      reads: () => this.#reads,
      writes: () => this.#writes,
      ask: (to, about, build, now) => {
        this.#talk.ask(to, about, build, now)
      },
      offer: (offers, now) => {
        this.#talk.offer(offers, now)
      },
      askOld: (slot, to, waiter, now) => {
        this.#old.askOf(slot, to, waiter, now)
      },
      storeAtOld: (slot, value, to, now) => {
        this.#old.storeAt(slot, value, to, now)
      },
      replicate: (entry, now) => {
        this.#replicate(entry, now)
      },
      ringChanged: (member, from, now) => {
        this.#ringChanged(member, from, now)
      },
      wasGone: (now) => {
        this.#rounds.startAgain(now)
      },
      told: (peer) => {
        this.#membership.told(peer)
      },
      compared: (peer, now) => {
        this.#news.compareWith(peer, now)
      },
      onRound: (now) => {
        this.#membership.introduceAgain(now)
      },
      tellMesh: (input, now) => {
        this.#tellMesh(input, now)
      },
      emit: (effect) => void this.#effects.push(effect),
    }
  }

  /** The first one that this node has a transport for. */
  #addressOf(id: string): string | undefined {
    const schemes = this.#schemes
    const addresses = this.#ring.view.get(id)?.addresses
    return addresses?.find((one) => schemes?.includes(one.replace(/:.*/, '')) ?? true)
  }

  /** False when it cannot be dialled. */
  #dial(id: string, now: Now): boolean {
    if (this.#outbox.dial(id, undefined, now)) return true
    const code = this.#addressOf(id) ? 'P2P_TOO_MANY_DIALS' : 'P2P_NO_ADDRESS'
    this.#ring.dialEnded(id, code, now)
    return false
  }

  #replicate(entry: StoredSlot, now: Now): void {
    for (const id of this.#holders.of(entry))
      if (id !== this.id && !this.#isOld(id)) this.#outbox.send(id, putPayload([entry]), now)
  }

  /** True for programs of protocol 0.7, and for those that are not known to store: both are asked in old words. */
  #isOld(id: string): boolean {
    return this.storingNodes.get(id)?.isOld ?? true
  }
}
