/**
 * One simulated hash table network from the first node to the verdict:
 *
 *   join       nodes come in and store
 *   write      every key is written and acknowledged
 *   balance    nodes move until the load is shared evenly; meanwhile keys are read and written
 *   crash      half of all nodes die at once: every key is read at once by survivors; a minute later the
 *              owners hold what old readers need
 *   churn      nodes leave, crash and come, at sessions of the wanted mean, while keys are read and written
 *   partition  two sides go on alone, write, and come together again: nothing acknowledged is lost
 */
import { SimulationError, percentile } from '@p2p/base/sim'
import type { SeededRandom } from '@p2p/base/sim'
import { chordInvariants } from './chord-invariants.ts'
import { ChordWorld } from './chord-world.ts'
import type { Member, ReadCounts } from './chord-world.ts'
import type { SimOptions } from './options.ts'
import { tellProgress } from './progress.ts'
import type { RunResult } from './run-result.ts'

/** More than 1.7 times the mean is too much for one node, after this time without coming and going. */
const mostLoad = 1.7
const balanceMs = 600_000
const lookAtLoadEveryMs = 5_000
const firstAloneMs = 200
const joinDelayMs = 2_000
const settleMs = 20_000
/**
 * In a ring of so many nodes two in a hundred hear of a newcomer at the next comparison only, within a minute;
 * and whom they compare with may not have heard either.
 */
const largeRing = 128
const settleLargeRingMs = 120_000
const writeSpacingMs = 20
const drainMs = 12_000
const crashedShare = 0.5
/** Within this time the owners hold again what is needed to read without replicas. */
const oneRepairMs = 60_000
const partitionMs = 90_000
const healMs = 60_000
/** In churn, a read of some key every so often, and a write of one. */
const readEveryMs = 1_000
const writeEveryMs = 10_000

export function runChord(options: SimOptions, seed: number, transcriptLength: number): RunResult {
  const world = new ChordWorld({
    seed,
    transcriptLength,
    repairMs: options.repairSeconds * 1_000,
    heartbeatIntervalMs: options.heartbeatSeconds * 1_000,
  })
  for (const invariant of chordInvariants(world)) world.sim.addInvariant(invariant)
  tellProgress(world.sim, seed)
  const course = new Course(world, options, seed)
  let broken: SimulationError | undefined
  try {
    course.run()
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    broken = error
  }
  return summarise(course, seed, broken)
}

const noReads = (): ReadCounts => ({ right: 0, wrong: 0, unreadable: 0 })

class Course {
  readonly world: ChordWorld
  readonly #options: SimOptions
  readonly #random: SeededRandom
  readonly #nodeCount: number
  readonly #keys: readonly string[]
  readonly afterCrash: ReadCounts = noReads()
  readonly inBalance: ReadCounts = noReads()
  readonly inChurn: ReadCounts = noReads()
  loadAtFirst = 0
  loadAtLast = 0
  evenAfterMs = 0
  readonly atRest: ReadCounts = noReads()
  sessions = 0

  constructor(world: ChordWorld, options: SimOptions, seed: number) {
    this.world = world
    this.#options = options
    this.#random = world.sim.random.fork('course')
    const spread = ((seed * 2_654_435_761) % 0x1_0000_0000) / 0x1_0000_0000
    const { minNodes, maxNodes } = options
    this.#nodeCount = minNodes + Math.floor(spread * (maxNodes - minNodes + 1))
    this.#keys = Array.from({ length: options.keys }, (_, index) => `key ${index}`)
  }

  run(): void {
    const { sim } = this.world
    this.#joinAll()
    this.#writeAll(this.#keys, () => this.#anybody())
    this.#readAll(this.atRest)
    sim.checkAtRest()
    const { phases, faultMinutes } = this.#options
    if (phases.includes('balance')) this.#balance()
    if (phases.includes('crash')) this.#crashHalf()
    if (phases.includes('churn') && faultMinutes > 0) this.#churn()
    if (phases.includes('partition')) this.#partition()
  }

