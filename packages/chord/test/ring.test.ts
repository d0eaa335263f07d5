import { expect, test } from '@jest/globals'
import { clockwiseDistance, nodePosition, ringSize, toPosition } from '../src/protocol/ring.ts'
import { recordedCases } from './vectors/recorded.ts'

/** Without those recorded on a toy ring of another size: ours has one size. */
const distances = recordedCases('distance').filter(({ limit }) => limit === undefined)

/** Some recorded operands are negative, which BigInt does not read from hexadecimal text. */
const integer = (hex: string): bigint => (hex.startsWith('-') ? -BigInt(hex.slice(1)) : BigInt(hex))

test('distances are those that py2p and js2p compute', () => {
  expect(distances.length).toBeGreaterThan(50)
  for (const { a, b, distance } of distances) {
    const measured = clockwiseDistance({ from: toPosition(integer(a)), to: toPosition(integer(b)) })
    expect(measured).toBe(integer(distance))
  }
})

test('the way there and the way back make one round', () => {
  const [from, to] = [5n, ringSize - 3n]
  const there = clockwiseDistance({ from, to })
  const back = clockwiseDistance({ from: to, to: from })
  expect(there + back).toBe(ringSize)
})

test('an id that is no base58 integer has no place', () => {
  expect(nodePosition('0OIl')).toBeUndefined()
  expect(nodePosition('')).toBeUndefined()
  expect(nodePosition('z'.repeat(89))).toBeUndefined()
  expect(nodePosition('21')).toBe(58n)
})
