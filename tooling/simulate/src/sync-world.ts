/** A simulated dictionary network: nodes that write, crash and come back, and what each of them holds. */
import { resolveLimits } from '@p2p/base'
import { Simulator } from '@p2p/base/sim'
import type { HostedNode, Invariant, SimNode } from '@p2p/base/sim'
import { encodeBase58Integer, encodeValue, toHex } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { SyncMachine, decodeRecords, encodeRecords, textToByteText } from '@p2p/sync'
import type { ByteText, SyncEffect, SyncInput, WriteLog } from '@p2p/sync'

type SyncCommand = Exclude<SyncInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>
type SyncEvent = Exclude<SyncEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>
export type DictionaryNode = SimNode<SyncCommand, SyncEvent>

const joinSpacingMs = 10
const dialTimeoutMs = 10_000
/** How often the application of a node without any peer dials its bootstrap addresses again. */
const lonelyRetryMs = 15_000
const bootstrapDials = 2
const bootstraps = 4
const idKey = 'id'
const logPrefix = 'log/'

export interface SyncWorldOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly leasing: boolean
  readonly dissemination: 'tree' | 'flood'
  readonly transcriptLength: number
}

/** Over all nodes. */
export interface SyncCounts {
  writes: number
  /** Writes that a lease forbade. */
  refused: number
  updates: number
  conflicts: number
}

export class SyncWorld {
  readonly sim: Simulator
  readonly nodes: DictionaryNode[] = []
  /** Values that nobody contests: what was written before the faults began. */
  readonly calmValues: Map<ByteText, string> = new Map()
  readonly counts: SyncCounts = { writes: 0, refused: 0, updates: 0, conflicts: 0 }
  readonly #options: SyncWorldOptions
  readonly #machines = new Map<HostedNode, SyncMachine>()
  #requestCount = 0

  constructor(options: SyncWorldOptions) {
    const { seed, transcriptLength } = options
    this.#options = options
    this.sim = new Simulator({ seed, transcriptLength })
  }

  /** Adds the nodes one after the other, each dialling some that were there before. */
  join(): void {
    for (let index = 0; index < this.#options.nodeCount; index++) {
      this.#add()
      this.sim.runFor(joinSpacingMs)
    }
    this.#watchForLonely()
  }

  machine(node: HostedNode): SyncMachine | undefined {
    return node.isUp ? this.#machines.get(node) : undefined
  }

