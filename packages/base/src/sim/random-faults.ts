/**
 * Faults drawn from the seed: which, when, whom and for how long. All of them end by a given time,
 * so that what must hold once everything is healed can be checked afterwards.
 */
import type { Cut } from './network.ts'
import type { SeededRandom } from './random.ts'
import type { HostedNode } from './sim-node.ts'
import type { Simulator } from './simulator.ts'

/** Every kind of fault there is, with what it does. */
export const faultKinds = {
  'link-loss': 'breaks one link for both ends',
  'half-open': 'one link carries nothing any more, and nobody is told',
  'bit-flip': 'one bit of the next write on a link arrives wrong',
  crash: 'ends a process, which starts again later with its store',
  'crash-without-store': 'the same, and the store is lost',
  'power-off': 'a machine goes silently, and comes back later with its store',
  pause: 'a process stands still for up to 120 s',
  partition: 'the nodes fall into two groups that cannot reach each other',
  isolate: 'one node cannot reach anybody',
  'one-way': 'nothing gets from one group of nodes to the other',
  'clock-jump': 'the UTC clock of a node jumps by up to 120 s in all',
  'slow-reader': 'a node reads only 200 to 2,000 bytes per second and link',
  'failed-dials': 'some dials are refused, some never answered',
} as const

export type FaultKind = keyof typeof faultKinds

export const allFaultKinds: readonly FaultKind[] = Object.keys(faultKinds) as FaultKind[]

export interface FaultPlan {
  readonly kinds: readonly FaultKind[]
  /** Mean time from one fault to the next. */
  readonly meanIntervalMs: number
  /** How long a fault lasts that is not over at once. Partitions last at least the minimum. */
  readonly minDurationMs: number
  readonly maxDurationMs: number
  /** No fault begins or lasts after this simulated time. */
  readonly untilMs: number
  /** Nodes that faults may hit; default all. */
  readonly nodes?: readonly HostedNode[]
}

const maxPauseMs = 120_000
const maxClockOffsetSeconds = 120

/**
 * Starts breaking things; returns how often each kind has happened, which goes on counting.
 *
 * @example
 * startFaults(sim, {
 *   kinds: ['crash', 'partition'],
 *   meanIntervalMs: 20_000,
 *   minDurationMs: 1_000,
 *   maxDurationMs: 60_000,
 *   untilMs: sim.nowMs + 600_000,
 * })
 * sim.runFor(600_000) // faults
 * sim.runFor(60_000) // all is healed
 * sim.checkAtRest()
 */
export function startFaults(sim: Simulator, plan: FaultPlan): ReadonlyMap<FaultKind, number> {
  if (plan.kinds.length === 0) throw new RangeError('a fault plan names at least one kind')
  return new RandomFaults(sim, plan).start()
}

class RandomFaults {
  readonly #sim: Simulator
  readonly #plan: FaultPlan
  readonly #random: SeededRandom
  readonly #counts = new Map<FaultKind, number>()

  constructor(sim: Simulator, plan: FaultPlan) {
    this.#sim = sim
    this.#plan = plan
    this.#random = sim.random.fork(`faults at ${sim.nowMs}`)
  }

  start(): ReadonlyMap<FaultKind, number> {
    this.#scheduleNext()
    return this.#counts
  }

  #scheduleNext(): void {
    const delayMs = -Math.log(1 - this.#random.fraction()) * this.#plan.meanIntervalMs
    if (this.#sim.nowMs + delayMs >= this.#plan.untilMs) return
    this.#sim.after(delayMs, () => {
      const kind = this.#random.pick(this.#plan.kinds)
      if (this.#strike(kind)) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
      this.#scheduleNext()
    })
  }

