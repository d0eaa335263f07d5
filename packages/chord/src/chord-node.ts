/**
 * A node of a chord network: what programs use.
 *
 *   ChordNode ─┬─ MeshNode         everything a mesh does: links, messages, topics, requests
 *              ├─ SharedTable      the Map-like face of the hash table
 *              └─ SlotPersistence  keeps what this node stores, if a store is given
 *
 * All work on one ChordMachine (protocol/chord.ts). Longer than other files, because it is the whole
 * public surface with its documentation; the methods pass on and do no work.
 */
import { Emitter, limitsOver } from '@p2p/base'
import type { RequestId, WaitOptions } from '@p2p/base'
import { EarlyErrors, LayeredNode, MeshNode } from '@p2p/mesh'
import type { LayerControl, MeshEvents, MeshNodeOptions, MeshReport } from '@p2p/mesh'
import type { Value } from '@p2p/serializer'
import { ChordMachine } from './protocol/chord.ts'
import type { ChordEffect, ChordInput } from './protocol/chord-contract.ts'
import type { HashTable } from './protocol/hash-tables.ts'
import { storedByTable } from './protocol/place.ts'
import type { Place } from './protocol/place.ts'
import type { ReadResult } from './protocol/read.ts'
import { defaultSlotStoreLimits } from './protocol/slot-store.ts'
import type { SlotStoreLimits } from './protocol/slot-store.ts'
import { SharedTable, keyOf, readKey } from './shared-table.ts'
import type { Key } from './shared-table.ts'
import { SlotPersistence } from './slot-persistence.ts'

export interface ChordNodeOptions extends MeshNodeOptions {
  /** True: the node stores for others from the start, as after `join()`. Default false. */
  readonly join?: boolean
  /** How many nodes keep each slot, 1 to 8; the same on all nodes of a network. Default 5. */
  readonly replicas?: number
  /** What the node may keep of the table. */
  readonly table?: Partial<SlotStoreLimits>
}

export interface ChordEvents extends MeshEvents {
  /** A key is in the network that was not known here. */
  readonly add: { readonly key: Key }
  /** A key is no more. */
  readonly delete: { readonly key: Key }
  /** A node began to store, or does so no more; `size` counts those that do, as far as is known here. */
  readonly ring: { readonly id: string; readonly isStoring: boolean; readonly size: number }
}

export interface ChordReport extends MeshReport {
  readonly isStoring: boolean
  /** Keys said to be in the network. */
  readonly keys: number
  readonly ring: {
    /** Storing nodes known, this one included when it stores. */
    readonly size: number
    /** Storing nodes behind this one on the ring, nearest first: the heirs of its keys. */
    readonly behind: readonly string[]
    /** The same ahead. */
    readonly ahead: readonly string[]
  }
}

type LayerEffect = Extract<
  ChordEffect,
  {
    type:
      | 'key-added'
      | 'key-removed'
      | 'written'
      | 'write-failed'
      | 'read-ended'
      | 'ring'
      | 'joined'
      | 'left'
      | 'slots-changed'
  }
>
/** What came of a request. */
type RequestEnd = Extract<LayerEffect, { readonly request: RequestId }>
type LayerCommand = Extract<ChordInput, { type: 'join' | 'leave' | 'write' | 'read' }>
/** A command before it has a number. */
type Asked = WithoutNumber<LayerCommand>
type WithoutNumber<Command> = Command extends unknown
  ? Omit<Command, 'request' | 'timeoutMs'>
  : never

const layerEffects: ReadonlySet<string> = new Set<LayerEffect['type']>([
  'key-added',
  'key-removed',
  'written',
  'write-failed',
  'read-ended',
  'ring',
  'joined',
  'left',
  'slots-changed',
])

/** Events of the hash table; the rest is the mesh's. */
type OwnEvents = Pick<ChordEvents, 'add' | 'delete' | 'ring'>
const ownEventNames = ['add', 'delete', 'ring'] as const

