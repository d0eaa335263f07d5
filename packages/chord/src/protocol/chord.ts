/**
 * The hash table: a mesh whose nodes divide the keys among them.
 *
 * Theory of operation. The machine wraps a mesh machine. It greets every neighbour with its state,
 * storing or leeching, and learns theirs; from those it knows who owns a slot (storing-nodes.ts). What
 * is asked of it and is not its own it passes to the owner; what is its own it keeps (slot-store.ts). A
 * newcomer gets the slots that are nearer to it; a node that leaves sends away all it has. A read asks
 * the five owners and takes a majority (read.ts); a write is done when three owners say back what was
 * sent to them (write.ts), which also works with owners that acknowledge nothing.
 *
 * Where it is not py2p: it greets in both roles, answers once, sends nothing back where it came from,
 * survives messages over which py2p closes the link, and keeps its data when nobody is left to take it.
 *
 * The file is long because routing, reads and writes all turn on one question, who owns the slot;
 * every rule that can stand alone stands in its part.
 *
 * Source: spec/chord.md §3–§7, §12.
 */
import { P2pError } from '@p2p/base'
import type { Machine, Now, Peer, RequestId } from '@p2p/base'
import { MeshMachine, defaultMeshPolicy } from '@p2p/mesh'
import type { MeshEffect, MeshInput } from '@p2p/mesh'
import { createMessage, decodeValue, encodeValue, flags, toHex } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import type { ChordEffect, ChordInput, ChordMachineOptions } from './chord-contract.ts'
import { HandOvers } from './hand-overs.ts'
import type { Parcel } from './hand-overs.ts'
import { slotsOf } from './hash-tables.ts'
import type { Slot } from './hash-tables.ts'
import { KeyList } from './key-list.ts'
import {
  deltaPayload,
  fieldsOf,
  metaPayload,
  noticePayload,
  readMessage,
  removalPayload,
  retrievePayload,
  retrievedPayload,
  storePayload,
} from './messages.ts'
import type { ChordMessage } from './messages.ts'
import { OpenQuestions } from './open-questions.ts'
import type { OpenQuestion, Waiter } from './open-questions.ts'
import { Read } from './read.ts'
import { nodePosition } from './ring.ts'
import { SlotStore } from './slot-store.ts'
import { StoringNodes } from './storing-nodes.ts'
import { VersionClock } from './version.ts'
import { isSameValue } from './vote.ts'
import { PendingWrite } from './write.ts'

const defaultMaxKeys = 1_000_000
const sweepEveryMs = 600_000
/** Between nodes of ours nothing comes after five nils; an old node on the way needs this long. */
const readGraceMs = 1_000

interface OpenWrite {
  readonly progress: PendingWrite
  readonly endMs: number
}

export class ChordMachine implements Machine<ChordInput, ChordEffect> {
  readonly id: string
  readonly slots: SlotStore
  readonly keys: KeyList
  readonly #mesh: MeshMachine
  readonly #clock: VersionClock
  /** Neighbours that store, and this node when it does. */
  readonly #storing = new StoringNodes()
  readonly #questions = new OpenQuestions()
  readonly #handOvers = new HandOvers()
  readonly #reads = new Map<RequestId, Read>()
  readonly #writes = new Map<RequestId, OpenWrite>()
  #invalidCount = 0
  #refusedCount = 0
  #nextSweepMs = 0
  #effects: ChordEffect[] = []

