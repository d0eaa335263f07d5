import { expect, test } from '@jest/globals'
import type { Now } from '@p2p/base'
import { Comparisons } from '../../src/protocol/comparisons.ts'

const at = (monoMs: number): Now => ({ monoMs, utcSeconds: 1_500_000_000 + monoMs / 1_000 })

/** A side that knows a lot; what exactly does not matter here. */
function comparisons(): Comparisons {
  const records = function* (): Generator<never, undefined> {
    yield* []
    return undefined
  }
  const index = { keyCount: 1_000, snapshot: () => [], records }
  return new Comparisons(index, (count) => new Uint8Array(count))
}

test('a comparison with a new neighbour waits until writes pause', () => {
  const side = comparisons()
  expect(side.addNeighbour('other', true, at(0))).toEqual([])
  side.noteWrite(at(200))
  expect(side.handleDeadline(at(250))).toEqual([])
  expect(side.nextDeadline()).toBe(400)
  expect(side.handleDeadline(at(400))).toHaveLength(1)
})

test('writes that never pause do not put a comparison off for ever', () => {
  const side = comparisons()
  side.addNeighbour('other', true, at(0))
  let openedMs = 0
  for (let monoMs = 250; openedMs === 0 && monoMs < 60_000; monoMs += 50) {
    side.noteWrite(at(monoMs))
    if (side.handleDeadline(at(monoMs)).length > 0) openedMs = monoMs
  }
  expect(openedMs).toBeGreaterThanOrEqual(5_250)
  expect(openedMs).toBeLessThan(5_500)
})
