/**
 * One simulated mesh from the first node to the verdict:
 *
 *   join      nodes come in one by one and look for their neighbours
 *   measure   broadcasts in a calm network: delivery, copies, hops, times beside a perfect flood
 *   storm     a crash of many, churn, liars or unrest, if one is asked for (mesh-storm.ts)
 *   faults    the drawn faults, broadcasts from everywhere meanwhile; nothing may break
 *   heal      everything works again; after a while broadcasts must reach everyone
 */
import { SimulationError, percentile, startFaults } from '@p2p/base/sim'
import type { FaultKind, Invariant } from '@p2p/base/sim'
import { meshInvariants } from './mesh-invariants.ts'
import { MeshWorld } from './mesh-world.ts'
import type { OurNode } from './mesh-world.ts'
import { runStorm } from './mesh-storm.ts'
import type { SimOptions } from './options.ts'
import { tellProgress } from './progress.ts'
import type { RunResult } from './run-result.ts'

/** Then the measurements begin once hardly anybody makes or ends links any more; thousands of nodes take minutes. */
const settleMs = 40_000
const settleStepMs = 20_000
const maxSettleMs = 600_000
/** Links made and ended in a step, for each node. */
const calmChanges = 0.01
const senderCount = 4
/** The first messages of a sender build its tree; they are not measured. */
const warmUpPerSender = 4
const spacingMs = 500
const drainMs = 10_000
const meanFaultIntervalMs = 10_000
const minFaultMs = 1_000
const maxFaultMs = 60_000
/** Broadcasts under faults come in bursts, so that several are under way at once, with time to miss some between. */
const meanBurstPauseMs = 10_000
const maxBurst = 9
/** Longest redial pause, and the time in which a dead link is noticed, twice. */
const healMs = 120_000
const healedBroadcasts = 20
const reachMs = 30_000

export function runMesh(options: SimOptions, seed: number, transcriptLength: number): RunResult {
  const world = createWorld(options, seed, transcriptLength)
  tellProgress(world.sim, seed)
  for (const invariant of meshInvariants(world)) world.sim.addInvariant(invariant)
  const measured = createMeasurement()
  if (options.maxCopies < Infinity) {
    world.sim.addInvariant(fewCopies(world, measured, options))
  }
  let faults: ReadonlyMap<FaultKind, number> = new Map()
  const counts = new Map<string, number>()
  let broken: SimulationError | undefined
  try {
    world.join()
    world.addHostile(options.hostileCount)
    settle(world)
    // Unrest sends so many broadcasts itself.
    if (options.storm?.kind !== 'unrest') measure(world, options.broadcasts, measured)
    world.sim.checkAtRest()
    if (options.oldShare > 0) {
      counts.set('copies that ours sent', measured.ourCopies)
      counts.set('messages at ours', options.broadcasts * world.ours.length)
      counts.set('messages that old peers lack', measured.lackedByOld)
    }
    if (options.storm !== undefined) {
      const figures = runStorm(world, options.storm, options.broadcasts)
      for (const [name, figure] of figures) counts.set(name, figure)
    }
    if (options.faults.length > 0) faults = breakAndHeal(world, options)
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    broken = error
  }
  counts.set('broadcasts', world.sentCount)
  return summarise({ world, seed, measured, faults, counts, broken })
}

function createWorld(options: SimOptions, seed: number, transcriptLength: number): MeshWorld {
  const { minNodes, maxNodes, oldShare, dissemination, storm } = options
  const liarShare = storm?.kind === 'liars' ? storm.share : 0
  const spread = (seed * 2_654_435_761) % 0x1_0000_0000
  const nodeCount = minNodes + Math.floor((spread / 0x1_0000_0000) * (maxNodes - minNodes + 1))
  return new MeshWorld({ seed, nodeCount, oldShare, dissemination, liarShare, transcriptLength })
}

function settle({ sim }: MeshWorld): void {
  const { counters } = sim
  const untilMs = sim.nowMs + maxSettleMs
  sim.runFor(settleMs)
  for (let changes = Infinity; changes > calmChanges * sim.nodes.length && sim.nowMs < untilMs;) {
    const before = counters.dials + counters.closes
    sim.runFor(settleStepMs)
    changes = counters.dials + counters.closes - before
  }
}

interface Measurement {
  copies: number
  /** Those among them that our own nodes sent; old peers flood whatever we do. */
  ourCopies: number
  /** Messages that did not come to an old peer, added up over all of them. */
  lackedByOld: number
  deliveries: number
  timesMs: number[]
  floodMs: number[]
  hops: number[]
}

function createMeasurement(): Measurement {
  return {
    copies: 0,
    ourCopies: 0,
    lackedByOld: 0,
    deliveries: 0,
    timesMs: [],
    floodMs: [],
    hops: [],
  }
}