  constructor(options: ChordMachineOptions) {
    this.id = options.id
    this.slots = new SlotStore(options.slotLimits)
    this.keys = new KeyList(options.maxKeys ?? defaultMaxKeys)
    this.#clock = new VersionClock(options.id)
    this.#mesh = new MeshMachine({
      ...options,
      policy: { ...(options.policy ?? defaultMeshPolicy), listsPeersAfterHandshake: false },
    })
  }

  /** The own id as it goes on the wire. */
  get wireId(): string | Uint8Array {
    return this.#mesh.wireId
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#mesh.peers
  }

  /** Whether this node stores for others. */
  get isStoring(): boolean {
    return this.#storing.has(this.id)
  }

  /** The storing nodes this node knows, itself among them. */
  get storingNodes(): StoringNodes {
    return this.#storing
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#mesh.counters(),
      storingNodes: this.#storing.size,
      slots: this.slots.size,
      tombstones: this.slots.tombstoneCount,
      valueBytes: this.slots.valueBytes,
      keys: this.keys.size,
      openQuestions: this.#questions.size,
      openReads: this.#reads.size,
      openWrites: this.#writes.size,
      invalidMessages: this.#invalidCount,
      refusedStores: this.#refusedCount,
    }
  }

  handle(input: ChordInput, now: Now): readonly ChordEffect[] {
    this.#effects = []
    switch (input.type) {
      case 'join':
        if (this.#storing.add(this.id)) this.#announceState(now)
        break
      case 'leave':
        this.#leave(now)
        break
      case 'write':
        this.#write(input, now)
        break
      case 'write-delta':
        this.#noteOwnKey(input.key, now)
        for (const slot of slotsOf(input.key)) this.#routeDelta(slot, input.fields, undefined, now)
        break
      case 'read':
        this.#read(input, now)
        break
      case 'cancel':
        this.#reads.delete(input.request)
        this.#writes.delete(input.request)
        this.#tellMesh(input, now)
        break
      case 'deadline':
        this.#onDeadline(now)
        break
      default:
        this.#tellMesh(input, now)
    }
    return this.#effects
  }

  nextDeadline(): number {
    let next = Math.min(
      this.#mesh.nextDeadline(),
      this.#questions.nextDeadline(),
      this.#handOvers.nextDeadline(),
      this.#nextSweepMs,
    )
    for (const read of this.#reads.values()) next = Math.min(next, read.nextDeadline())
    for (const { endMs } of this.#writes.values()) next = Math.min(next, endMs)
    return next
  }

  #onDeadline(now: Now): void {
    if (this.#mesh.nextDeadline() <= now.monoMs) this.#tellMesh({ type: 'deadline' }, now)
    this.#sendParcels(this.#handOvers.handleDeadline(now.monoMs), now)
    for (const question of this.#questions.takeDue(now.monoMs)) this.#endQuestion(question, now)
    for (const [request, read] of this.#reads) {
      read.handleDeadline(now.monoMs)
      this.#settleRead(request, read)
    }
    for (const [request, write] of this.#writes) {
      if (write.endMs <= now.monoMs) this.#failWrite(request)
    }
    if (this.#nextSweepMs > now.monoMs) return
    this.#nextSweepMs = now.monoMs + sweepEveryMs
    this.slots.sweep(now.utcSeconds)
  }

  // ---- the mesh below

  #tellMesh(input: MeshInput, now: Now): void {
    for (const effect of this.#mesh.handle(input, now)) this.#onMeshEffect(effect, now)
  }

  #onMeshEffect(effect: MeshEffect, now: Now): void {
    if (effect.type === 'unclaimed' && this.#onUnclaimed(effect.message, effect.from, now)) return
    this.#effects.push(effect)
    if (effect.type === 'peer-join') this.#greet(effect.peer.id, now)
    else if (effect.type === 'peer-leave') this.#onLeave(effect.peer.id, now)
  }

  /** py2p greets only those that dial it, so two storing nodes may never learn of each other. */
  #greet(peer: string, now: Now): void {
    this.#whisper(peer, metaPayload(this.isStoring), now)
    const notices = (keys: KeyList): Iterable<Parcel> => ({
      *[Symbol.iterator]() {
        for (const key of keys.values()) yield { peer, payload: noticePayload(key) }
      },
    })
    if (this.keys.size > 0) this.#handOver(notices(this.keys), now)
  }

  #onLeave(peer: string, now: Now): void {
    if (this.#storing.delete(peer)) this.#effects.push({ type: 'ring', peer, isStoring: false })
    for (const { slot, waiters } of this.#questions.takeAskedOf(peer)) {
      for (const waiter of waiters) {
        // What was sent to the node that is gone is not at its heir.
        if (waiter.type === 'write') this.#failTable(waiter.request, slot, peer)
        else this.#ask(slot, waiter, waiter.type === 'peer' ? waiter.peer : undefined, now)
      }
    }
  }

  #whisper(peer: string, payload: readonly Value[], now: Now): void {
    const time = Math.floor(now.utcSeconds)
    const message = createMessage({ type: flags.whisper, sender: this.wireId, time, payload })
    this.#tellMesh({ type: 'pass', peer, message, priority: 'own' }, now)
  }

  #spread(payload: readonly Value[], now: Now): void {
    const time = Math.floor(now.utcSeconds)
    const message = createMessage({ type: flags.broadcast, sender: this.wireId, time, payload })
    this.#tellMesh({ type: 'spread', message }, now)
  }

  #handOver(parcels: Iterable<Parcel>, now: Now): void {
    this.#sendParcels(this.#handOvers.add(parcels, now.monoMs), now)
  }

  #sendParcels(parcels: readonly Parcel[], now: Now): void {
    for (const { peer, payload } of parcels) this.#whisper(peer, payload, now)
  }

  /** True when the message was about the hash table. */
  #onUnclaimed(message: WireMessage, from: Peer, now: Now): boolean {
    const read = readMessage(message)
    if (read === 'ignored') return false
    if (read === 'invalid') this.#invalidCount += 1
    else this.#onMessage(read, from.id, now)
    return true
  }

  #onMessage(message: ChordMessage, from: string, now: Now): void {
    switch (message.type) {
      case 'meta':
        this.#onMeta(from, message.isStoring, now)
        return
      case 'notice':
        if (this.keys.add(message.key)) this.#effects.push({ type: 'key-added', key: message.key })
        return
      case 'removal':
        if (this.keys.delete(message.key)) {
          this.#effects.push({ type: 'key-removed', key: message.key })
        }
        return
      case 'store':
        this.#routeStore(message.slot, message.value, from, now)
        return
      case 'delta':
        this.#routeDelta(message.slot, message.fields, from, now)
        return
      case 'retrieve':
        this.#ask(message.slot, { type: 'peer', peer: from, wording: message.wording }, from, now)
        return
      case 'retrieved':
        this.#onRetrieved(message.slot, message.value, from, now)
    }
  }

  // ---- who stores

  #onMeta(peer: string, isStoring: boolean, now: Now): void {
    const changed = isStoring ? this.#storing.add(peer) : this.#storing.delete(peer)
    if (!changed) return
    this.#effects.push({ type: 'ring', peer, isStoring })
    this.#whisper(peer, metaPayload(this.isStoring), now)
    if (!isStoring || !this.isStoring) return
    this.#tellMesh({ type: 'list-peers', peer }, now)
    const [from, to] = [nodePosition(peer), nodePosition(this.id)]
    if (from === undefined || to === undefined) return
    this.#handOver(this.#parcelsFor([...this.slots.valuesBetween({ from, to })]), now)
  }

  #announceState(now: Now): void {
    for (const peer of this.peers.keys()) {
      this.#whisper(peer, metaPayload(this.isStoring), now)
      if (this.isStoring && this.#storing.has(peer))
        this.#tellMesh({ type: 'list-peers', peer }, now)
    }
  }

  /** Without another storing node the data stays: py2p destroys it (spec/chord.md §12.9). */
  #leave(now: Now): void {
    if (!this.#storing.delete(this.id)) return
    this.#announceState(now)
    if (this.#storing.size > 0) this.#handOver(this.#parcelsFor([...this.slots.values()]), now)
  }

  /** Stores for the owners of these slots; each with the value and the owner of the moment it is sent. */
  *#parcelsFor(slots: readonly Slot[]): Generator<Parcel> {
    for (const slot of slots) {
      const owner = this.#ownerOf(slot)
      const value = this.slots.get(slot)?.value
      if (owner === undefined || value === undefined) continue
      yield { peer: owner, payload: storePayload(slot, decodeValue(value)) }
    }
  }

  /** The neighbour that owns the slot; undefined when this node does, or nobody is known to store. */
  #ownerOf(slot: Slot): string | undefined {
    const owner = this.#storing.ownerOf(slot.position)
    return owner === undefined || owner.id === this.id ? undefined : owner.id
  }

  // ---- stores and deltas

  /** Never back to where it came from: who sent it believes that we are nearer. */
  #routeStore(slot: Slot, value: Uint8Array | undefined, from: string | undefined, now: Now): void {
    const owner = this.#ownerOf(slot)
    if (owner === undefined || owner === from) this.#keep(slot, value, now)
    else
      this.#whisper(owner, storePayload(slot, value === undefined ? null : decodeValue(value)), now)
  }

  #routeDelta(
    slot: Slot,
    fields: ReadonlyMap<Value, Value>,
    from: string | undefined,
    now: Now,
  ): void {
    const owner = this.#ownerOf(slot)
    if (owner !== undefined && owner !== from) {
      this.#whisper(owner, deltaPayload(slot, fields), now)
      return
    }
    const held = this.slots.get(slot)?.value
    const base = held === undefined ? new Map<Value, Value>() : fieldsOf(decodeValue(held))
    if (base === undefined) this.#invalidCount += 1
    else this.#keep(slot, mergeFields(base, fields), now)
  }

  #keep(slot: Slot, value: Uint8Array | undefined, now: Now): void {
    if (value === undefined && this.slots.get(slot)?.value === undefined) return
    const version = this.#clock.next(now.utcSeconds)
    if (this.slots.put(slot, { value, version }) === 'full') this.#refusedCount += 1
  }

  // ---- questions

  /** Answers a waiter from here, or asks the owner. */
  #ask(slot: Slot, waiter: Waiter, from: string | undefined, now: Now): void {
    const owner = this.#ownerOf(slot) ?? this.#anyLink(from)
    if (owner === undefined || owner === from) {
      this.#tell(waiter, slot, { value: this.slots.get(slot)?.value, from: this.id }, now)
      return
    }
    const added = this.#questions.add(slot, owner, waiter, now.monoMs)
    if (added === 'ask') this.#whisper(owner, retrievePayload(slot), now)
    if (added === 'full') this.#tell(waiter, slot, { value: undefined, from: owner }, now)
  }

  /** A leeching node that knows nobody who stores asks anybody, on its own behalf only. */
  #anyLink(from: string | undefined): string | undefined {
    if (from !== undefined || this.isStoring || this.#storing.size > 0) return undefined
    const [first] = this.peers.keys()
    return this.slots.size > 0 ? undefined : first
  }

  #onRetrieved(slot: Slot, value: Uint8Array | undefined, from: string, now: Now): void {
    const question = this.#questions.find(slot, from)
    if (question === undefined) return
    if (value !== undefined) {
      for (const waiter of this.#questions.takeWaiters(question, value)) {
        this.#tell(waiter, slot, { value, from }, now)
      }
      return
    }
    this.#questions.shorten(question, now.monoMs)
    for (const waiter of [...question.waiters]) {
      if (waiter.type === 'peer') continue
      this.#tell(waiter, slot, { value, from }, now)
    }
  }

  /** Nothing came: peers that wait are told so. */
  #endQuestion({ slot, to, waiters }: OpenQuestion, now: Now): void {
    for (const waiter of waiters) {
      if (waiter.type === 'peer') this.#tell(waiter, slot, { value: undefined, from: to }, now)
      else if (waiter.type !== 'read') this.#failTable(waiter.request, slot, to)
    }
  }

  #tell(waiter: Waiter, slot: Slot, answer: SlotAnswer, now: Now): void {
    const { value, from } = answer
    switch (waiter.type) {
      case 'peer':
        this.#whisper(
          waiter.peer,
          retrievedPayload(waiter.wording, value === undefined ? null : decodeValue(value)),
          now,
        )
        return
      case 'read': {
        const read = this.#reads.get(waiter.request)
        read?.handleAnswer(slot.slotText, { value }, now.monoMs)
        if (read !== undefined) this.#settleRead(waiter.request, read)
        return
      }
      case 'write':
        if (value !== undefined && isSameValue(value, waiter.sent))
          this.#confirmTable(waiter.request, slot, from)
        else if (from === this.id) this.#failTable(waiter.request, slot, from)
        return
      case 'delete':
        if (value !== undefined) this.#routeStore(slot, undefined, undefined, now)
        this.#confirmTable(waiter.request, slot, from)
    }
  }

  // ---- reads and writes of this node

  #read(input: Extract<ChordInput, { type: 'read' }>, now: Now): void {
    const { request, key, timeoutMs } = input
    const read = new Read({
      slots: slotsOf(key),
      replicaCount: 0,
      startMs: now.monoMs,
      timeoutMs,
      graceMs: readGraceMs,
    })
    this.#reads.set(request, read)
    for (const { slot } of read.start()) this.#ask(slot, { type: 'read', request }, undefined, now)
    // Alone, a node knows at once that there is nothing.
    if (this.#storing.size <= 1 && this.#questions.size === 0) read.handleDeadline(Infinity)
    this.#settleRead(request, read)
  }

  #settleRead(request: RequestId, read: Read): void {
    if (read.result === undefined || !this.#reads.delete(request)) return
    this.#effects.push({ type: 'read-ended', request, result: read.result })
  }

  #write(input: Extract<ChordInput, { type: 'write' }>, now: Now): void {
    const { request, key, value, timeoutMs } = input
    const slots = slotsOf(key)
    const tables = slots.map((slot) => ({
      slotText: slot.slotText,
      holders: this.#storing.holdersOf(slot.position, 1).map(({ id }) => id),
    }))
    const progress = new PendingWrite(tables)
    this.#writes.set(request, { progress, endMs: now.monoMs + timeoutMs })
    // Nobody stores. The slots stay here, as in py2p, but nobody else will find them.
    if (progress.state === 'failed') this.#failWrite(request)
    if (value === null) {
      for (const slot of slots) this.#ask(slot, { type: 'delete', request }, undefined, now)
      if (this.keys.delete(key)) this.#spread(removalPayload(key), now)
      return
    }
    const sent = encodeValue(value)
    for (const slot of slots) {
      this.#routeStore(slot, sent, undefined, now)
      this.#ask(slot, { type: 'write', request, sent }, undefined, now)
    }
    this.#noteOwnKey(key, now)
  }

  #noteOwnKey(key: Uint8Array, now: Now): void {
    if (this.keys.has(key)) return
    this.keys.add(key)
    this.#spread(noticePayload(key), now)
  }

  #confirmTable(request: RequestId, slot: Slot, holder: string): void {
    const write = this.#writes.get(request)
    write?.progress.handleStored(slot.slotText, holder)
    if (write?.progress.state !== 'acknowledged') return
    this.#writes.delete(request)
    this.#effects.push({ type: 'written', request })
  }

  #failTable(request: RequestId, slot: Slot, holder: string): void {
    const write = this.#writes.get(request)
    write?.progress.handleFailed(slot.slotText, holder)
    if (write?.progress.state === 'failed') this.#failWrite(request)
  }

  #failWrite(request: RequestId): void {
    this.#writes.delete(request)
    const error = new P2pError(
      'P2P_WRITE_NOT_ACKNOWLEDGED',
      'fewer than three of the five tables confirmed the write',
    )
    this.#effects.push({ type: 'write-failed', request, error })
  }
}

interface SlotAnswer {
  readonly value: Uint8Array | undefined
  /** Who holds it. */
  readonly from: string
}

/** The old fields in their order, then the new ones, as Python's `dict.update` leaves them. */
function mergeFields(
  base: ReadonlyMap<Value, Value>,
  fields: ReadonlyMap<Value, Value>,
): Uint8Array {
  // By the bytes of the field's name: two equal byte strings are two keys to a Map.
  const merged = new Map<string, readonly [Value, Value]>()
  for (const field of [...base, ...fields]) merged.set(toHex(encodeValue(field[0])), field)
  return encodeValue(new Map(merged.values()))
}