  /** False when there was nothing to hit. */
  #strike(kind: FaultKind): boolean {
    switch (kind) {
      case 'link-loss':
      case 'half-open':
      case 'bit-flip':
        return this.#strikeLink(kind)
      case 'crash':
        return this.#crash({ keepStore: true, silent: false })
      case 'crash-without-store':
        return this.#crash({ keepStore: false, silent: false })
      case 'power-off':
        return this.#crash({ keepStore: true, silent: true })
      case 'partition':
      case 'one-way':
        return this.#partition(kind)
      case 'failed-dials':
        return this.#failDials()
      case 'pause':
      case 'isolate':
      case 'clock-jump':
      case 'slow-reader':
        return this.#strikeNode(kind)
    }
  }

  #strikeLink(kind: 'link-loss' | 'half-open' | 'bit-flip'): boolean {
    const nodes = this.#plan.nodes
    const links = this.#sim.network
      .openLinks()
      .filter(({ owner }) => nodes === undefined || nodes.some((node) => node === owner))
    if (links.length === 0) return false
    const dialler = this.#random.pick(links)
    const end = this.#random.chance(0.5) ? dialler : dialler.other
    if (kind === 'link-loss') end.reset()
    else if (kind === 'half-open') end.blackHole()
    else end.flipNextBit()
    return true
  }

  #crash(options: { readonly keepStore: boolean; readonly silent: boolean }): boolean {
    const node = this.#pickNode()
    if (node === undefined) return false
    node.crash(options)
    this.#sim.after(this.#durationMs(), () => {
      node.restart()
    })
    return true
  }

  #partition(kind: 'partition' | 'one-way'): boolean {
    const nodes = this.#random.shuffle(this.#plan.nodes ?? this.#sim.nodes)
    if (nodes.length < 2) return false
    const size = 1 + this.#random.below(nodes.length - 1)
    const [one, two] = [nodes.slice(0, size), nodes.slice(size)]
    const cut =
      kind === 'partition' ? this.#sim.partition([one, two]) : this.#sim.partitionOneWay(one, two)
    this.#healLater(cut)
    return true
  }

  #strikeNode(kind: 'pause' | 'isolate' | 'clock-jump' | 'slow-reader'): boolean {
    const node = this.#pickNode()
    if (node === undefined) return false
    switch (kind) {
      case 'pause':
        node.pause(Math.min(maxPauseMs, this.#durationMs()))
        break
      case 'isolate':
        this.#healLater(this.#sim.isolate(node))
        break
      case 'clock-jump':
        node.utcOffsetSeconds = this.#random.between(-maxClockOffsetSeconds, maxClockOffsetSeconds)
        this.#sim.after(this.#durationMs(), () => {
          node.utcOffsetSeconds = 0
        })
        break
      case 'slow-reader':
        node.receiveBytesPerSecond = this.#random.between(200, 2_000)
        this.#sim.after(this.#durationMs(), () => {
          node.receiveBytesPerSecond = Infinity
        })
    }
    return true
  }

  #failDials(): boolean {
    const { network } = this.#sim
    const refuseChance = this.#random.between(0, 0.5)
    const silenceChance = this.#random.between(0, 0.5)
    network.conditions = { ...network.conditions, refuseChance, silenceChance }
    this.#sim.after(this.#durationMs(), () => {
      network.conditions = { ...network.conditions, refuseChance: 0, silenceChance: 0 }
    })
    return true
  }

  #pickNode(): HostedNode | undefined {
    const running = (this.#plan.nodes ?? this.#sim.nodes).filter(({ isUp }) => isUp)
    return running.length === 0 ? undefined : this.#random.pick(running)
  }

  #healLater(cut: Cut): void {
    this.#sim.after(this.#durationMs(), () => {
      cut.heal()
    })
  }

  /** Never longer than the time that is left. */
  #durationMs(): number {
    const { minDurationMs, maxDurationMs, untilMs } = this.#plan
    const drawn = this.#random.between(minDurationMs, maxDurationMs)
    return Math.min(drawn, Math.max(0, untilMs - this.#sim.nowMs))
  }
}