  /** Digest → how many nodes that are up have it. */
  digests(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const node of this.nodes) {
      const machine = this.machine(node)
      if (machine === undefined) continue
      const digest = toHex(machine.digest())
      counts.set(digest, (counts.get(digest) ?? 0) + 1)
    }
    return counts
  }

  /** Writes as an application does: not what somebody else leases. True when it was written. */
  write(node: DictionaryNode, key: string, change: Change): boolean {
    const machine = this.machine(node)
    const name = textToByteText(key)
    if (machine === undefined) return false
    if (machine.refusal(name, node.now()) !== undefined) {
      this.counts.refused++
      return false
    }
    this.counts.writes++
    const value = change.kind === 'delete' ? new Uint8Array(0) : encodeValue(change.value)
    node.command({ type: 'write', key: name, kind: change.kind, value })
    return true
  }

  #add(): void {
    const entries = this.#entryAddresses()
    const node = this.sim.addNode<SyncCommand, SyncEvent>({
      create: (boot) => {
        const bytes = boot.store.get(idKey) ?? boot.randomBytes(48)
        boot.store.set(idKey, bytes)
        return new SyncMachine({
          id: encodeBase58Integer(bytes),
          subnet: 'sync',
          limits: resolveLimits(),
          randomBytes: boot.randomBytes,
          leasing: this.#options.leasing,
          dissemination: this.#options.dissemination,
          restored: restoredLogs(boot.store),
        })
      },
      onStart: (started) => {
        const { machine } = started
        if (machine instanceof SyncMachine) this.#machines.set(started, machine)
        started.command({ type: 'listening', addresses: started.addresses })
        this.#connect(started, entries)
      },
      onEffect: (effect, self) => this.#onEffect(effect, self),
    })
    this.nodes.push(node)
  }

  #onEffect(effect: SyncEvent, self: DictionaryNode): void {
    if (effect.type === 'persist') this.#persist(self, effect.key)
    else if (effect.type === 'conflict') this.counts.conflicts++
    else if (effect.type === 'update') this.counts.updates++
  }

  #persist(node: DictionaryNode, key: ByteText): void {
    const log = this.#machines.get(node)?.replica.log(key)
    if (log === undefined) node.store.delete(logPrefix + key)
    else {
      const records = log.writes.map((write, at) => ({
        key,
        isBase: at === 0 && log.folded,
        write,
      }))
      node.store.set(logPrefix + key, encodeRecords(records))
    }
  }

  #entryAddresses(): string[] {
    const random = this.sim.random.fork(`entry ${this.sim.nodes.length}`)
    const pool = random.shuffle(this.nodes.slice(0, bootstraps))
    return pool.slice(0, bootstrapDials).flatMap(({ addresses }) => addresses.slice(0, 1))
  }

  #connect(node: DictionaryNode, addresses: readonly string[]): void {
    for (const address of addresses) {
      this.#requestCount++
      const request = this.#requestCount
      node.command({ type: 'connect', request, address, timeoutMs: dialTimeoutMs })
    }
  }

  /** What an application does that was given bootstrap addresses. */
  #watchForLonely(): void {
    const pool = this.nodes.slice(0, bootstraps).flatMap(({ addresses }) => addresses)
    const random = this.sim.random.fork('lonely')
    const look = (): void => {
      for (const node of this.nodes) {
        if (this.machine(node)?.peers.size !== 0) continue
        const others = pool.filter((address) => !node.addresses.includes(address))
        this.#connect(node, random.shuffle(others).slice(0, bootstrapDials))
      }
      this.sim.after(lonelyRetryMs, look)
    }
    this.sim.after(lonelyRetryMs, look)
  }
}

export type Change =
  | { readonly kind: 'set' | 'delta'; readonly value: Value }
  | { readonly kind: 'delete'; readonly value: null }

/** What must hold in every simulated dictionary. */
export function syncInvariants(world: SyncWorld): Invariant[] {
  return [allEqual(world), calmWritesAreEverywhere(world)]
}

/** At rest every node that is up holds the same, whatever happened. */
function allEqual(world: SyncWorld): Invariant {
  return {
    name: 'all-equal-after-healing',
    atRest: () => {
      const digests = world.digests()
      if (digests.size <= 1) return undefined
      const groups = [...digests.values()].sort((a, b) => b - a)
      return { detail: `nodes hold ${groups.length} different dictionaries (${groups.join(', ')})` }
    },
  }
}

/** What was written while nothing failed, and nobody could have written since, is on every node. */
function calmWritesAreEverywhere(world: SyncWorld): Invariant {
  return {
    name: 'calm-writes-are-everywhere',
    atRest: () => {
      for (const node of world.nodes) {
        const replica = world.machine(node)?.replica
        if (replica === undefined) continue
        for (const [key, value] of world.calmValues) {
          const held = replica.value(key)
          if (held !== undefined && toHex(held) === value) continue
          return { detail: `${node.name} lacks "${key}"`, node }
        }
      }
      return undefined
    },
  }
}

/** As the invariant compares them. */
export function valueText(value: Value): string {
  return toHex(encodeValue(value))
}

function* restoredLogs(
  store: ReadonlyMap<string, Uint8Array>,
): Generator<readonly [ByteText, WriteLog]> {
  for (const [name, block] of store) {
    const records = name.startsWith(logPrefix) ? decodeRecords(block) : undefined
    const [first] = records ?? []
    if (records === undefined || first === undefined) continue
    yield [first.key, { writes: records.map(({ write }) => write), folded: first.isBase }]
  }
}
