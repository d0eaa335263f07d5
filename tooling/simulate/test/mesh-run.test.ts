import { expect, test } from '@jest/globals'
import { SimulationError, allFaultKinds } from '@p2p/base/sim'
import type { HostedNode } from '@p2p/base/sim'
import { meshInvariants } from '../src/mesh-invariants.ts'
import { runMesh } from '../src/mesh-run.ts'
import { MeshWorld } from '../src/mesh-world.ts'
import type { OurNode } from '../src/mesh-world.ts'
import { parseOptions } from '../src/options.ts'
import type { SimOptions } from '../src/options.ts'
import { summarise } from '../src/summary.ts'

function options(text: string): SimOptions {
  const parsed = parseOptions(text.split(' '))
  if (parsed === 'help') throw new Error('not a run')
  return parsed
}

/** A settled network with all invariants, ready to be broken. */
function settled(oldShare = 0): MeshWorld {
  const world = new MeshWorld({
    seed: 1,
    nodeCount: 12,
    oldShare,
    dissemination: 'tree',
    transcriptLength: 5,
  })
  for (const invariant of meshInvariants(world)) world.sim.addInvariant(invariant)
  world.join()
  world.sim.runFor(30_000)
  world.sim.checkAtRest()
  return world
}

const someNode = (world: MeshWorld, index: number): OurNode => {
  const node = world.ours[index]
  if (node === undefined) throw new Error('no such node')
  return node
}

test('in a calm mesh every broadcast reaches everyone once, with one copy each, as fast as a flood', () => {
  const calm = options('--nodes 16 --broadcasts 8')
  const result = runMesh(calm, 1, 0)
  expect(result.broken).toBeUndefined()
  expect(result).toMatchObject({ nodes: 16, delivered: 8 * 15, duplicates: 0, lost: 0 })
  const summary = summarise([result], calm, {
    wallSeconds: 1,
    cpuSeconds: 1,
    repeatedHashes: 0,
    broken: [],
  })
  expect(summary.copiesPerDelivery).toBeLessThan(1.1)
  expect(summary.p99RatioToFlooding).toBeLessThan(1.5)
  expect(runMesh(calm, 1, 0).traceHash).toBe(result.traceHash)
  expect(runMesh(calm, 2, 0).traceHash).not.toBe(result.traceHash)
})

test('a mesh with old peers and all faults keeps every invariant and recovers', () => {
  const faulty = options('--nodes 10 --old 0.4 --faults all --minutes 1 --broadcasts 4')
  const result = runMesh({ ...faulty, faults: allFaultKinds }, 1, 40)
  expect(result.broken?.message).toBeUndefined()
  expect([...result.faults.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(3)
  for (const [name, checks] of result.checks) expect([name, checks > 0]).toEqual([name, true])
})

test('among old peers it is counted what our nodes send, apart from the floods of the others', () => {
  const { copies, counts } = runMesh(options('--nodes 12 --old 0.5 --broadcasts 4'), 1, 0)
  expect(counts.get('messages at ours')).toBe(4 * 8)
  const sent = counts.get('copies that ours sent') ?? 0
  expect(sent).toBeGreaterThan(4)
  expect(sent).toBeLessThan(copies / 2)
})

test.each([
  [0.5, 1.1],
  [0.9, 1.7],
])(
  'where %d of the nodes are old, ours send %d copies of each message at most, and it comes to all',
  (old, maxCopies) => {
    const run = options(`--nodes 60 --old ${old} --broadcasts 8 --max-copies ${maxCopies}`)
    const { broken, counts } = runMesh(run, 1, 0)
    expect(broken?.message).toBeUndefined()
    expect(counts.get('messages that old peers lack')).toBe(0)
  },
)

test('more copies than allowed beside old peers break few-copies-beside-old-peers', () => {
  const run = options('--nodes 8 --old 0.5 --broadcasts 4 --max-copies 0.1')
  expect(runMesh(run, 1, 0).broken?.invariant).toBe('few-copies-beside-old-peers')
})

test('a node that cannot be reached breaks broadcast-reaches-all, with seed and transcript', () => {
  const world = settled()
  world.sim.isolate(someNode(world, 3))
  world.broadcast(someNode(world, 0))
  world.sim.runFor(5_000)
  const check = (): void => world.sim.checkAtRest()
  expect(check).toThrow(SimulationError)
  expect(check).toThrow(/"broadcast-reaches-all" broken at n3, seed 1/)
})

test('a node that lost all its peers breaks everyone-has-peers', () => {
  const world = settled()
  world.sim.isolate(someNode(world, 3))
  world.sim.runFor(120_000)
  expect(() => world.sim.checkAtRest()).toThrow(/everyone-has-peers.*n3/)
})

test('a peer that knows nothing of a link breaks peer-tables-agree until it is noticed', () => {
  const world = settled()
  const node = someNode(world, 3)
  node.crash({ silent: true })
  world.sim.runFor(100)
  node.restart()
  expect(() => world.sim.checkAtRest()).toThrow(/peer-tables-agree/)
  world.sim.runFor(120_000)
  world.sim.checkAtRest()
})

test('a stranger under the id of a node that is down does not break peer-tables-agree', () => {
  const world = settled()
  const victim = someNode(world, 3)
  const id = world.machine(victim)?.id ?? ''
  victim.crash()
  world.sim.runFor(60_000)
  world.addHostile(2)
  const isPosed = (): boolean => world.ours.some((node) => world.machine(node)?.peers.has(id))
  expect(world.sim.runUntil(isPosed, 600_000)).toBe(true)
  world.sim.checkAtRest()
})

test('a second delivery breaks delivered-at-most-once', () => {
  const world = settled()
  world.broadcast(someNode(world, 0))
  world.sim.runFor(2_000)
  world.ledger.delivered('m1', someNode(world, 1))
  expect(() => world.sim.runFor(60_000)).toThrow(/delivered-at-most-once/)
})

test('an old peer that drops one of our links breaks old-peers-can-read-us', () => {
  const world = settled(0.3)
  const [by] = world.old
  if (by === undefined) throw new Error('no old peer')
  const complaint = { by, against: someNode(world, 0) }
  world.complaints.push({ ...complaint, cause: 'peers-lists-of-two' })
  world.sim.runFor(60_000)
  world.complaints.push({ ...complaint, cause: 'unreadable' })
  expect(() => world.sim.runFor(60_000)).toThrow(/old-peers-can-read-us/)
})

test('more links than the limits allow break tables-within-caps', () => {
  const world = settled()
  const caps = meshInvariants(world).find(({ name }) => name === 'tables-within-caps')
  const crowded = { links: new Map(Array.from({ length: 1_000 }, (_, link) => [link, {}])) }
  const answers = Array.from({ length: 64 }, () =>
    caps?.afterTurn?.(crowded as unknown as HostedNode, world.sim),
  )
  expect(answers.at(-1)).toBe('1000 links')
})
