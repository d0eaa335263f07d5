/**
 * A whole network of nodes in one thread and in virtual time, decided by a seed.
 *
 * Theory of operation: the schedule holds everything that will happen. Each step takes the next
 * entry, moves the clock to it and lets it happen: bytes arrive, a dial ends, a deadline passes, a
 * fault sets in. A node's machine answers with effects; those lead to new entries. After every turn
 * of a node the invariants are checked. No real clock, socket or randomness is involved, so a run
 * depends on nothing but the seed and the program, and a failure comes back as often as wanted.
 *
 * Models: FoundationDB's simulation; TigerBeetle's simulator (faults first, then all is healed and
 * everything must converge).
 */
import { createConditions } from './conditions.ts'
import type { NetworkConditions } from './conditions.ts'
import { createCounters } from './counters.ts'
import type { SimCounters } from './counters.ts'
import { SimulationError, formatTranscript } from './failure.ts'
import type { Invariant } from './invariant.ts'
import { Network } from './network.ts'
import type { Cut } from './network.ts'
import { SeededRandom } from './random.ts'
import { Schedule } from './schedule.ts'
import { SimNode } from './sim-node.ts'
import type { HostedNode, SimNodeOptions } from './sim-node.ts'
import { TraceHash } from './trace.ts'

interface Typed {
  readonly type: string
}

/** What most inputs and effects have; which of it a machine's own ones have is not known here. */
interface Traced extends Typed {
  readonly link?: unknown
  readonly dial?: unknown
  readonly bytes?: unknown
}

interface Rule {
  readonly invariant: Invariant
  checks: number
}

export interface SimulatorOptions {
  /** Decides everything that is left to chance. */
  readonly seed: number | string
  readonly conditions?: Partial<NetworkConditions>
  /** UTC at the start of the run, in seconds; the default is 2030-01-01. */
  readonly utcStartSeconds?: number
  /** Events kept of each node for the transcript of a failure; default 40, 0 for none. */
  readonly transcriptLength?: number
}

const defaultUtcStartSeconds = 1_893_456_000
const defaultTranscriptLength = 40
/** Ports differ too: js2p takes two addresses with one port for the same peer (spec/mesh.md, 3.2). */
const firstPort = 1_024
const portCount = 48_000

/**
 * @example
 * const sim = new Simulator({ seed: 7 })
 * const alice = sim.addNode({ create: (boot) => new PingMachine(boot.randomBytes) })
 * const bob = sim.addNode({ create: (boot) => new PingMachine(boot.randomBytes) })
 * alice.command({ type: 'ping', address: bob.addresses[0] })
 * sim.runFor(1_000)
 * sim.traceHash() // the same for seed 7, always
 */
export class Simulator {
  readonly seed: number | string
  readonly random: SeededRandom
  readonly counters: SimCounters = createCounters()
  readonly #schedule = new Schedule()
  readonly #network: Network
  readonly #trace = new TraceHash()
  readonly #nodes: HostedNode[] = []
  readonly #rules: Rule[] = []
  readonly #rulesAfterTurn: Rule[] = []
  readonly #utcStartSeconds: number
  readonly #transcriptLength: number

