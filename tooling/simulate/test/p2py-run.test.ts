import { expect, test } from '@jest/globals'
import { parseOptions } from '../src/options.ts'
import type { SimOptions } from '../src/options.ts'
import { p2pyInvariants } from '../src/p2py-invariants.ts'
import { runP2py } from '../src/p2py-run.ts'
import { P2pyWorld } from '../src/p2py-world.ts'
import type { Member } from '../src/p2py-world.ts'
import { summarise } from '../src/summary.ts'

function options(text: string): SimOptions {
  const parsed = parseOptions(['--type', 'p2py', ...text.split(' ')])
  if (parsed === 'help') throw new Error('not a run')
  return parsed
}

/** A settled network with all invariants, ready to be broken. */
function settled(): P2pyWorld {
  const world = new P2pyWorld({ seed: 1, transcriptLength: 5 })
  for (const invariant of p2pyInvariants(world)) world.sim.addInvariant(invariant)
  for (let count = 0; count < 8; count += 1) {
    world.add()
    world.sim.runFor(1_000)
  }
  world.sim.runFor(10_000)
  world.sim.checkAtRest()
  return world
}

function memberAt(world: P2pyWorld, index: number): Member {
  const member = world.members[index]
  if (member === undefined) throw new Error('no such member')
  return member
}

test('nodes join, talk, leave and crash; everybody agrees at the end, and the trace is the same again', () => {
  const run = options('--nodes 24')
  const result = runP2py(run, 1, 40)
  expect(result.broken?.message).toBeUndefined()
  expect(result).toMatchObject({ nodes: 26, duplicates: 0, lost: 0 })
  expect(result.delivered).toBeGreaterThan(80)
  expect(result.counts.get('left')).toBe(4)
  for (const [name, checks] of result.checks) expect([name, checks > 0]).toEqual([name, true])
  expect(runP2py(run, 1, 0).traceHash).toBe(result.traceHash)
  expect(runP2py(run, 2, 0).traceHash).not.toBe(result.traceHash)
  const extra = { wallSeconds: 1, cpuSeconds: 1, repeatedHashes: 0, broken: [] }
  expect(summarise([result], run, extra).counts).toMatchObject({ left: 4 })
})

test('a member that nobody can reach breaks messages-arrive-or-fail, with seed and transcript', () => {
  const world = settled()
  world.sim.isolate(memberAt(world, 3).node)
  world.send(memberAt(world, 0), 3, true)
  world.sim.runFor(20_000)
  expect(() => world.sim.checkAtRest()).toThrow(/"messages-arrive-or-fail.*m1 from n0 to UUID 3/)
})

test('a message to a UUID that never was fails with a reason, which breaks nothing', () => {
  const world = settled()
  world.send(memberAt(world, 0), 77, false)
  world.sim.runFor(20_000)
  world.sim.checkAtRest()
  expect([...world.ledger.failures]).toEqual([['P2P_UUID_UNKNOWN', 1]])
})

test.each([
  [2, /was for UUID 3 and arrived at 2, n2/],
  [3, /m1 arrived twice/],
])('a message that also arrives at UUID %d breaks the rule at once', (uuid, complaint) => {
  const world = settled()
  world.send(memberAt(world, 0), 3, true)
  if (uuid === 3) world.sim.runFor(2_000)
  world.ledger.arrived('m1', memberAt(world, uuid).node, uuid)
  expect(() => world.sim.runFor(60_000)).toThrow(complaint)
})

test('a node that stays outside breaks joins-finish', () => {
  const world = settled()
  const outside = world.add()
  world.sim.isolate(outside.node)
  expect(() => world.sim.checkAtRest()).toThrow(/"joins-finish".*n8 is in no network/)
})

test('a departure that nobody was told of breaks everybody-knows-everybody until it is noticed', () => {
  const world = settled()
  world.end(memberAt(world, 5), 'crash')
  expect(() => world.sim.checkAtRest()).toThrow(/"everybody-knows-everybody".*believes in 5/)
  world.sim.runFor(120_000)
  world.sim.checkAtRest()
})

test('a lost link breaks peer-books-are-whole until it is there again', () => {
  const world = settled()
  const [end] = memberAt(world, 2).node.links.values()
  if (end === undefined) throw new Error('no link')
  end.die(false)
  world.sim.runFor(300)
  expect(() => world.sim.checkAtRest()).toThrow(/"peer-books-are-whole"/)
  world.sim.runFor(60_000)
  world.sim.checkAtRest()
})
