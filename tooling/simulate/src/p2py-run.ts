/**
 * One simulated p2py network from the first node to the verdict:
 *
 *   join      nodes come in, faster than they can be let in one after the other
 *   talk      everybody sends to random UUIDs in a calm network: all of it has to arrive
 *   change    a fifth leaves or crashes, others join, and everybody goes on talking,
 *             also to those who are gone and to UUIDs that never were
 *   settle    after a while everybody knows who is there, and all messages arrive again
 */
import { SimulationError, percentile } from '@p2p/base/sim'
import type { SeededRandom } from '@p2p/base/sim'
import type { SimOptions } from './options.ts'
import { tellProgress } from './progress.ts'
import { p2pyInvariants } from './p2py-invariants.ts'
import { P2pyWorld } from './p2py-world.ts'
import type { Departure, Member } from './p2py-world.ts'
import type { RunResult } from './run-result.ts'

const joinSpacingMs = 250
/** Until the last one is in: each takes a few round trips, and one that was refused asks again. */
const joinLimitMs = 1_000
const minJoinLimitMs = 120_000
/** For links to those who came last, and the news of them. */
const calmMs = 20_000
const sendSpacingMs = 5
const drainMs = 40_000
const departingShare = 0.2
const joiningShare = 0.1
const changeSpacingMs = 300
const messagesPerChange = 4
/** A departed neighbour is dialled twice, and missing links are looked for every 15 s, four at a time. */
const settleMs = 180_000
const departures: readonly Departure[] = ['leave', 'crash']

export function runP2py(options: SimOptions, seed: number, transcriptLength: number): RunResult {
  const world = new P2pyWorld({ seed, transcriptLength })
  tellProgress(world.sim, seed)
  for (const invariant of p2pyInvariants(world)) world.sim.addInvariant(invariant)
  const random = world.sim.random.fork('course')
  const count = nodeCount(options, seed)
  let broken: SimulationError | undefined
  try {
    joinAll(world, count)
    world.sim.checkAtRest()
    talk(world, options.messages, random)
    world.sim.checkAtRest()
    change(world, count, random)
    world.sim.checkAtRest()
    talk(world, options.messages, random)
    world.sim.checkAtRest()
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    broken = error
  }
  return summarise(world, seed, broken)
}

function nodeCount({ minNodes, maxNodes }: SimOptions, seed: number): number {
  const spread = ((seed * 2_654_435_761) % 0x1_0000_0000) / 0x1_0000_0000
  return minNodes + Math.floor(spread * (maxNodes - minNodes + 1))
}

function joinAll(world: P2pyWorld, count: number): void {
  const { sim } = world
  for (let index = 0; index < count; index += 1) {
    world.add()
    sim.runFor(joinSpacingMs)
  }
  waitForJoins(world, count)
  sim.runFor(calmMs)
}

function waitForJoins(world: P2pyWorld, count: number): void {
  const isOver = (): boolean => world.living.every(({ uuid }) => uuid !== null)
  const limitMs = Math.max(minJoinLimitMs, count * joinLimitMs)
  const untilMs = world.sim.nowMs + limitMs
  // Asking all nodes after every event would cost more than the events.
  while (!isOver() && world.sim.nowMs < untilMs) world.sim.runFor(joinSpacingMs)
}

function talk(world: P2pyWorld, perNode: number, random: SeededRandom): void {
  const { living, sim } = world
  for (let round = 0; round < perNode; round += 1) {
    for (const from of random.shuffle(living)) {
      const to = random.pick(living)
      if (to === from || to.uuid === null) continue
      world.send(from, to.uuid, true)
      sim.runFor(sendSpacingMs)
    }
  }
  sim.runFor(drainMs)
}

/** Departures and joins in random order, with messages to anybody in between. */
function change(world: P2pyWorld, count: number, random: SeededRandom): void {
  const { sim } = world
  const leaving = random.shuffle(world.living).slice(0, Math.floor(count * departingShare))
  const joining = Math.floor(count * joiningShare)
  const steps: readonly (Member | undefined)[] = random.shuffle([
    ...leaving,
    ...Array.from({ length: joining }, () => undefined),
  ])
  /** Those who were there at the start, those gone, those who come, and some who never were. */
  const uuidLimit = Math.ceil(count * 1.05)
  steps.forEach((member, index) => {
    if (member === undefined) world.add()
    else world.end(member, departures[index % departures.length] ?? 'leave')
    const joined = world.living.filter(({ uuid }) => uuid !== null)
    for (let sent = 0; sent < messagesPerChange; sent += 1) {
      const from = random.pick(joined)
      const uuid = random.below(uuidLimit)
      if (uuid !== from.uuid) world.send(from, uuid, false)
    }
    sim.runFor(changeSpacingMs)
  })
  waitForJoins(world, joining)
  sim.runFor(settleMs)
}

function summarise(world: P2pyWorld, seed: number, broken: SimulationError | undefined): RunResult {
  const { sim, ledger, members, living } = world
  const { timesMs, failures } = ledger
  const named = (kind: string, counts: ReadonlyMap<string, number>): [string, number][] =>
    [...counts].map(([code, count]) => [`${kind} ${code}`, count])
  const totalJoins = members.reduce((sum, { joins }) => sum + joins, 0)
  return {
    seed,
    nodes: members.length,
    ...ledger.totals,
    copies: 0,
    copyDeliveries: 0,
    p99RatioToFlooding: undefined,
    p50Ms: percentile([...timesMs], 0.5),
    p99Ms: percentile([...timesMs], 0.99),
    hopsMean: undefined,
    faults: new Map(),
    oldDrops: {},
    counts: new Map([
      ['joins', totalJoins],
      ['left', members.length - living.length],
      ...named('join refused', world.refusedJoins),
      ...named('message failed', failures),
    ]),
    checks: sim.checks,
    traceHash: sim.traceHash(),
    simMs: sim.nowMs,
    events: sim.counters.inputs,
    broken: broken && { invariant: broken.invariant, message: broken.message },
  }
}
