/**
 * A node of a sync network: what programs use.
 *
 *   SyncNode ─┬─ MeshNode      everything a mesh does: links, messages, topics, requests
 *             ├─ Dictionary    the Map-like face of the replica
 *             └─ ReplicaStore  keeps the replica, if a store is given
 *
 * All three work on one SyncMachine (protocol/sync.ts). Longer than other files, because it is the whole
 * public surface with its documentation; the methods pass on and do no work.
 */
import { Emitter, defaultLimits, limitsOver } from '@p2p/base'
import type { NodeLimits, WaitOptions } from '@p2p/base'
import { EarlyErrors, LayeredNode, MeshNode } from '@p2p/mesh'
import type { LayerControl, MeshEvents, MeshNodeOptions, MeshReport } from '@p2p/mesh'
import type { Value } from '@p2p/serializer'
import { Dictionary, writtenValue } from './dictionary.ts'
import type { DictionaryCommand, Key, Meta, WrittenValue } from './dictionary.ts'
import { byteTextToText } from './protocol/byte-text.ts'
import type { Lease } from './protocol/lease.ts'
import { SyncMachine } from './protocol/sync.ts'
import type { ReplicaLimits } from './protocol/replica-limits.ts'
import { defaultReplicaLimits } from './protocol/replica-limits.ts'
import type { SyncEffect } from './protocol/sync-contract.ts'
import { ReplicaStore } from './replica-store.ts'

export interface SyncNodeOptions extends MeshNodeOptions {
  /**
   * True (default): whoever sets a key holds it for an hour, renewed by each change. False: the last
   * write stays. Nodes with different settings do not connect.
   */
  readonly leasing?: boolean
  /**
   * Whether to correct old Python neighbours that hold something else than everybody: it sends them a
   * delete in another node's name. Default false.
   */
  readonly healsOldPeers?: boolean
  /** What the dictionary may take. */
  readonly dictionary?: Partial<ReplicaLimits>
}

export interface SyncEvents extends MeshEvents {
  /** A key has a new value, by this node or another. */
  readonly update: { readonly key: Key; readonly value: Value; readonly meta: Meta }
  readonly delete: { readonly key: Key; readonly meta: Meta }
  /**
   * A write that was acknowledged somewhere lost against one whose author had not known it: both wrote
   * while they could not hear each other. The value of `won` is undefined when the key is free now.
   */
  readonly conflict: {
    readonly key: Key
    readonly lost: WrittenValue
    readonly won: WrittenValue
  }
}

export interface SyncReport extends MeshReport {
  readonly leasing: boolean
  readonly keys: number
}

type LayerEffect = Extract<
  SyncEffect,
  { type: 'update' | 'delete' | 'conflict' | 'write-failed' | 'persist' | 'agreement' }
>

/** Events of the dictionary; the rest is the mesh's. */
type OwnEvents = Pick<SyncEvents, 'update' | 'delete' | 'conflict'>
const ownEventNames = ['update', 'delete', 'conflict'] as const
const layerEffects: ReadonlySet<string> = new Set<LayerEffect['type']>([
  ...ownEventNames,
  'write-failed',
  'persist',
  'agreement',
])

/**
 * @example
 * const sync = await SyncNode.open({ listen: 'tcp://127.0.0.1:0' })
 * sync.on('update', ({ key, value }) => console.log(key, value))
 * sync.set('colour', 'green')
 * sync.get('colour') // 'green', here and on every other node
 * await sync.close()
 */
export class SyncNode extends LayeredNode<SyncEvents> {
  readonly #machine: SyncMachine
  readonly #dictionary: Dictionary
  readonly #store: ReplicaStore | undefined

