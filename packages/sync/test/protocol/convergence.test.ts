/**
 * The promise of this package, over many seeds: whatever happens, all nodes end up with the same
 * dictionary, and no acknowledged write disappears without somebody being told.
 *
 * `SEEDS=10000` runs as many; `SEED=n` runs one.
 */
import { expect, test } from '@jest/globals'
import { runStorm } from './storm.ts'
import type { Storm } from './storm.ts'

const only = process.env['SEED']
const count = only === undefined ? Number(process.env['SEEDS'] ?? 120) : 1
const first = only === undefined ? 1 : Number(only)

const worst: Omit<Storm, 'seed' | 'leasing'> = {
  nodes: 8,
  partitions: 3,
  writes: 40,
  keys: 3,
  spanSeconds: 7_200,
  partitionSeconds: 1_800,
  maxSkewSeconds: 120,
  restarts: 4,
}

function sweep(storm: Omit<Storm, 'seed'>): { broken: string[]; conflicts: number } {
  const broken: string[] = []
  let conflicts = 0
  for (let seed = first; seed < first + count; seed++) {
    const aftermath = runStorm({ ...storm, seed })
    conflicts += aftermath.conflicts
    if (aftermath.diverged > 0 || aftermath.lostSilently > 0) {
      broken.push(`SEED=${seed}: ${JSON.stringify(aftermath)}`)
    }
  }
  return { broken, conflicts }
}

test.each([true, false])(
  'after partitions, restarts and wrong clocks all nodes agree and no loss is silent, leasing %s',
  (leasing) => {
    const { broken, conflicts } = sweep({ ...worst, leasing })
    expect(broken).toEqual([])
    if (count > 1) expect(conflicts).toBeGreaterThan(0)
  },
)

test('histories of many hours, which are folded while parts of the network are cut off, converge', () => {
  const days = { spanSeconds: 86_400, partitionSeconds: 14_000, writes: 60, leasing: true }
  const diverged: string[] = []
  for (let seed = first; seed < first + count; seed++) {
    const aftermath = runStorm({ ...worst, ...days, seed })
    if (aftermath.diverged > 0) diverged.push(`SEED=${seed}: ${JSON.stringify(aftermath)}`)
  }
  expect(diverged).toEqual([])
})