function measure(world: MeshWorld, broadcasts: number, measured: Measurement): void {
  const { sim, ledger } = world
  const senders = sim.random.fork('senders').shuffle(world.ours).slice(0, senderCount)
  for (let round = 0; round < warmUpPerSender; round += 1) sendFromEach(world, senders)
  sim.runFor(drainMs)
  // Warm-up messages are checked as well, but not measured.
  sim.checkAtRest()
  ledger.excuseAll()
  const before = payloadFrames(world)
  const oursBefore = ourCopies(world)
  const keys: string[] = []
  for (let count = 0; count < broadcasts; count += 1) {
    const sender = senders[count % senders.length]
    if (sender !== undefined) keys.push(world.broadcast(sender))
    sim.runFor(spacingMs)
  }
  sim.runFor(drainMs)
  measured.copies = payloadFrames(world) - before
  measured.ourCopies = ourCopies(world) - oursBefore
  for (const node of world.old) {
    measured.lackedByOld += keys.filter((key) => !ledger.hasDelivered(key, node)).length
  }
  measured.timesMs = ledger.deliveryTimesMs()
  measured.floodMs = ledger.floodTimesMs()
  measured.hops = ledger.hops()
  measured.deliveries = measured.timesMs.length
}

/** Old peers flood whatever we do; what ours send beside them must be little, and still reach them all. */
function fewCopies(world: MeshWorld, measured: Measurement, options: SimOptions): Invariant {
  return {
    name: 'few-copies-beside-old-peers',
    atRest: () => {
      const copies = measured.ourCopies / (options.broadcasts * world.ours.length)
      const lacked = measured.lackedByOld
      if (copies <= options.maxCopies && lacked === 0) return undefined
      return {
        detail: `ours sent ${copies.toFixed(2)} copies of each message, and old peers lack ${lacked}`,
      }
    },
  }
}

function sendFromEach(world: MeshWorld, senders: readonly OurNode[]): void {
  for (const sender of senders) {
    world.broadcast(sender)
    world.sim.runFor(spacingMs)
  }
}

function breakAndHeal(world: MeshWorld, options: SimOptions): ReadonlyMap<FaultKind, number> {
  const { sim, ledger } = world
  const untilMs = sim.nowMs + options.faultMinutes * 60_000
  const faults = startFaults(sim, {
    kinds: options.faults,
    meanIntervalMs: meanFaultIntervalMs,
    minDurationMs: minFaultMs,
    maxDurationMs: maxFaultMs,
    untilMs,
  })
  sendInBursts(world, untilMs)
  sim.runFor(healMs)
  ledger.excuseAll()
  const random = sim.random.fork('healed broadcasts')
  for (let count = 0; count < healedBroadcasts; count += 1) {
    world.broadcast(random.pick(world.ours))
    sim.runFor(spacingMs)
  }
  sim.runFor(reachMs)
  sim.checkAtRest()
  return faults
}

/**
 * Half of the messages come from a few who speak often, whose trees are settled when a fault strikes; the others
 * from anybody, mostly on trees that are new. What was sent while nodes crashed and links broke need not
 * reach everybody, but nobody twice.
 */
function sendInBursts(world: MeshWorld, untilMs: number): void {
  const { sim } = world
  const random = sim.random.fork('fault broadcasts')
  const regulars = random.shuffle(world.ours).slice(0, senderCount)
  for (;;) {
    const pauseMs = -Math.log(1 - random.fraction()) * meanBurstPauseMs
    sim.runFor(Math.min(pauseMs, untilMs - sim.nowMs))
    if (sim.nowMs >= untilMs) return
    for (let left = 1 + random.below(maxBurst); left > 0; left -= 1) {
      const sender = random.pick(random.chance(0.5) ? regulars : world.ours)
      if (sender.isUp) world.broadcast(sender, false)
      if (world.old.length > 0) world.broadcastFromOld(random.pick(world.old))
    }
  }
}

function payloadFrames(world: MeshWorld): number {
  const { own, relay } = world.sim.counters.frames
  return own + relay
}

function ourCopies(world: MeshWorld): number {
  return world.ours.reduce(
    (sum, node) => sum + (world.machine(node)?.counters()['copiesSent'] ?? 0),
    0,
  )
}

function summarise(run: {
  readonly world: MeshWorld
  readonly seed: number
  readonly measured: Measurement
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly counts: ReadonlyMap<string, number>
  readonly broken: SimulationError | undefined
}): RunResult {
  const { world, seed, measured, faults, counts, broken } = run
  const { sim, ledger, complaints } = world
  const totals = ledger.totals()
  const p99Ms = percentile(measured.timesMs, 0.99)
  const floodP99Ms = percentile(measured.floodMs, 0.99)
  const oldDrops: Record<string, number> = {}
  for (const { cause } of complaints) oldDrops[cause] = (oldDrops[cause] ?? 0) + 1
  return {
    seed,
    nodes: sim.nodes.length,
    delivered: totals.delivered,
    expected: totals.expected,
    duplicates: totals.duplicates,
    lost: totals.lost,
    copies: measured.copies,
    copyDeliveries: measured.deliveries,
    p99RatioToFlooding:
      p99Ms === undefined || floodP99Ms === undefined ? undefined : p99Ms / floodP99Ms,
    p50Ms: percentile(measured.timesMs, 0.5),
    p99Ms,
    hopsMean: mean(measured.hops),
    faults,
    oldDrops,
    counts,
    checks: sim.checks,
    traceHash: sim.traceHash(),
    simMs: sim.nowMs,
    events: sim.counters.inputs,
    broken: broken && { invariant: broken.invariant, message: broken.message },
  }
}

function mean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