const defaultSubnet = 'chord'
/** More links than in a mesh: a node has some to its neighbours on the ring, and some to whom it asks. */
const tableMeshLimits = {
  targetOutgoing: 8,
  maxNeighbours: 128,
  maxOldOutgoing: 8,
  // News of the ring come from everybody, seldom twice from the same: a tree for each would cost a flood.
  maxSenderTrees: 0,
  // Many links are there for questions: news are announced on some of them.
  maxLazyLinks: 12,
}
/** Neighbours named in a report. */
const reportedNeighbours = 4
const maxReplicas = 8
/** How long `close()` waits for what this node stores to be handed over. */
const closingHandOverMs = 2_000

/**
 * @example
 * const chord = await ChordNode.open({ listen: 'tcp://127.0.0.1:0', join: true })
 * await chord.set('colour', 'green')
 * await chord.get('colour') // 'green', here and on every other node
 * await chord.close()
 */
export class ChordNode extends LayeredNode<ChordEvents> {
  readonly #control: LayerControl<LayerCommand>
  readonly #machine: ChordMachine
  readonly #table: SharedTable
  readonly #persistence: SlotPersistence | undefined

  /**
   * Opens a node: it listens, and joins the addresses given as `connect`. It uses the table at once,
   * and stores for others after `join()`.
   *
   * @throws TypeError or RangeError for options that are wrong; rejects with a P2pError such as
   *   `P2P_ADDRESS_IN_USE`, or `P2P_STORE_FAILED` when the store cannot be read
   */
  static async open(options: ChordNodeOptions = {}): Promise<ChordNode> {
    const { join = false, table = {}, replicas = 5, ...meshOptions } = options
    checkOwnOptions({ join, table, replicas })
    const errors = new EarlyErrors()
    const events = new Emitter<OwnEvents>(errors.reportHandler)
    const persistence =
      options.store === undefined
        ? undefined
        : new SlotPersistence(options.store, options.subnet ?? defaultSubnet, errors.report)
    const restored = (await persistence?.load()) ?? []
    const persists = persistence !== undefined
    let machine: ChordMachine | undefined
    let settle: (effect: RequestEnd) => void = () => undefined
    const opened = await MeshNode.openLayer<LayerCommand, LayerEffect>(meshOptions, {
      subnet: defaultSubnet,
      ownNames: ['join', 'replicas', 'table'],
      createMachine: (boot) => {
        const meshLimits = { ...tableMeshLimits, ...boot.meshLimits }
        const own = { slotLimits: table, replicas, restored, persists, meshLimits }
        machine = new ChordMachine({ ...boot, ...own })
        const { slots } = machine
        persistence?.attach((slot) => slots.get(slot))
        return machine
      },
      isOwnEffect: (effect): effect is LayerEffect => layerEffects.has(effect.type),
      onEffect: (effect) => {
        if (effect.type === 'slots-changed') persistence?.changed(effect.slots)
        else if (effect.type === 'key-added') {
          if (effect.isNew && events.hasListeners('add'))
            events.emit('add', { key: keyOf(effect.key) })
        } else if (effect.type === 'key-removed') events.emit('delete', { key: keyOf(effect.key) })
        else if (effect.type === 'ring') {
          const size = machine?.storingNodes.size ?? 0
          events.emit('ring', { id: effect.peer, isStoring: effect.isStoring, size })
        } else settle(effect)
      },
      enter: async (control) => {
        settle = (effect) => {
          if ('error' in effect && effect.error !== undefined)
            control.fail(effect.request, effect.error)
          else control.settle(effect.request, 'result' in effect ? effect.result : undefined)
        }
        errors.tellBy((error) => {
          control.reportError(error)
        })
        // It fails with errors of ours only, and a node that knows no ring yet is no reason not to open.
        if (join) await askTo<void>(control, { type: 'join' }).catch(errors.report)
      },
    })
    if (machine === undefined) throw new Error('no machine was made')
    return new ChordNode({
      mesh: opened.node,
      control: opened.control,
      machine,
      persistence,
      events,
    })
  }

