/** Sync nodes in the simulator, for the tests of this folder. */
import { resolveLimits } from '@p2p/base'
import { Simulator } from '@p2p/base/sim'
import type { SimNode, SimulatorOptions } from '@p2p/base/sim'
import { decodeValue, encodeBase58Integer, encodeValue, toHex } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { decodeRecords, encodeRecords } from '../../src/protocol/records.ts'
import { SyncMachine } from '../../src/protocol/sync.ts'
import type { SyncEffect, SyncInput, SyncMachineOptions } from '../../src/protocol/sync-contract.ts'

type Emitted = Exclude<SyncEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>
type Command = Exclude<SyncInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>

export class SyncSimNode {
  readonly events: Emitted[] = []
  sim!: SimNode<Command, Emitted>
  #machine: SyncMachine | undefined

  get machine(): SyncMachine {
    return this.#machine!
  }

  get id(): string {
    return this.machine.id
  }

  start(machine: SyncMachine): void {
    this.#machine = machine
  }

  /** Writes, if no lease forbids it; true when it was written. */
  set(key: string, value: Value): boolean {
    if (this.machine.refusal(textToByteText(key), this.sim.now()) !== undefined) return false
    const kind = value === null ? 'delete' : 'set'
    const bytes = value === null ? new Uint8Array(0) : encodeValue(value)
    this.sim.command({ type: 'write', key: textToByteText(key), kind, value: bytes })
    return true
  }

  delta(key: string, value: Value): void {
    const name = textToByteText(key)
    this.sim.command({ type: 'write', key: name, kind: 'delta', value: encodeValue(value) })
  }

  get(key: string): Value | undefined {
    const { value } = this.machine.replica.state(textToByteText(key))
    return value === undefined ? undefined : decodeValue(value)
  }

  digest(): string {
    return toHex(this.machine.digest())
  }

  eventsOf<T extends Emitted['type']>(type: T): Extract<Emitted, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<Emitted, { type: T }> => event.type === type,
    )
  }
}

export class SyncNetwork {
  readonly sim: Simulator
  readonly nodes: SyncSimNode[] = []
  readonly #machine: Partial<SyncMachineOptions>
  #request = 0

  constructor(options: SimulatorOptions & { readonly machine?: Partial<SyncMachineOptions> }) {
    this.#machine = options.machine ?? {}
    this.sim = new Simulator({ transcriptLength: 0, ...options })
  }

  add(
    place: { readonly utcOffsetSeconds?: number } = {},
    own: Partial<SyncMachineOptions> = {},
  ): SyncSimNode {
    const node = new SyncSimNode()
    node.sim = this.sim.addNode<Command, Emitted>({
      ...place,
      create: (boot) => {
        const machine = new SyncMachine({
          id: encodeBase58Integer(boot.randomBytes(48)),
          subnet: 'sync',
          limits: resolveLimits(),
          randomBytes: boot.randomBytes,
          restored: [...boot.store.values()].flatMap((block) => {
            const records = decodeRecords(block)!
            const writes = records.map(({ write }) => write)
            return [[records[0]!.key, { writes, folded: records[0]!.isBase }]] as const
          }),
          ...this.#machine,
          ...own,
        })
        node.start(machine)
        return machine
      },
      onStart: (sim) => sim.command({ type: 'listening', addresses: sim.addresses }),
      onEffect: (effect) => {
        node.events.push(effect)
        if (effect.type === 'persist') this.#persist(node, effect.key)
      },
    })
    this.nodes.push(node)
    return node
  }

  /** Adds so many nodes, each connected to one that is there already. */
  addMany(count: number): SyncSimNode[] {
    const added = Array.from({ length: count }, () => this.add())
    added.forEach((node, i) => {
      if (i > 0) this.connect(node, added[this.sim.random.below(i)]!)
    })
    this.sim.runFor(3_000)
    return added
  }

  connect(from: SyncSimNode, to: SyncSimNode): void {
    this.#request++
    from.sim.command({
      type: 'connect',
      request: this.#request,
      address: to.sim.addresses[0]!,
      timeoutMs: 5_000,
    })
  }

  allEqual(): boolean {
    const up = this.nodes.filter((node) => node.sim.isUp)
    return up.every((node) => node.digest() === up[0]!.digest())
  }

  #persist(node: SyncSimNode, key: ReturnType<typeof textToByteText>): void {
    const log = node.machine.replica.log(key)
    if (log === undefined) node.sim.store.delete(key)
    else {
      const records = log.writes.map((write, i) => ({ key, isBase: i === 0 && log.folded, write }))
      node.sim.store.set(key, encodeRecords(records))
    }
  }
}