  /**
   * Opens a node: it takes up what its store kept, listens, and joins the addresses given as `connect`.
   *
   * @throws TypeError or RangeError for options that are wrong; rejects with a P2pError such as
   *   `P2P_ADDRESS_IN_USE`
   */
  static async open(options: SyncNodeOptions = {}): Promise<SyncNode> {
    const { leasing = true, healsOldPeers = false, dictionary = {}, ...meshOptions } = options
    checkOwnOptions({ leasing, healsOldPeers, dictionary, limits: options.limits })
    const subnet = options.subnet ?? defaultSubnet
    const errors = new EarlyErrors()
    const store =
      options.store === undefined
        ? undefined
        : new ReplicaStore(options.store, { subnet, leasing }, errors.report)
    const restored = await store?.load()
    const id = await store?.identity()
    const events = new Emitter<OwnEvents>(errors.reportHandler)
    let machine: SyncMachine | undefined
    const opened = await MeshNode.openLayer<DictionaryCommand, LayerEffect>(meshOptions, {
      subnet: defaultSubnet,
      ownNames: ['leasing', 'healsOldPeers', 'dictionary'],
      id,
      createMachine: (boot) => {
        const replicaLimits = dictionary
        const own = { leasing, healsOldPeers, replicaLimits, ...(restored && { restored }) }
        machine = new SyncMachine({ ...boot, ...own })
        const { replica } = machine
        store?.attach((key) => replica.log(key))
        return machine
      },
      isOwnEffect: (effect): effect is LayerEffect => layerEffects.has(effect.type),
      onEffect: (effect) => {
        if (effect.type === 'persist') store?.changed(effect.key)
        else if (effect.type === 'write-failed') errors.report(effect.error)
        // Nobody asks before the node is open.
        else if (effect.type === 'agreement') opened.control.settle(effect.request, effect)
        else emit(events, effect)
      },
    })
    if (machine === undefined) throw new Error('no machine was made')
    errors.tellBy((error) => {
      opened.control.reportError(error)
    })
    return new SyncNode({ mesh: opened.node, control: opened.control, machine, store, events })
  }

  private constructor(parts: {
    readonly mesh: MeshNode<DictionaryCommand, LayerEffect>
    readonly control: LayerControl<DictionaryCommand>
    readonly machine: SyncMachine
    readonly store: ReplicaStore | undefined
    readonly events: Emitter<OwnEvents>
  }) {
    const { mesh, control, machine, store, events } = parts
    super(mesh, events, ownEventNames)
    // Nobody waits for this one; what it rejects with was told as an error.
    control.closeBySignal = () => this.close().catch(() => undefined)
    this.#machine = machine
    this.#store = store
    this.#dictionary = new Dictionary(machine, control)
  }

  // The dictionary

  /** Number of keys. */
  get size(): number {
    return this.#dictionary.size
  }

  /** The value of a key, decoded anew at each call; the fallback, or undefined, when there is none. */
  get(key: Key): Value | undefined
  get<Fallback>(key: Key, fallback: Fallback): Value | Fallback
  get(key: Key, fallback?: unknown): unknown {
    return this.#dictionary.get(key, fallback)
  }

  has(key: Key): boolean {
    return this.#dictionary.has(key)
  }

  /**
   * Sets a key, here at once and on all other nodes as soon as they hear of it. When a store is given,
   * `persisted()` tells when it has the write.
   *
   * @throws LeaseError when another node holds the key, P2pError `P2P_DICTIONARY_LIMIT` when the
   *   dictionary takes no more, EncodeError for values that the wire cannot carry, TypeError for null (which means deleted on the wire) and undefined
   */
  set(key: Key, value: Value): void {
    this.#dictionary.set(key, value)
  }

  /**
   * Removes a key everywhere; false when there is none. It is free for everybody afterwards.
   *
   * @throws LeaseError when another node holds the key
   */
  delete(key: Key): boolean {
    return this.#dictionary.delete(key)
  }

  /** Sets many keys: all of them, or none when one is refused. Throws what `set` throws. */
  update(entries: Iterable<readonly [Key, Value]> | { readonly [key: string]: Value }): void {
    this.#dictionary.update(entries)
  }

  /**
   * Writes the fields of a mapping over those of the stored one, one level deep; a key that is free
   * gets the fields as its value.
   *
   * @throws TypeError when one of the two is no mapping, LeaseError when another node holds the key,
   *   P2pError `P2P_DICTIONARY_LIMIT` when the mapping would be too large
   */
  applyDelta(key: Key, delta: Value): void {
    this.#dictionary.applyDelta(key, delta)
  }

  /** Removes a key and returns its value; the fallback, or undefined, when there is none. */
  pop(key: Key): Value | undefined
  pop<Fallback>(key: Key, fallback: Fallback): Value | Fallback
  pop(key: Key, fallback?: unknown): unknown {
    return this.#dictionary.pop(key, fallback)
  }

  /** Removes and returns some entry that this node may remove; undefined when there is none. */
  popItem(): [Key, Value] | undefined {
    return this.#dictionary.popItem()
  }

