import { expect, test } from '@jest/globals'
import { SimulationError } from '@p2p/base/sim'
import { slotsOf } from '@p2p/chord'
import { utf8Encode } from '@p2p/serializer'
import { chordInvariants } from '../src/chord-invariants.ts'
import { runChord } from '../src/chord-run.ts'
import { ChordWorld } from '../src/chord-world.ts'
import { parseOptions } from '../src/options.ts'
import type { SimOptions } from '../src/options.ts'

function options(text: string): SimOptions {
  const parsed = parseOptions(text.split(' '))
  if (parsed === 'help') throw new Error('not a run')
  return parsed
}

test('a hash table loses nothing in a crash, in churn and in a partition', () => {
  const course = '--type chord --nodes 8 --keys 6 --minutes 1 --session 1'
  const result = runChord(options(course), 5, 20)
  expect(result.broken?.message).toBeUndefined()
  expect(result.counts.get('writes failed')).toBe(0)
  expect(result.counts.get('sessions ended')).toBeGreaterThan(0)
  for (const name of ['unreadable', 'wrong']) {
    expect(result.counts.get(`${name} after the crash`)).toBe(0)
    expect(result.counts.get(`${name} in churn`)).toBe(0)
  }
  expect(result.lost).toBe(0)
  for (const [name, checks] of result.checks) expect([name, checks > 0]).toEqual([name, true])
})

test('a key is refilled where the node that does it is the new owner of the slots that were lost', () => {
  const course = '--type chord --nodes 8-12 --keys 10 --minutes 0 --phases crash'
  const result = runChord(options(course), 415, 20)
  expect(result.broken?.message).toBeUndefined()
})

function settled(): ChordWorld {
  const world = new ChordWorld({
    seed: 1,
    transcriptLength: 5,
    repairMs: 3_600_000,
    heartbeatIntervalMs: 10_000,
  })
  for (const invariant of chordInvariants(world)) world.sim.addInvariant(invariant)
  for (let count = 0; count < 6; count += 1) {
    const member = world.add()
    world.sim.runFor(1_000)
    world.join(member)
  }
  world.sim.runFor(10_000)
  const [writer] = world.storing
  if (writer === undefined) throw new Error('nobody stores')
  world.write(writer, 'key')
  world.sim.runFor(5_000)
  world.sim.checkAtRest()
  return world
}

test('a value that three owners lack breaks owners-hold-acknowledged-keys', () => {
  const world = settled()
  for (const slot of slotsOf(utf8Encode('key')).slice(0, 3)) {
    for (const { machine } of world.storing) machine.slots.forget(slot)
  }
  expect(() => {
    world.sim.checkAtRest()
  }).toThrow(SimulationError)
  expect(() => {
    world.sim.checkAtRest()
  }).toThrow('owners-hold-acknowledged-keys')
})

test('a node that knows one too few breaks rings-are-whole', () => {
  const world = settled()
  const [one, other] = world.storing
  if (one === undefined || other === undefined) throw new Error('no nodes')
  one.machine.storingNodes.delete(other.machine.id)
  expect(() => {
    world.sim.checkAtRest()
  }).toThrow('rings-are-whole')
})

test('nodes that each see only themselves break one-ordered-ring', () => {
  const world = settled()
  for (const { machine } of world.storing) {
    for (const { id } of [...machine.storingNodes.values()])
      if (id !== machine.id) machine.storingNodes.delete(id)
  }
  world.isRingChanged = true
  expect(() => {
    world.sim.runFor(30_000)
  }).toThrow('one-ordered-ring')
})
