import { expect, test } from '@jest/globals'
import { SimulationError, allFaultKinds } from '@p2p/base/sim'
import { parseOptions } from '../src/options.ts'
import type { SimOptions } from '../src/options.ts'
import { summarise } from '../src/summary.ts'
import { runSync } from '../src/sync-run.ts'
import { SyncWorld, syncInvariants, valueText } from '../src/sync-world.ts'
import { textToByteText } from '@p2p/sync'

function options(text: string): SimOptions {
  const parsed = parseOptions(text.split(' '))
  if (parsed === 'help') throw new Error('not a run')
  return parsed
}

test.each([1, 2])(
  'a dictionary through all faults is the same everywhere, seed %i twice the same',
  (seed) => {
    const faulty = options('--type sync --nodes 8 --faults all --minutes 1')
    const result = runSync(faulty, seed, 20)
    expect(result.broken?.message).toBeUndefined()
    expect(result.counts.get('diverged')).toBe(0)
    expect(result.counts.get('writes')).toBeGreaterThan(8 * 20)
    for (const [name, checks] of result.checks) expect([name, checks > 0]).toEqual([name, true])
    expect([...result.faults.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(1)
    expect(runSync(faulty, seed, 0).traceHash).toBe(result.traceHash)
    const extra = { wallSeconds: 1, cpuSeconds: 1, repeatedHashes: 0, broken: [] }
    expect(summarise([result], faulty, extra)).toMatchObject({ type: 'sync', diverged: 0 })
  },
)

function settled(): SyncWorld {
  const world = new SyncWorld({
    seed: 1,
    nodeCount: 6,
    leasing: true,
    dissemination: 'tree',
    transcriptLength: 5,
  })
  for (const invariant of syncInvariants(world)) world.sim.addInvariant(invariant)
  world.join()
  world.sim.runFor(30_000)
  world.sim.checkAtRest()
  return world
}

test('nodes that hold different things break all-equal-after-healing', () => {
  const world = settled()
  const [first, second] = world.nodes
  if (first === undefined || second === undefined) throw new Error('no nodes')
  world.sim.isolate(second)
  world.write(first, 'key', { kind: 'set', value: 1 })
  world.sim.runFor(5_000)
  const check = (): void => world.sim.checkAtRest()
  expect(check).toThrow(SimulationError)
  expect(check).toThrow(/"all-equal-after-healing" broken.*2 different dictionaries \(5, 1\)/)
})

test('a value that is nowhere breaks calm-writes-are-everywhere', () => {
  const world = settled()
  world.calmValues.set(textToByteText('never written'), valueText(1))
  expect(() => world.sim.checkAtRest()).toThrow(/calm-writes-are-everywhere.*never written/)
})

test('a sync network has neither old nor hostile peers yet, and says so', () => {
  expect(() => options('--type sync --old 0.3')).toThrow('no meaning with --type sync')
  expect(() => options('--type chords')).toThrow('unknown type')
  expect(options('--type sync --faults all').faults).toEqual(allFaultKinds)
})
