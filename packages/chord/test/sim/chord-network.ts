/** Chord nodes in the simulator, for the tests of this folder. */
import { resolveLimits } from '@p2p/base'
import { Simulator } from '@p2p/base/sim'
import type { SimNode, SimulatorOptions } from '@p2p/base/sim'
import { decodeValue, encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { ChordMachine } from '../../src/protocol/chord.ts'
import type {
  ChordEffect,
  ChordInput,
  ChordMachineOptions,
} from '../../src/protocol/chord-contract.ts'

type Emitted = Exclude<ChordEffect, { type: 'send' | 'dial' | 'cancel-dial' | 'close' }>
type Command = Exclude<ChordInput, { type: `link-${string}` | 'dial-failed' | 'deadline' }>

let lastRequest = 0

export class ChordSimNode {
  readonly events: Emitted[] = []
  sim!: SimNode<Command, Emitted>
  machine!: ChordMachine

  join(): () => 'pending' | 'joined' | 'failed' {
    lastRequest += 1
    const request = lastRequest
    this.sim.command({ type: 'join', request, timeoutMs: 5_000 })
    return () => {
      const end = this.events.find((event) => 'request' in event && event.request === request)
      if (end?.type !== 'joined') return 'pending'
      return end.error === undefined ? 'joined' : 'failed'
    }
  }

  leave(timeoutMs = 10_000): () => 'pending' | 'left' | 'failed' {
    lastRequest += 1
    const request = lastRequest
    this.sim.command({ type: 'leave', request, timeoutMs })
    return () => {
      const end = this.events.find((event) => 'request' in event && event.request === request)
      if (end?.type !== 'left') return 'pending'
      return end.error === undefined ? 'left' : 'failed'
    }
  }

  write(key: string, value: Value): () => 'pending' | 'written' | 'failed' {
    lastRequest += 1
    const request = lastRequest
    const timeoutMs = 10_000
    const bytes = value === null ? null : encodeValue(value)
    this.sim.command({ type: 'write', request, key: utf8Encode(key), value: bytes, timeoutMs })
    return () => {
      const end = this.events.find((event) => 'request' in event && event.request === request)
      if (end === undefined) return 'pending'
      return end.type === 'written' ? 'written' : 'failed'
    }
  }

  /** What a later look finds: the value, or how else the read ended; undefined before that. */
  read(key: string): () => Value | undefined {
    lastRequest += 1
    const request = lastRequest
    this.sim.command({ type: 'read', request, key: utf8Encode(key), timeoutMs: 10_000 })
    return () => {
      for (const event of this.events) {
        if (event.type !== 'read-ended' || event.request !== request) continue
        const { result } = event
        return result.type === 'found' ? decodeValue(result.value) : result.type
      }
      return undefined
    }
  }

  keyCount(): number {
    return this.machine.keys.size
  }
}

export class ChordNetwork {
  readonly sim: Simulator
  readonly nodes: ChordSimNode[] = []
  readonly #machine: Partial<ChordMachineOptions>

  constructor(options: SimulatorOptions & { readonly machine?: Partial<ChordMachineOptions> }) {
    this.#machine = options.machine ?? {}
    this.sim = new Simulator({ transcriptLength: 0, ...options })
  }

  /** A node; `machine` goes over the options of the network. Without addresses to listen on nobody can dial it. */
  add(
    machine: Partial<ChordMachineOptions> = {},
    { listens = true, listen }: { readonly listens?: boolean; readonly listen?: string[] } = {},
  ): ChordSimNode {
    const node = new ChordSimNode()
    node.sim = this.sim.addNode<Command, Emitted>({
      create: (boot) => {
        node.machine = new ChordMachine({
          id: encodeBase58Integer(boot.randomBytes(48)),
          subnet: 'chord',
          limits: resolveLimits(),
          randomBytes: boot.randomBytes,
          ...this.#machine,
          ...machine,
        })
        return node.machine
      },
      ...(listen && { listen }),
      ...(!listens && { listen: [] }),
      onStart: (sim) => sim.command({ type: 'listening', addresses: sim.addresses }),
      onEffect: (effect) => node.events.push(effect),
    })
    this.nodes.push(node)
    return node
  }

  /** Adds so many nodes, each connected to all that are there already. */
  addMany(count: number): ChordSimNode[] {
    const added = Array.from({ length: count }, () => this.add())
    added.forEach((node, i) => {
      for (const earlier of added.slice(0, i)) this.connect(node, earlier)
    })
    this.sim.runFor(3_000)
    return added
  }

  connect(from: ChordSimNode, to: ChordSimNode): void {
    lastRequest += 1
    const [address = ''] = to.sim.addresses
    from.sim.command({ type: 'connect', request: lastRequest, address, timeoutMs: 5_000 })
  }
}
