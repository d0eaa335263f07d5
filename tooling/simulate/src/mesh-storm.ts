/**
 * What happens to a settled mesh at a stroke, and how many of those that stayed still hear everything:
 *
 *   crash   a share of the nodes dies at once, every second of them without a word; the next message
 *           of each sender must reach the survivors, at once nearly all, all after three repair rounds
 *   churn   every second a share of the nodes is replaced by new ones, for half a minute
 *   liars   a share of the nodes, from the beginning, takes messages and announces them, and passes
 *           nothing on
 *   unrest  clocks jump and links break all the time; every message reaches everyone, once
 *
 * The thresholds are goals G5 to G7 of the research notes: a flood over the same links does worse.
 */
import { startFaults } from '@p2p/base/sim'
import type { HostedNode } from '@p2p/base/sim'
import type { MeshWorld, OurNode } from './mesh-world.ts'

export const stormKinds = ['crash', 'churn', 'liars', 'unrest'] as const

export interface Storm {
  readonly kind: (typeof stormKinds)[number]
  /** Part of the nodes that it hits (per second, for churn). */
  readonly share: number
}

/** A peer that dies without a word is noticed after this long: heartbeat interval and time-out. */
const repairRoundMs = 15_000
const repairRounds = 3
const atOnceMs = 5_000
const churnSeconds = 30
/** Who was up for this long around a message has stayed. */
const stayedMs = 5_000
const clockJumpsAndCutsEveryMs = 1_000
const unrestSpacingMs = 100
const unrestDrainMs = 60_000

/** Names of the figures in the summary. */
type Figures = Map<string, number>

/**
 * Runs one storm. Adds an invariant for what must hold in it; a SimulationError tells that it did not.
 * @param broadcasts messages that are sent during unrest
 */
export function runStorm(world: MeshWorld, storm: Storm, broadcasts: number): Figures {
  world.ledger.excuseAll()
  switch (storm.kind) {
    case 'crash':
      return crash(world, storm.share)
    case 'churn':
      return churn(world, storm.share)
    case 'liars':
      return liars(world)
    case 'unrest':
      return unrest(world, broadcasts)
  }
}

interface Reach {
  readonly owed: number
  readonly reached: number
}

interface Sent {
  readonly key: string
  readonly sender: HostedNode
}

function send(world: MeshWorld, sender: OurNode): Sent {
  return { key: world.broadcast(sender), sender }
}

/** How often the nodes that stayed are owed one of the messages, and how often they have it. */
function reach(world: MeshWorld, sent: readonly Sent[], stayed: readonly HostedNode[]): Reach {
  let owed = 0
  let reached = 0
  for (const { key, sender } of sent) {
    for (const node of stayed) {
      if (node === sender) continue
      owed += 1
      if (world.ledger.hasDelivered(key, node)) reached += 1
    }
  }
  return { owed, reached }
}

function expectReach(
  world: MeshWorld,
  what: string,
  { owed, reached }: Reach,
  least: number,
): void {
  if (owed > 0 && reached / owed >= least) return
  const detail = `${what}: ${reached} of ${owed} have it, expected a share of at least ${least}`
  world.sim.fail('those-who-stayed-hear-it', detail)
}

function crash(world: MeshWorld, share: number): Figures {
  const { sim } = world
  const senders = world.ours.slice(0, 4)
  const victims = sim.random
    .fork('victims')
    .shuffle(world.ours.slice(4))
    .slice(0, Math.round(world.ours.length * share))
  victims.forEach((node, index) => {
    node.crash({ silent: index % 2 === 0 })
  })
  const survivors = world.ours.filter(({ isUp }) => isUp)
  const sent = senders.map((sender) => send(world, sender))
  sim.runFor(atOnceMs)
  const atOnce = reach(world, sent, survivors)
  expectReach(world, 'at once', atOnce, share > 0.5 ? 0.99 : 0.999)
  const figures: Figures = new Map([
    ['owed to survivors', atOnce.owed],
    ['reached at once', atOnce.reached],
  ])
  for (let round = 1; round <= repairRounds; round += 1) {
    sim.runFor(repairRoundMs)
    const repaired = reach(world, sent, survivors)
    figures.set(`reached after repair round ${round}`, repaired.reached)
    if (round === repairRounds) expectReach(world, 'after repair', repaired, 1)
  }
  return figures
}

function churn(world: MeshWorld, sharePerSecond: number): Figures {
  const { sim } = world
  const random = sim.random.fork('churn')
  const senders = world.ours.slice(0, 4)
  const others = world.ours.slice(4)
  const startedMs = new Map<HostedNode, number>()
  const total = { owed: 0, reached: 0 }
  /** Looks at a message when it is old enough. */
  const judge = (message: Sent, sentMs: number): void => {
    const stayed = world.ours.filter(
      (node) => node.isUp && (startedMs.get(node) ?? -Infinity) <= sentMs - stayedMs,
    )
    const counted = reach(world, [message], stayed)
    total.owed += counted.owed
    total.reached += counted.reached
  }
  for (let second = 0; second < churnSeconds; second += 1) {
    const replaced = random.shuffle(others).slice(0, Math.round(others.length * sharePerSecond))
    replaced.forEach((node, index) => {
      sim.after(random.below(1_000), () => {
        node.crash({ silent: index % 2 === 0, keepStore: false })
        node.restart()
        startedMs.set(node, sim.nowMs)
      })
    })
    const message = send(world, pickFrom(senders, second))
    const sentMs = sim.nowMs
    sim.after(stayedMs, () => {
      judge(message, sentMs)
    })
    sim.runFor(1_000)
  }
  sim.runFor(stayedMs)
  expectReach(world, 'during churn', total, 0.9999)
  return new Map([
    ['owed to those who stayed', total.owed],
    ['reached of those who stayed', total.reached],
  ])
}

/** The liars are in the world from the beginning; everybody honest must get everything. */
function liars(world: MeshWorld): Figures {
  const { sim } = world
  const honest = world.ours.filter((node) => !world.isLiar(node))
  const sent: Sent[] = []
  for (let count = 0; count < 20; count += 1) {
    sent.push(send(world, pickFrom(honest, count)))
    sim.runFor(500)
  }
  sim.runFor(10_000)
  const all = reach(world, sent, honest)
  expectReach(world, 'honest nodes', all, 1)
  return new Map([
    ['owed to honest nodes', all.owed],
    ['reached of honest nodes', all.reached],
  ])
}

function unrest(world: MeshWorld, broadcasts: number): Figures {
  const { sim, ledger } = world
  const untilMs = sim.nowMs + broadcasts * unrestSpacingMs
  startFaults(sim, {
    kinds: ['clock-jump', 'link-loss'],
    meanIntervalMs: clockJumpsAndCutsEveryMs,
    minDurationMs: 1,
    maxDurationMs: 1,
    untilMs,
  })
  const random = sim.random.fork('unrest')
  for (let count = 0; count < broadcasts; count += 1) {
    world.broadcast(random.pick(world.ours))
    sim.runFor(unrestSpacingMs)
  }
  sim.runFor(unrestDrainMs)
  sim.checkAtRest()
  const { expected, delivered, lost } = ledger.totals()
  return new Map([
    ['owed in unrest', expected],
    ['delivered in unrest', delivered],
    ['lost in unrest', lost],
  ])
}

function pickFrom(nodes: readonly OurNode[], index: number): OurNode {
  const node = nodes[index % nodes.length]
  if (node === undefined) throw new RangeError('a storm needs nodes to send')
  return node
}
