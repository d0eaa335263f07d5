import { expect, test } from '@jest/globals'
import { encodeBase58Integer } from '@p2p/serializer'
import { measureSurvival } from '../scripts/placement-survival.mjs'
import type { Survival } from '../scripts/placement-survival.mjs'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'

const measure = (replicas: number): Survival =>
  measureSurvival(
    { StoringNodes, encodeBase58Integer },
    { nodeCount: 1_000, keyCount: 4_000, replicas, deadShare: 0.5, seed: 1 },
  )

// Expected by the binomial formula: with one copy per table 3.1 % lost and 50 % without a majority.
test('one copy per table does not survive the death of half of the nodes', () => {
  const { lost, withoutMajority } = measure(1)
  expect(lost).toBeGreaterThan(60)
  expect(withoutMajority).toBeGreaterThan(1_600)
})

test('five holders per table lose no key when half of the nodes die at once', () => {
  const { lost, withoutMajority } = measure(5)
  expect(lost).toBe(0)
  expect(withoutMajority).toBeLessThan(10)
})