  /** Keys as text; as bytes where they are not UTF-8. */
  keys(): IterableIterator<Key> {
    return this.#dictionary.keys()
  }

  values(): IterableIterator<Value> {
    return this.#dictionary.values()
  }

  entries(): IterableIterator<[Key, Value]> {
    return this.#dictionary.entries()
  }

  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#dictionary.entries()
  }

  /** A copy that belongs to the caller. */
  toMap(): Map<Key, Value> {
    return this.#dictionary.toMap()
  }

  /** Who wrote the value of a key, and when. */
  meta(key: Key): Meta | undefined {
    return this.#dictionary.meta(key)
  }

  /** Who holds a key, and until when; undefined when everybody may write it. */
  lease(key: Key): Lease | undefined {
    return this.#dictionary.lease(key)
  }

  /**
   * Takes a key, or renews the lease on it, and waits until nobody in reach can have taken it as well:
   * resolves with the lease when it is still this node's after `timeoutMs` (default 2,000). A free
   * key gets `value`, by default true.
   *
   * While the network is cut in two, both sides may hold a key; one of them learns by a `conflict`.
   * A claim that is cancelled while it waits leaves the key taken; `delete` frees it.
   *
   * @throws LeaseError when another node holds the key, now or after the wait
   */
  claim(key: Key, options?: { readonly value?: Value } & WaitOptions): Promise<Lease> {
    return this.#dictionary.claim(key, options)
  }

  /** Hash of the whole dictionary as hexadecimal digits: equal on nodes whose dictionaries are equal. */
  digest(): string {
    return this.#dictionary.digest()
  }

  /**
   * Resolves once all nodes of this package that can be reached hold the same dictionary, with their
   * number. Rejects with `P2P_NOT_SETTLED` after `timeoutMs` (default 30,000).
   */
  settled(wait: WaitOptions = {}): Promise<number> {
    return this.#dictionary.settled(wait)
  }

  /**
   * Resolves once everything written or received so far is in the store: it survives the end of the
   * process, however it comes. At once without a store. Rejects with `P2P_STORE_FAILED`.
   */
  async persisted(): Promise<void> {
    // A write of a handler reaches the store only when the handler is done.
    await Promise.resolve()
    await this.#store?.persisted()
  }

  override report(): SyncReport {
    const { leasing } = this.#machine.replica.rule
    return { ...super.report(), leasing, keys: this.size }
  }

  /**
   * Ends everything, and resolves once the store has what was written. Rejects with `P2P_STORE_FAILED`
   * when the store refused it; the node is closed all the same, and another call tries again. The store
   * stays open: it is the caller's.
   */
  override async close(): Promise<void> {
    this.#dictionary.close()
    await super.close()
    await this.#store?.persisted()
  }
}

const defaultSubnet = 'sync'

function emit(
  events: Emitter<OwnEvents>,
  effect: Extract<LayerEffect, { type: 'update' | 'delete' | 'conflict' }>,
): void {
  // Nothing is decoded for nobody.
  if (!events.hasListeners(effect.type)) return
  const key = byteTextToText(effect.key)
  if (effect.type === 'conflict') {
    events.emit('conflict', { key, lost: writtenValue(effect.lost), won: writtenValue(effect.won) })
    return
  }
  const { value, owner, timestamp } = writtenValue(effect.entry)
  const meta = { owner, timestamp }
  if (effect.type === 'delete') events.emit('delete', { key, meta })
  else if (value !== undefined) events.emit('update', { key, value, meta })
}

/** Of a message, for what goes with an entry: other entries, and their stamps. */
const besidesEntryBytes = 524_288

function checkOwnOptions({
  dictionary,
  limits,
  ...switches
}: {
  readonly leasing: unknown
  readonly healsOldPeers: unknown
  readonly dictionary: Partial<ReplicaLimits>
  readonly limits: Partial<NodeLimits> | undefined
}): void {
  for (const [name, value] of Object.entries(switches)) {
    if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean`)
  }
  const { maxEntryBytes } = limitsOver(defaultReplicaLimits, dictionary)
  // All else of the limits is the node's to check.
  const { maxFrameBytes = defaultLimits.maxFrameBytes } = limits ?? {}
  if (maxEntryBytes + besidesEntryBytes > maxFrameBytes) {
    throw new RangeError(`maxEntryBytes must be ${besidesEntryBytes} below maxFrameBytes`)
  }
}
