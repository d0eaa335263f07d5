/**
 * The dictionary: a mesh whose nodes tell each other what they write.
 *
 * Theory of operation. The machine wraps a mesh machine. What the application writes is stamped,
 * merged into the replica and broadcast as a plain 0.7 store or delta, so every old node takes it. What
 * arrives as a store, delta or copy is merged; the replica says what changed and what was lost. What a
 * broadcast did not bring, because a link was down or a node was not there, neighbours of ours find
 * out by comparing replicas (comparisons.ts), and old neighbours are told in their own terms
 * (old-neighbours.ts). The replica decides alone what the state is (replica.ts); the machine never does.
 *
 * A write in our own name that we did not make is a forgery. Refusing it would leave us alone with
 * our view, so it is taken in like any other write, and what it replaced is written again.
 *
 * Longer than other files, because every path of a write, in and out, meets here; what each of them
 * decides has its own file.
 *
 * Source: spec/sync.md; design.md §6.
 */
import { P2pError } from '@p2p/base'
import type { Machine, Now, Peer } from '@p2p/base'
import { MeshMachine, defaultMeshPolicy } from '@p2p/mesh'
import type { MeshEffect, MeshInput } from '@p2p/mesh'
import { bytesEqual, createMessage, flags, wholeNumber } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { Agreement } from './agreement.ts'
import type { AgreementEffect } from './agreement.ts'
import { textToByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import { copyBytes } from './copy-bytes.ts'
import { Comparisons } from './comparisons.ts'
import type { ComparisonMessage } from './comparisons.ts'
import { ItemIndex } from './item-index.ts'
import { LeaseError, currentLease, leaseSeconds, ownerText } from './lease.ts'
import type { Lease } from './lease.ts'
import {
  agreementFlag,
  blockFeature,
  blockFlag,
  compareFeature,
  createBlockMessage,
  createResentMessage,
  createWriteMessage,
  readBlock,
  readWrite,
  turnFlag,
} from './messages.ts'
import { OldNeighbours } from './old-neighbours.ts'
import type { Parcel } from './old-neighbours.ts'
import { Outbox } from './outbox.ts'
import type { WriteRecord } from './records.ts'
import { Replica } from './replica.ts'
import type { Batch, Change, MergeResult, Origin, Refusal } from './replica.ts'
import { defaultReplicaLimits } from './replica-limits.ts'
import type { Entry, SyncEffect, SyncInput, SyncMachineOptions } from './sync-contract.ts'
import type { Write } from './write.ts'

/** Time between two looks for writes to fold and deletes to forget. */
const sweepEveryMs = 600_000
const waveBytes = 8

export class SyncMachine implements Machine<SyncInput, SyncEffect> {
  readonly id: string
  readonly replica: Replica
  readonly #owner: ByteText
  readonly #mesh: MeshMachine
  readonly #index: ItemIndex
  readonly #comparisons: Comparisons
  readonly #agreement = new Agreement()
  readonly #old: OldNeighbours
  readonly #outbox = new Outbox()
  readonly #ours = new Map<string, Peer>()
  readonly #options: SyncMachineOptions
  readonly #refusals: Record<string, number> = {}
  #forgeries = 0
  #conflicts = 0
  #nextSweepMs = 0
  #startedSeconds = Infinity
  #effects: SyncEffect[] = []
  #lastOwner: ByteText | undefined
  #lastOwnerText = ''

  constructor(options: SyncMachineOptions) {
    const leasing = options.leasing ?? true
    this.id = options.id
    this.#options = options
    this.#owner = textToByteText(options.id)
    this.replica = new Replica(
      { leasing, leaseSeconds },
      { ...defaultReplicaLimits, ...options.replicaLimits },
    )
    for (const [key, log] of options.restored ?? []) this.replica.restore(key, log)
    this.#index = new ItemIndex(this.replica)
    this.#comparisons = new Comparisons(this.#index, options.randomBytes)
    this.#old = new OldNeighbours(this.replica, options.id)
    this.#mesh = new MeshMachine({
      ...options,
      subnet: `${options.subnet}${leasing ? '1' : '0'}`,
      features: [...(options.features ?? []), compareFeature, blockFeature],
      policy: {
        ...(options.policy ?? defaultMeshPolicy),
        mayPass: (message, peer) => this.#old.mayPass(message, peer),
      },
    })
  }

  /** The own id as it goes on the wire in messages of the mesh. */
  get wireId(): string | Uint8Array {
    return this.#mesh.wireId
  }

  get subnet(): string {
    return this.#mesh.subnet
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#mesh.peers
  }

  /** Who holds a key now, if it is leased. */
  lease(key: ByteText, now: Now): Lease | undefined {
    return currentLease(this.replica.holder(key), this.replica.rule, now.utcSeconds)
  }

  /** Why this node may not write a key now; undefined when it may. */
  refusal(
    key: ByteText,
    now: Now,
    fields: Pick<Write, 'kind' | 'value'> = { kind: 'set', value: noBytes },
    batch: Batch = { newKeys: 1, bytes: 0 },
  ): P2pError | undefined {
    const { utcSeconds } = now
    const lease = this.lease(key, now)
    if (lease !== undefined && lease.owner !== this.id) return new LeaseError(lease, utcSeconds)
    const write = this.replica.compose(key, fields, { owner: this.#owner, utcSeconds })
    const reason = this.replica.refusal(key, write, utcSeconds, batch)
    return reason === undefined ? undefined : limitError(reason)
  }

  /** Hash of the visible state, 32 bytes; equal on two nodes exactly when their dictionaries are. */
  digest(): Uint8Array {
    return this.#index.digest()
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#mesh.counters(),
      ...this.#comparisons.counters,
      ...this.#refusals,
      keys: this.replica.size,
      knownKeys: this.replica.knownCount,
      bytes: this.replica.bytes,
      conflicts: this.#conflicts,
      forgeries: this.#forgeries,
    }
  }

  handle(input: SyncInput, now: Now): readonly SyncEffect[] {
    this.#effects = []
    if (this.#startedSeconds === Infinity) this.#startedSeconds = Math.floor(now.utcSeconds)
    // What the application says after a write must not overtake it.
    if (input.type !== 'write' && input.type !== 'link-bytes') this.#sendWrites(now)
    switch (input.type) {
      case 'write':
        this.#write(input.key, input, now)
        break
      case 'compare':
        this.#comparisons.spread(undefined, now)
        break
      case 'ask-agreement':
        this.#onAgreement(
          this.#agreement.start(
            input,
            this.#options.randomBytes(waveBytes),
            this.#about(),
            now.monoMs,
          ),
          now,
        )
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
    return Math.min(
      this.#outbox.nextDeadline(),
      this.#mesh.nextDeadline(),
      this.#comparisons.nextDeadline(),
      this.#agreement.nextDeadline(),
      this.#old.nextDeadline(),
      this.#nextSweepMs,
    )
  }

  #onDeadline(now: Now): void {
    if (this.#mesh.nextDeadline() <= now.monoMs) this.#tellMesh({ type: 'deadline' }, now)
    for (const { peer, payload } of this.#comparisons.takeHeld(now)) {
      this.#onTurn(payload, peer, now)
    }
    this.#sendTurns(this.#comparisons.handleDeadline(now), now)
    this.#onAgreement(this.#agreement.expire(now.monoMs), now)
    this.#sendParcels(this.#old.handleDeadline(now), now)
    if (this.#nextSweepMs > now.monoMs) return
    this.#nextSweepMs = now.monoMs + sweepEveryMs
    for (const key of this.replica.sweep(now.utcSeconds))
      this.#effects.push({ type: 'persist', key })
  }

  // ---- the mesh below

  #tellMesh(input: MeshInput, now: Now): void {
    for (const effect of this.#mesh.handle(input, now)) this.#onMeshEffect(effect, now)
  }

  #onMeshEffect(effect: MeshEffect, now: Now): void {
    switch (effect.type) {
      case 'peer-join':
        this.#effects.push(effect)
        this.#onJoin(effect.peer, now)
        return
      case 'peer-leave':
        this.#onLeave(effect.peer, now)
        break
      case 'peer-updated':
        this.#onUpdated(effect.peer, now)
        break
      case 'unclaimed':
        if (this.#onMessage(effect.message, effect.from, now)) return
        break
      default:
        break
    }
    this.#effects.push(effect)
  }

  #onJoin(peer: Peer, now: Now): void {
    this.#outbox.addNeighbour(peer)
    if (!peer.supports(compareFeature)) {
      this.#sendParcels(this.#old.add(peer, now), now)
      return
    }
    this.#ours.set(peer.id, peer)
    this.#sendTurns(this.#comparisons.addNeighbour(peer.id, this.id < peer.id, now), now)
  }

  #onUpdated(peer: Peer, now: Now): void {
    if (!this.#old.peers.has(peer.id) || !peer.supports(compareFeature)) {
      this.#sendParcels(this.#old.sendCopies(peer.id, now), now)
      return
    }
    // Its hello came so late that it was taken for an old node.
    this.#onLeave(peer, now)
    this.#onJoin(peer, now)
  }

  #onLeave(peer: Peer, now: Now): void {
    this.#outbox.removeNeighbour(peer)
    this.#old.remove(peer)
    if (!this.#ours.delete(peer.id)) return
    this.#comparisons.removeNeighbour(peer.id)
    this.#onAgreement(this.#agreement.forget(peer.id), now)
  }

  /** True when the message was about the dictionary. */
  #onMessage(message: WireMessage, from: Peer, now: Now): boolean {
    const subFlag = wholeNumber(message.payload[0])
    const isWhisper = message.type === flags.whisper
    if (subFlag === turnFlag || subFlag === agreementFlag) {
      if (!isWhisper || !this.#ours.has(from.id)) return true
      if (subFlag === turnFlag) this.#onTurn(message.payload, from.id, now)
      else {
        const effects = this.#agreement.handle(message.payload, from.id, this.#about(), now.monoMs)
        this.#onAgreement(effects, now)
      }
      return true
    }
    if (subFlag === blockFlag) {
      this.#onBlock(message, from, now)
      return true
    }
    const read = readWrite(message)
    if (read === 'ignored') return false
    if (read === 'invalid') this.#countRefusal('invalid')
    else {
      if (read.write.kind === 'delete') this.#old.noteDelete(message, read)
      if (read.write.knew === undefined) {
        this.#old.noteOwner(read.write.owner, read.ownerForm, read.origin === 'copy')
      }
      this.#onWrite(read.key, read.write, read.origin, from, now)
    }
    return true
  }

  // ---- writes

  #write(key: ByteText, { kind, value }: Pick<Write, 'kind' | 'value'>, now: Now): void {
    // Others may know of writes that this node made just before it crashed, and its store may not.
    const first = this.#options.restored ? this.#startedSeconds + 1 : 0
    const by = { owner: this.#owner, utcSeconds: Math.max(now.utcSeconds, first) }
    const write = this.replica.compose(key, { kind, value: copyBytes(value) }, by)
    this.#noteDelete(key, write)
    const result = this.replica.merge(key, write, 'live', now.utcSeconds)
    this.#note(result)
    if (result.type === 'refused') {
      // It was asked for while another was carried out, which took the room.
      this.#effects.push({ type: 'write-failed', error: limitError(result.reason) })
      return
    }
    this.#comparisons.noteWrite(now)
    if (this.#outbox.add(key, write, now)) this.#sendWrites(now)
  }

  /** Sends what was written in this turn. */
  #sendWrites(now: Now): void {
    const writes = this.#outbox.take()
    if (writes.length === 0) return
    const { blockReaders, hasOthers } = this.#outbox
    if (writes.length === 1 || blockReaders.size === 0) {
      for (const { key, write } of writes) {
        this.#tellMesh({ type: 'spread', message: createWriteMessage(key, write) }, now)
      }
      return
    }
    const from = { owner: this.#owner, time: Math.floor(now.utcSeconds) }
    this.#tellMesh({ type: 'spread', message: createBlockMessage(writes, from) }, now)
    if (hasOthers) this.#unfold(writes, undefined, now)
  }

  /** One plain message for each write, for the neighbours that read no blocks. */
  #unfold(writes: readonly WriteRecord[], from: Peer | undefined, now: Now): void {
    const heldBy = this.#outbox.blockReaders
    for (const { key, write } of writes) {
      const message = createWriteMessage(key, write)
      this.#tellMesh({ type: 'spread', message, heldBy, ...(from && { from }) }, now)
    }
  }

  #onBlock(message: WireMessage, from: Peer, now: Now): void {
    const writes = message.type === flags.broadcast ? readBlock(message) : undefined
    if (writes === undefined) {
      this.#countRefusal('invalid')
      return
    }
    for (const { key, write } of writes) {
      this.#noteDelete(key, write)
      this.#onWrite(key, write, 'live', from, now)
    }
    if (this.#outbox.hasOthers) this.#unfold(writes, from, now)
  }

  /** Which old neighbours may be told of a delete is judged before it is applied. */
  #noteDelete(key: ByteText, write: Write): void {
    if (write.kind !== 'delete' || !this.#outbox.hasOthers) return
    this.#old.noteDelete(createWriteMessage(key, write), { key, write })
  }

  #onWrite(key: ByteText, write: Write, origin: Origin, from: Peer, now: Now): void {
    const result = this.replica.merge(key, write, origin, now.utcSeconds)
    this.#note(result)
    this.#checkForgery(write, result, now)
    if (origin !== 'copy') {
      this.#comparisons.noteWrite(now)
      return
    }
    if (result.type === 'merged') this.#comparisons.spread(undefined, now)
    this.#answerCopy(key, write, from, now)
  }

  #countRefusal(reason: Refusal | 'invalid'): void {
    const name = `refused:${reason}`
    this.#refusals[name] = (this.#refusals[name] ?? 0) + 1
  }

  /** Tells the application and the store what a merge did. */
  #note(result: MergeResult): void {
    if (result.type === 'refused') {
      this.#countRefusal(result.reason)
      return
    }
    const { key, before, lost } = result.change
    const { holder, value } = result.change.after
    this.#effects.push({ type: 'persist', key })
    if (holder === undefined) return
    const entry = this.#entryOf(holder, value)
    for (const write of lost) {
      this.#conflicts++
      const lostEntry = this.#entryOf(write, write.kind === 'delete' ? undefined : write.value)
      this.#effects.push({ type: 'conflict', key, lost: lostEntry, won: entry })
    }
    if (isUnchanged(result.change)) return
    if (value !== undefined) this.#effects.push({ type: 'update', key, entry })
    else if (before.value !== undefined) this.#effects.push({ type: 'delete', key, entry })
  }

  #entryOf(write: Write, value: Uint8Array | undefined): Entry {
    // Writes come in runs of one owner.
    if (write.owner !== this.#lastOwner) {
      this.#lastOwner = write.owner
      this.#lastOwnerText = ownerText(write.owner)
    }
    return { value, owner: this.#lastOwnerText, timestamp: write.time }
  }

  /**
   * A write in our name from the time after we started (an earlier life may have made one within that
   * second, and lost it), that we do not know and that changes something, is somebody else's; what
   * it replaced is written again, by us. It often comes by comparison, because a mesh does not send a
   * message back to the node that is named as its sender.
   */
  #checkForgery(write: Write, result: MergeResult, now: Now): void {
    if (write.owner !== this.#owner || write.time <= this.#startedSeconds) return
    // Of our own writes we keep those that matter; others may still know the rest.
    if (result.type !== 'merged' || isUnchanged(result.change)) return
    const { key, before } = result.change
    this.#forgeries++
    if (before.holder?.owner !== this.#owner) return
    const { value } = before
    this.#write(key, value === undefined ? erasure : { kind: 'set', value }, now)
  }

  // ---- neighbours of ours

  #about(): { readonly digest: Uint8Array; readonly neighbours: readonly string[] } {
    return { digest: this.digest(), neighbours: [...this.#ours.keys()] }
  }

  #onTurn(payload: readonly Value[], from: string, now: Now): void {
    const { messages, records } = this.#comparisons.handle(payload, from, now)
    const changed = new Map<ByteText, boolean>()
    for (const record of records) this.#onRecord(record, changed, now)
    this.#sendTurns(messages, now)
    if (changed.size === 0) return
    this.#comparisons.spread(from, now)
    for (const [key, wasThere] of changed) this.#tellOld(key, wasThere, now)
  }

  #onRecord(record: WriteRecord, changed: Map<ByteText, boolean>, now: Now): void {
    const { key, isBase, write } = record
    const result = this.replica.merge(key, write, isBase ? 'base' : 'record', now.utcSeconds)
    this.#note(result)
    this.#checkForgery(write, result, now)
    if (result.type === 'merged' && !changed.has(key)) {
      changed.set(key, result.change.before.value !== undefined)
    }
  }

  #onAgreement(effects: readonly AgreementEffect[], now: Now): void {
    for (const effect of effects) {
      if (effect.type === 'whisper') this.#whisper(effect.peer, effect.payload, now)
      else {
        const { request, equal, nodes } = effect
        this.#effects.push({ type: 'agreement', request, equal, nodes })
      }
    }
  }

  #sendTurns(messages: readonly ComparisonMessage[], now: Now): void {
    for (const { peer, payload } of messages) this.#whisper(peer, payload, now)
  }

  #whisper(peer: string, payload: readonly Value[], now: Now): void {
    const time = Math.floor(now.utcSeconds)
    const message = createMessage({ type: flags.whisper, sender: this.wireId, time, payload })
    this.#pass(peer, message, now)
  }

  #pass(peer: string, message: WireMessage, now: Now): void {
    this.#tellMesh({ type: 'pass', peer, message, priority: 'own' }, now)
  }

  // ---- old neighbours

  #sendParcels(parcels: readonly Parcel[], now: Now): void {
    for (const { peer, message } of parcels) this.#pass(peer, message, now)
  }

  /** Passes on what we learned by comparing, as its owner sent it: nobody broadcasts it again. */
  #tellOld(key: ByteText, wasThere: boolean, now: Now): void {
    const { holder, value, parts } = this.replica.state(key)
    if (holder === undefined || this.#old.peers.size === 0) return
    if (value === undefined && !wasThere) return
    const ownerForm = this.#old.ownerForm(holder)
    const isAsSent = parts.length === 1 && holder.kind !== 'delta' && ownerForm !== undefined
    for (const peer of this.#old.peers.values()) {
      if (value === undefined && peer.kind !== 'py2p') continue
      if (value === undefined && !isAsSent) continue
      const message = isAsSent
        ? createResentMessage(key, holder, ownerForm)
        : this.#old.copyMessage(key, { value: value ?? noBytes, holder }, now)
      this.#pass(peer.id, message, now)
    }
  }

  /** An old neighbour showed what it holds; when it missed something we tell it, if it will listen. */
  #answerCopy(key: ByteText, theirs: Write, peer: Peer, now: Now): void {
    const { holder, value, parts } = this.replica.state(key)
    if (holder === undefined || parts.length !== 1 || holder.kind === 'delta') return
    const isBehind = holder.time > theirs.time || holder.owner !== theirs.owner
    if (!isBehind || (value === undefined && peer.kind !== 'py2p')) return
    if (holder.owner === theirs.owner) {
      const message = createResentMessage(key, holder, this.#old.ownerForm(holder))
      this.#pass(peer.id, message, now)
    } else if (this.#options.healsOldPeers === true && peer.kind === 'py2p') {
      this.#heal(key, theirs, peer, now)
    }
  }

  /** Deletes what the neighbour holds in the name it believes in, then gives it what everybody has. */
  #heal(key: ByteText, theirs: Write, peer: Peer, now: Now): void {
    const { holder, value } = this.replica.state(key)
    const time = Math.floor(now.utcSeconds)
    const erased: Write = { ...theirs, ...erasure, time }
    const ownerForm = this.#old.ownerForm(erased)
    this.#pass(peer.id, createResentMessage(key, erased, ownerForm), now)
    if (holder !== undefined && value !== undefined) {
      this.#pass(peer.id, this.#old.copyMessage(key, { value, holder }, now), now)
    }
  }
}

function limitError(reason: Refusal): P2pError {
  const text = `${reason} for the dictionary: write less, or raise its limits on all nodes`
  return new P2pError('P2P_DICTIONARY_LIMIT', text, { facts: { reason } })
}

/** A late write under others changes the value alone. */
function isUnchanged({ before, after }: Change): boolean {
  const isSame = bytesEqual(after.value ?? noBytes, before.value ?? noBytes)
  return isSame && after.holder === before.holder
}

const noBytes = new Uint8Array(0)
const erasure = { kind: 'delete', value: noBytes } as const