  private constructor(parts: {
    readonly mesh: MeshNode<LayerCommand, LayerEffect>
    readonly control: LayerControl<LayerCommand>
    readonly machine: ChordMachine
    readonly persistence: SlotPersistence | undefined
    readonly events: Emitter<OwnEvents>
  }) {
    const { mesh, control, machine, persistence, events } = parts
    super(mesh, events, ownEventNames)
    control.closeBySignal = () => this.close().catch(() => undefined)
    this.#control = control
    this.#machine = machine
    this.#persistence = persistence
    this.#table = new SharedTable({
      keys: machine.keys,
      maxFrameBytes: machine.slots.maxFrameBytes,
      read: (key, wait) => askTo<ReadResult>(control, { type: 'read', key }, wait),
      write: (key, value, wait) => askTo<void>(control, { type: 'write', key, value }, wait),
    })
  }

  // The hash table

  /** Whether this node stores for others. */
  get isStoring(): boolean {
    return this.#machine.isStoring
  }

  /** Number of keys that are said to be in the network. */
  get size(): number {
    return this.#table.size
  }

  /**
   * Begins to store for others: the node takes its place on the ring and is handed what belongs there.
   * Resolves once its neighbours have told who else stores, so that what follows asks the right nodes;
   * at once for a node without neighbours, which is a ring of its own until it meets others.
   *
   * Rejects with `P2P_RING_UNKNOWN` when no neighbour tells within the time-out, 10 s by default. The
   * node stores from the call on, and goes on to do so then and when the signal ends the wait.
   */
  async join(wait: WaitOptions = {}): Promise<void> {
    await askTo<void>(this.#control, { type: 'join' }, wait)
  }

  /**
   * Stops storing for others. Resolves once others have what was stored here; the node goes on using
   * the table. Where nobody else stores, the data stays. Default time-out 10 s: then it leaves all the
   * same, and what has not been handed over is left to the other copies. Called again while it leaves, it
   * ends with the first of the calls. Rejects with `P2P_CANCELLED` when `join()` is called meanwhile: the
   * node stays. A signal ends the wait, and the node leaves all the same.
   */
  async leave(wait: WaitOptions = {}): Promise<void> {
    await askTo<void>(this.#control, { type: 'leave' }, wait)
  }

  /**
   * The value of a key; the fallback, or undefined, when there is none. Default time-out 10 s.
   *
   * Rejects with `P2P_NO_AGREEMENT` when the tables hold different values and nothing tells which is
   * newer, and with `P2P_NOT_READABLE` when too few nodes answer: also where this node's clock is more than
   * a minute behind, by which what was just written lies in the future.
   */
  get(key: Key): Promise<Value | undefined>
  get<Fallback>(key: Key, fallback: Fallback, wait?: WaitOptions): Promise<Value | Fallback>
  async get(key: Key, fallback?: unknown, wait: WaitOptions = {}): Promise<unknown> {
    return this.#table.get(key, fallback, wait)
  }

  /**
   * Sets a key. Resolves once three of the five tables have it, each at its owner and at two replicas, or
   * at all nodes that store where those are fewer; two in all will do where the others have no room or do
   * not answer, one will not. With fewer it tries again until its time is over, by default 10 s.
   *
   * Rejects with `P2P_WRITE_NOT_ACKNOWLEDGED`, also where this node's clock is more than a minute wrong;
   * some nodes may have the value all the same. TypeError
   * for null (which means deleted on the wire) and undefined, EncodeError for values that the wire
   * cannot carry, and for key and value that fit no frame (`maxFrameBytes`) together. Key and value are
   * taken as they are at the call.
   */
  async set(key: Key, value: Value, wait: WaitOptions = {}): Promise<void> {
    await this.#table.set(key, value, wait)
  }

  /** Removes a key everywhere; resolves with whether it was there. */
  async delete(key: Key, wait: WaitOptions = {}): Promise<boolean> {
    return this.#table.delete(key, wait)
  }

  /** Sets many keys, 512 at a time. Resolves when all are acknowledged. */
  async update(
    entries: Iterable<readonly [Key, Value]> | { readonly [key: string]: Value },
    wait: WaitOptions = {},
  ): Promise<void> {
    await this.#table.update(entries, wait)
  }

  /**
   * Writes the fields of a mapping over those of the stored one, one level deep, and resolves with the
   * result; a key that is not there gets the fields as its value. Deltas of this node to one key are
   * applied one after the other. It reads and then writes: of two deltas of two nodes at one moment, one
   * may be lost.
   */
  async applyDelta(key: Key, delta: Value, wait: WaitOptions = {}): Promise<Value> {
    return this.#table.applyDelta(key, delta, wait)
  }

  /** Removes a key and resolves with its value; with the fallback, or undefined, when there is none. */
  pop(key: Key): Promise<Value | undefined>
  pop<Fallback>(key: Key, fallback: Fallback, wait?: WaitOptions): Promise<Value | Fallback>
  async pop(key: Key, fallback?: unknown, wait: WaitOptions = {}): Promise<unknown> {
    return this.#table.pop(key, fallback, wait)
  }

  /** Removes some key and resolves with it and its value; with undefined when there is none. */
  async popItem(wait: WaitOptions = {}): Promise<[Key, Value] | undefined> {
    return this.#table.popItem(wait)
  }

  /** The keys that are said to be in the network, as text; as bytes where they are not UTF-8. */
  keys(): AsyncGenerator<Key> {
    return this.#table.keys()
  }

  async *values(wait: WaitOptions = {}): AsyncGenerator<Value> {
    for await (const [, value] of this.#table.entries(wait)) yield value
  }

  /** Reads every key; those that are not readable any more are left out. */
  entries(wait: WaitOptions = {}): AsyncGenerator<[Key, Value]> {
    return this.#table.entries(wait)
  }

  [Symbol.asyncIterator](): AsyncGenerator<[Key, Value]> {
    return this.entries()
  }

  /** A copy of the whole table that belongs to the caller. */
  async toMap(wait: WaitOptions = {}): Promise<Map<Key, Value>> {
    const map = new Map<Key, Value>()
    for await (const [key, value] of this.#table.entries(wait)) map.set(key, value)
    return map
  }

  /**
   * Resolves once what this node keeps of the table is in its store: it survives the end of the process,
   * however it comes. At once without a store. Rejects with `P2P_STORE_FAILED`.
   */
  async persisted(): Promise<void> {
    await this.#persistence?.persisted()
  }

  /** The five places of a key on the ring, and who holds each, as far as is known here. */
  locate(key: Key): readonly Place[] {
    return this.#machine.locate(readKey(key))
  }

  /** Where this node stands on the ring, in hexadecimal digits. */
  get ringPosition(): string {
    return this.#machine.ringPosition
  }

  /** What this node keeps of the five tables: place on the ring in hexadecimal digits, and value. */
  stored(): ReadonlyMap<HashTable, readonly (readonly [position: string, value: Value])[]> {
    return storedByTable(this.#machine.slots)
  }

  /** The state of the node as plain JSON data, with what it knows of the ring. */
  override report(): ChordReport {
    const { storingNodes, isStoring, id } = this.#machine
    const idsOf = (nodes: readonly { readonly id: string }[]): string[] =>
      nodes.map((node) => node.id)
    return {
      ...super.report(),
      isStoring,
      keys: this.size,
      ring: {
        size: storingNodes.size,
        behind: idsOf(storingNodes.behind(id, reportedNeighbours)),
        ahead: idsOf(storingNodes.ahead(id, reportedNeighbours)),
      },
    }
  }

  /**
   * Leaves the ring, for which it takes two seconds at most, and ends everything; resolves once the store
   * has what this node keeps. Rejects with `P2P_STORE_FAILED` when the store refused it; the node is
   * closed all the same, and another call tries again. The store stays open: it is the caller's.
   */
  override async close(): Promise<void> {
    if (!this.#control.isClosed && this.peers.size > 0) {
      await this.leave({ timeoutMs: closingHandOverMs }).catch(() => undefined)
    }
    await super.close()
    await this.#persistence?.persisted()
  }
}

function askTo<Result>(
  control: LayerControl<LayerCommand>,
  command: Asked,
  wait?: WaitOptions,
): Promise<Result> {
  return control.request<Result>((request, timeoutMs) => ({ ...command, request, timeoutMs }), wait)
}

function checkOwnOptions({
  join,
  replicas,
  table,
}: {
  readonly join: unknown
  readonly replicas: number
  readonly table: Partial<SlotStoreLimits>
}): void {
  if (!Number.isInteger(replicas)) throw new TypeError('replicas must be a whole number')
  if (replicas < 1 || replicas > maxReplicas)
    throw new RangeError(`replicas must be from 1 to ${maxReplicas}`)
  if (typeof join !== 'boolean') throw new TypeError('join must be a boolean')
  limitsOver(defaultSlotStoreLimits, table)
}
