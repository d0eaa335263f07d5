import { expect, test } from '@jest/globals'
import { runMesh } from '../src/mesh-run.ts'
import { runStorm } from '../src/mesh-storm.ts'
import { MeshWorld } from '../src/mesh-world.ts'
import { parseOptions } from '../src/options.ts'
import type { RunResult } from '../src/run-result.ts'

function run(text: string): RunResult {
  const options = parseOptions(text.split(' '))
  if (options === 'help') throw new Error('not a run')
  return runMesh(options, 1, 0)
}

test('after a crash of half of the nodes the next messages reach all survivors', () => {
  const { broken, counts } = run('--nodes 40 --broadcasts 4 --storm crash:0.5')
  expect(broken).toBeUndefined()
  expect(counts.get('owed to survivors')).toBe(4 * 19)
  expect(counts.get('reached after repair round 3')).toBe(4 * 19)
})

test('while a tenth of the nodes is replaced each second, those that stay hear everything', () => {
  const { broken, counts } = run('--nodes 40 --broadcasts 4 --storm churn:0.1')
  expect(broken).toBeUndefined()
  expect(counts.get('owed to those who stayed')).toBeGreaterThan(30 * 4)
})

test('nodes that pass nothing on keep no message from the honest ones', () => {
  const { broken, counts } = run('--nodes 40 --broadcasts 4 --storm liars:0.4')
  expect(broken).toBeUndefined()
  expect(counts.get('owed to honest nodes')).toBe(20 * 23)
})

test('survivors that nothing can reach break the invariant', () => {
  const world = new MeshWorld({
    seed: 1,
    nodeCount: 20,
    oldShare: 0,
    dissemination: 'tree',
    transcriptLength: 0,
  })
  world.join()
  world.sim.runFor(30_000)
  world.sim.partition([world.ours.slice(0, 10), world.ours.slice(10)])
  expect(() => runStorm(world, { kind: 'crash', share: 0.2 }, 1)).toThrow(
    'those-who-stayed-hear-it',
  )
})

test('jumping clocks and breaking links neither lose nor repeat a message', () => {
  const { broken, counts } = run('--nodes 16 --broadcasts 40 --hostile 1 --storm unrest')
  expect(broken).toBeUndefined()
  expect(counts.get('owed in unrest')).toBe(40 * 15)
  expect(counts.get('lost in unrest')).toBe(0)
})

test('a storm that nobody knows is refused by name', () => {
  expect(() => run('--storm hail')).toThrow('unknown storm "hail"')
  expect(() => run('--storm crash:2')).toThrow('--storm must be a number from 0 to 0.95')
})