  constructor(options: SimulatorOptions) {
    this.seed = options.seed
    this.random = new SeededRandom(options.seed)
    this.#utcStartSeconds = options.utcStartSeconds ?? defaultUtcStartSeconds
    this.#transcriptLength = options.transcriptLength ?? defaultTranscriptLength
    this.#network = new Network({
      schedule: this.#schedule,
      random: this.random.fork('network'),
      conditions: createConditions(options.conditions),
    })
  }

  /** Simulated milliseconds since the start. */
  get nowMs(): number {
    return this.#schedule.nowMs
  }

  /** UTC of a node without skew. */
  get utcSeconds(): number {
    return this.#utcStartSeconds + this.nowMs / 1_000
  }

  /** In the order they were added; crashed ones too. */
  get nodes(): readonly HostedNode[] {
    return this.#nodes
  }

  get network(): Network {
    return this.#network
  }

  /** How often each invariant was checked. */
  get checks(): ReadonlyMap<string, number> {
    return new Map(this.#rules.map(({ invariant, checks }) => [invariant.name, checks]))
  }

  /** Adds a node and starts it. */
  addNode<Command extends Typed, Emitted extends Typed>(
    options: SimNodeOptions<Command, Emitted>,
  ): SimNode<Command, Emitted> {
    const index = this.#nodes.length
    const name = options.name ?? `n${index}`
    const host = hostOf(index)
    const node = new SimNode(options, {
      index,
      name,
      host,
      addresses: options.listen ?? [`tcp://${host}:${firstPort + (index % portCount)}`],
      random: this.random.fork(`node ${name}`),
      transcriptLength: this.#transcriptLength,
      world: {
        schedule: this.#schedule,
        network: this.#network,
        utcStartSeconds: this.#utcStartSeconds,
        onInput: this.#onInput,
        onOutput: this.#onOutput,
        onTurnEnd: this.#onTurnEnd,
        fail: this.#failAt,
      },
    })
    for (const address of node.addresses) this.#network.listen(address, node)
    this.#nodes.push(node)
    node.start()
    return node
  }

  addInvariant(invariant: Invariant): void {
    const rule = { invariant, checks: 0 }
    this.#rules.push(rule)
    if (invariant.afterTurn !== undefined) this.#rulesAfterTurn.push(rule)
  }

  /** Calls back so many milliseconds from now. */
  after(delayMs: number, due: () => void): void {
    this.#schedule.at(this.nowMs + delayMs, { due })
  }

  /** Runs for so many simulated milliseconds. Throws a SimulationError when an invariant breaks. */
  runFor(durationMs: number): void {
    const untilMs = this.nowMs + durationMs
    while (this.#schedule.runNext(untilMs)) this.counters.steps += 1
    this.#schedule.nowMs = untilMs
  }

  /** Runs until the condition holds; false when it did not within `maxDurationMs`. */
  runUntil(condition: () => boolean, maxDurationMs: number): boolean {
    const untilMs = this.nowMs + maxDurationMs
    while (!condition()) {
      if (!this.#schedule.runNext(untilMs)) {
        this.#schedule.nowMs = untilMs
        return condition()
      }
      this.counters.steps += 1
    }
    return true
  }

  /** Checks what must hold once everything has settled. Throws a SimulationError. */
  checkAtRest(): void {
    for (const rule of this.#rules) {
      const { invariant } = rule
      if (invariant.atRest === undefined) continue
      rule.checks += 1
      const broken = invariant.atRest(this)
      if (broken !== undefined) this.fail(invariant.name, broken.detail, broken.node)
    }
  }

  /** SHA-256 of everything that happened so far, as hexadecimal digits. */
  traceHash(): string {
    return this.#trace.digest()
  }

  /** Keeps the groups apart until healed; with a duration, heals by itself. */
  partition(groups: readonly (readonly HostedNode[])[], durationMs?: number): Cut {
    return this.#healAfter(
      this.#network.cutGroups(groups.map((group) => new Set(group))),
      durationMs,
    )
  }

  /** Keeps one node apart from all others. */
  isolate(node: HostedNode, durationMs?: number): Cut {
    return this.#healAfter(this.#network.cutOff(node), durationMs)
  }

  /** Nothing gets from `from` to `to`; the way back works. */
  partitionOneWay(
    from: readonly HostedNode[],
    to: readonly HostedNode[],
    durationMs?: number,
  ): Cut {
    return this.#healAfter(this.#network.cutOneWay(new Set(from), new Set(to)), durationMs)
  }

  /** Throws a SimulationError with the seed and the transcript of the node. */
  fail(invariant: string, detail: string, node?: HostedNode, cause?: unknown): never {
    throw new SimulationError({
      seed: this.seed,
      invariant,
      atMs: this.nowMs,
      node: node?.name,
      detail,
      transcript: node === undefined ? [] : formatTranscript(node.transcript),
      cause,
    })
  }

  #healAfter(cut: Cut, durationMs: number | undefined): Cut {
    if (durationMs !== undefined) {
      this.after(durationMs, () => {
        cut.heal()
      })
    }
    return cut
  }

  readonly #onInput = (node: HostedNode, input: Typed): void => {
    this.#trace.record(this.nowMs, node.index, numberOf(input), input.type, bytesOf(input))
    if (this.#transcriptLength > 0) node.transcript.add(this.nowMs, 'in', input)
    this.counters.inputs += 1
  }

  readonly #onOutput = (node: HostedNode, effect: Typed): void => {
    this.#trace.record(this.nowMs, node.index, numberOf(effect), effect.type)
    if (this.#transcriptLength > 0) node.transcript.add(this.nowMs, 'out', effect)
    this.counters.onEffect(effect)
  }

  readonly #onTurnEnd = (node: HostedNode): void => {
    for (const rule of this.#rulesAfterTurn) {
      rule.checks += 1
      const detail = rule.invariant.afterTurn?.(node, this)
      if (detail !== undefined) this.fail(rule.invariant.name, detail, node)
    }
  }

  readonly #failAt = (
    node: HostedNode,
    invariant: string,
    detail: string,
    cause?: unknown,
  ): never => this.fail(invariant, detail, node, cause)
}

/**
 * Spread over many /16 networks, because address books and limits count by network, and clear of
 * loopback and private ones, which get special treatment.
 */
function hostOf(index: number): string {
  const first = 11 + (index % 110)
  const rest = Math.floor(index / 110)
  return `${first}.${(rest * 7 + first) % 256}.${Math.floor(rest / 250) % 250}.${1 + (rest % 250)}`
}

function numberOf({ link, dial }: Traced): number {
  if (typeof link === 'number') return link
  return typeof dial === 'number' ? dial : 0
}

function bytesOf({ bytes }: Traced): Uint8Array | undefined {
  return bytes instanceof Uint8Array ? bytes : undefined
}
