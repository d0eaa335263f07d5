/**
 * One simulated dictionary from the first node to the verdict:
 *
 *   join      nodes come in one by one and find their neighbours
 *   calm      everybody writes keys of its own, many at once: all of them have to be everywhere
 *   faults    the drawn faults, while everybody writes, changes and deletes the same few keys
 *   heal      everything works again; after a while all nodes have to hold the same
 */
import { SimulationError, startFaults } from '@p2p/base/sim'
import type { FaultKind } from '@p2p/base/sim'
import { textToByteText } from '@p2p/sync'
import type { SimOptions } from './options.ts'
import { tellProgress } from './progress.ts'
import type { RunResult } from './run-result.ts'
import { SyncWorld, syncInvariants, valueText } from './sync-world.ts'
import type { Change } from './sync-world.ts'

const settleMs = 40_000
/** Keys that each node writes in the calm, in one turn. */
const calmKeys = 20
const reachMs = 30_000
/** Keys that everybody fights for. */
const contestedKeys = 24
const burstEveryMs = 2_000
const maxBurst = 6
const deleteChance = 0.15
const deltaChance = 0.25
const meanFaultIntervalMs = 10_000
const minFaultMs = 1_000
const maxFaultMs = 60_000
/** Longest redial pause, the time in which a dead link is noticed, and comparisons along the network. */
const healMs = 240_000

export function runSync(options: SimOptions, seed: number, transcriptLength: number): RunResult {
  const world = createWorld(options, seed, transcriptLength)
  tellProgress(world.sim, seed)
  for (const invariant of syncInvariants(world)) world.sim.addInvariant(invariant)
  let faults: ReadonlyMap<FaultKind, number> = new Map()
  let broken: SimulationError | undefined
  try {
    world.join()
    world.sim.runFor(settleMs)
    writeInTheCalm(world)
    world.sim.runFor(reachMs)
    world.sim.checkAtRest()
    if (options.faults.length > 0) faults = breakAndHeal(world, options)
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    broken = error
  }
  return summarise(world, { seed, faults, broken })
}

/** Even seeds lease their keys, odd ones do not: both modes in every series of seeds. */
function createWorld(options: SimOptions, seed: number, transcriptLength: number): SyncWorld {
  const { minNodes, maxNodes, dissemination } = options
  const spread = (seed * 2_654_435_761) % 0x1_0000_0000
  const nodeCount = minNodes + Math.floor((spread / 0x1_0000_0000) * (maxNodes - minNodes + 1))
  return new SyncWorld({
    seed,
    nodeCount,
    leasing: seed % 2 === 0,
    dissemination,
    transcriptLength,
  })
}

function writeInTheCalm(world: SyncWorld): void {
  for (const [index, node] of world.nodes.entries()) {
    for (let number = 0; number < calmKeys; number++) {
      const key = `calm ${index} ${number}`
      const value = `${key} of ${node.name}`
      world.write(node, key, { kind: 'set', value })
      world.calmValues.set(textToByteText(key), valueText(value))
    }
  }
}

function breakAndHeal(world: SyncWorld, options: SimOptions): ReadonlyMap<FaultKind, number> {
  const { sim } = world
  const untilMs = sim.nowMs + options.faultMinutes * 60_000
  const faults = startFaults(sim, {
    kinds: options.faults,
    meanIntervalMs: meanFaultIntervalMs,
    minDurationMs: minFaultMs,
    maxDurationMs: maxFaultMs,
    untilMs,
  })
  const random = sim.random.fork('writes')
  const drawChange = (): Change => {
    if (random.chance(deleteChance)) return { kind: 'delete', value: null }
    const field = { [`field ${random.below(3)}`]: random.below(1_000_000) }
    return random.chance(deltaChance)
      ? { kind: 'delta', value: field }
      : { kind: 'set', value: random.chance(0.5) ? field : random.below(1_000_000) }
  }
  while (sim.nowMs < untilMs) {
    sim.runFor(Math.min(burstEveryMs, untilMs - sim.nowMs))
    const node = random.pick(world.nodes)
    const burst = 1 + random.below(maxBurst)
    for (let count = 0; count < burst; count++) {
      world.write(node, `contested ${random.below(contestedKeys)}`, drawChange())
    }
  }
  sim.runFor(healMs)
  sim.checkAtRest()
  return faults
}

function summarise(
  world: SyncWorld,
  run: {
    readonly seed: number
    readonly faults: ReadonlyMap<FaultKind, number>
    readonly broken: SimulationError | undefined
  },
): RunResult {
  const { sim, counts } = world
  const { seed, faults, broken } = run
  return {
    seed,
    nodes: sim.nodes.length,
    delivered: counts.updates,
    expected: 0,
    duplicates: 0,
    lost: 0,
    copies: 0,
    copyDeliveries: 0,
    p99RatioToFlooding: undefined,
    p50Ms: undefined,
    p99Ms: undefined,
    hopsMean: undefined,
    faults,
    oldDrops: {},
    counts: new Map([...Object.entries(counts), ['diverged', world.digests().size - 1]]),
    checks: sim.checks,
    traceHash: sim.traceHash(),
    simMs: sim.nowMs,
    events: sim.counters.inputs,
    broken: broken && { invariant: broken.invariant, message: broken.message },
  }
}