  #joinAll(): void {
    const { sim } = this.world
    for (let index = 0; index < this.#nodeCount; index += 1) {
      this.#addStoring()
      // Others that come at once all find the first one.
      const leastMs = index === 0 ? firstAloneMs : 0
      sim.runFor(Math.max(leastMs, this.#options.spacingMs))
    }
    sim.runFor(joinDelayMs)
    this.#settle(settleMs)
  }

  /** Until all know who stores. */
  #settle(leastMs: number): void {
    const isLarge = this.world.size >= largeRing
    this.world.sim.runFor(isLarge ? Math.max(leastMs, settleLargeRingMs) : leastMs)
  }

  #addStoring(): void {
    const isFirst = this.world.size === 0
    const member = this.world.add()
    const join = (): void => {
      if (!member.node.isUp) return
      if (isFirst || member.machine.peers.size > 0) {
        this.world.join(member)
        return
      }
      // Its application opens it anew, as it would a node that reached nobody.
      this.world.connectAgain(member)
      this.world.sim.after(joinDelayMs, join)
    }
    this.world.sim.after(joinDelayMs, join)
  }

  #anybody(): Member {
    return this.#random.pick(this.world.connected)
  }

  #writeAll(keys: readonly string[], writer: () => Member): void {
    const { sim } = this.world
    for (const key of keys) {
      this.world.write(writer(), key)
      sim.runFor(writeSpacingMs)
    }
    sim.runFor(drainMs)
  }

  #readAll(counts: ReadCounts): void {
    for (const key of this.world.expected.keys()) this.world.read(this.#anybody(), key, counts)
    this.world.sim.runFor(drainMs)
    this.#checkReads(counts)
  }

  #checkReads(counts: ReadCounts): void {
    if (counts.unreadable + counts.wrong > 0)
      this.world.sim.fail('acknowledged-keys-are-readable', JSON.stringify(counts))
  }

  /** Until it is even, and for a minute more, in which it stays so. */
  #balance(): void {
    const { sim } = this.world
    const startMs = sim.nowMs
    this.loadAtFirst = this.world.mostToMean()
    let untilMs = startMs + balanceMs
    this.#useTable(() => sim.nowMs < untilMs, this.inBalance)
    while (this.world.mostToMean() > mostLoad && sim.nowMs < untilMs) sim.runFor(lookAtLoadEveryMs)
    this.evenAfterMs = sim.nowMs - startMs
    untilMs = sim.nowMs + oneRepairMs
    sim.runFor(oneRepairMs)
    this.loadAtLast = this.world.mostToMean()
    if (this.loadAtLast > mostLoad)
      sim.fail('load-is-even', `the fullest holds ${this.loadAtLast} times the mean`)
    sim.runFor(drainMs)
    this.#checkReads(this.inBalance)
    sim.checkAtRest()
    this.#readAll(this.atRest)
  }

  /** Reads some key, and seldom writes one, as long as it is wanted. */
  #useTable(isWanted: () => boolean, counts: ReadCounts): void {
    this.#each(readEveryMs, isWanted, () => {
      this.world.read(this.#anybody(), this.#random.pick(this.#keys), counts)
    })
    this.#each(writeEveryMs, isWanted, () => {
      this.world.write(this.#anybody(), this.#random.pick(this.#keys))
    })
  }

  #each(everyMs: number, isWanted: () => boolean, what: () => void): void {
    const again = (): void => {
      if (!isWanted()) return
      what()
      this.world.sim.after(everyMs, again)
    }
    this.world.sim.after(everyMs, again)
  }

  #crashHalf(): void {
    const { sim, living } = this.world
    const dying = this.#random.shuffle(living).slice(0, Math.floor(living.length * crashedShare))
    for (const member of dying) this.world.crash(member)
    this.#readAll(this.afterCrash)
    sim.runFor(oneRepairMs - drainMs)
    sim.checkAtRest()
    this.#readAll(this.atRest)
  }

  /** Exponential sessions around the mean; the number of nodes stays about what it was. */
  #churn(): void {
    const { sim } = this.world
    const untilMs = sim.nowMs + this.#options.faultMinutes * 60_000
    const meanMs = (this.#options.sessionMinutes * 60_000) / this.world.living.length
    const end = (): void => {
      if (sim.nowMs >= untilMs) return
      this.sessions += 1
      const gone = this.#random.pick(this.world.storing)
      if (this.#random.chance(0.5)) this.world.crash(gone)
      else this.world.leave(gone)
      this.#addStoring()
      sim.after(-Math.log(1 - this.#random.fraction()) * meanMs, end)
    }
    sim.after(-Math.log(1 - this.#random.fraction()) * meanMs, end)
    this.#useTable(() => sim.nowMs < untilMs, this.inChurn)
    sim.runFor(untilMs - sim.nowMs)
    this.loadAtLast = this.world.mostToMean()
    this.#settle(oneRepairMs)
    this.#checkReads(this.inChurn)
    sim.checkAtRest()
    this.#readAll(this.atRest)
  }

  #partition(): void {
    const { sim } = this.world
    const living = this.#random.shuffle(this.world.living)
    const cut = Math.max(1, Math.floor(living.length * (0.2 + 0.6 * this.#random.fraction())))
    const sides = [living.slice(0, cut), living.slice(cut)]
    sides.forEach((members, side) => {
      for (const member of members) member.side = side
    })
    const partition = sim.partition(sides.map((members) => members.map(({ node }) => node)))
    sim.runFor(partitionMs / 2)
    for (const [side, members] of sides.entries()) {
      const own = this.#keys.slice(0, 20).map((key) => `${key} of side ${side}`)
      // One side changes keys of everybody; the other has them as they were.
      const shared = side === 0 ? this.#keys.slice(0, 20) : []
      this.#writeAll([...own, ...shared], () => this.#random.pick(members))
    }
    sim.runFor(partitionMs / 2)
    partition.heal()
    sim.runFor(healMs)
    for (const member of living) member.side = 0
    this.world.isRingChanged = true
    sim.runFor(oneRepairMs)
    sim.checkAtRest()
    this.#readAll(this.atRest)
  }
}

const hundredths = (number: number): number => Math.round(number * 100)

function summarise(course: Course, seed: number, broken: SimulationError | undefined): RunResult {
  const { world, afterCrash, inBalance, inChurn, atRest, sessions } = course
  const { sim } = world
  const reads = [afterCrash, inBalance, inChurn, atRest]
  const sumOf = (pick: (counts: ReadCounts) => number): number =>
    reads.reduce((sum, counts) => sum + pick(counts), 0)
  return {
    seed,
    nodes: world.nodeCount,
    delivered: sumOf(({ right }) => right),
    expected: sumOf(({ right, wrong, unreadable }) => right + wrong + unreadable),
    duplicates: 0,
    lost: atRest.unreadable + atRest.wrong,
    copies: 0,
    copyDeliveries: 0,
    p99RatioToFlooding: undefined,
    p50Ms: percentile(world.readTimesMs, 0.5),
    p99Ms: percentile(world.readTimesMs, 0.99),
    hopsMean: undefined,
    faults: new Map(),
    oldDrops: {},
    counts: new Map([
      ['keys', world.expected.size],
      ['writes acknowledged', world.acknowledgedWrites],
      ['writes failed', world.failedWrites],
      ['nodes that chose their place', world.placed],
      ['unreadable while nodes moved', inBalance.unreadable],
      ['wrong while nodes moved', inBalance.wrong],
      ['reads after the crash', afterCrash.right + afterCrash.wrong + afterCrash.unreadable],
      ['unreadable after the crash', afterCrash.unreadable],
      ['wrong after the crash', afterCrash.wrong],
      ['reads in churn', inChurn.right + inChurn.wrong + inChurn.unreadable],
      ['unreadable in churn', inChurn.unreadable],
      ['wrong in churn', inChurn.wrong],
      ['sessions ended', sessions],
    ]),
    peaks: new Map([
      ['load of the fullest to the mean at first, in hundredths', hundredths(course.loadAtFirst)],
      ['load of the fullest to the mean at last, in hundredths', hundredths(course.loadAtLast)],
      ['milliseconds until it was even', course.evenAfterMs],
    ]),
    checks: sim.checks,
    traceHash: sim.traceHash(),
    simMs: sim.nowMs,
    events: sim.counters.inputs,
    broken: broken && { invariant: broken.invariant, message: broken.message },
  }
}
