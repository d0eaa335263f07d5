/** Where nodes stand, and how they say so. */
import { expect, test } from '@jest/globals'
import type { Value } from '@p2p/serializer'
import { nodePosition, saltedPosition } from '../src/protocol/ring.ts'
import { membersPayload, readRingMessage } from '../src/protocol/ring-messages.ts'
import { RingView } from '../src/protocol/ring-view.ts'

const id = 'b'.repeat(66)
const member = { id, incarnation: 1, state: 'storing', isOld: false, addresses: [] } as const

const saltReadFrom = (record: readonly Value[]): unknown => {
  const message = readRingMessage([0x7060, 0, [[...record]], false])
  return message?.type === 'members' ? message.members[0]?.salt : undefined
}

test('a node without a salt stands at its id, one with a salt where the SHA-384 of both says', () => {
  expect(saltedPosition(id, 0)).toBe(nodePosition(id))
  // echo -n "$id 7" | sha384sum
  const digits =
    '70fc244b0eaf5ab1c3f1b79f0b671a266e53faffd2a6d94736c972240beacc6d4b3970ce6e89cdf92ac874c9b75f0c00'
  expect(saltedPosition(id, 7)).toBe(BigInt(`0x${digits}`))
  expect(saltedPosition('no base58: 0', 7)).toBeUndefined()
})

test('a record that names another salt moves the node, and an older one does not move it back', () => {
  const view = new RingView()
  view.merge(member, 0)
  view.merge({ ...member, incarnation: 2, salt: 7 }, 0)
  expect(view.nodes.get(id)?.position).toBe(saltedPosition(id, 7))
  view.merge(member, 0)
  expect(view.nodes.get(id)?.position).toBe(saltedPosition(id, 7))
  expect(view.nodes.size).toBe(1)
})

test('a view counts its records, and forgets those that are no more after an hour', () => {
  const view = new RingView()
  for (const letter of 'bcd') view.merge({ ...member, id: letter.repeat(66) }, 0)
  view.merge({ ...member, incarnation: 2 }, 0)
  view.merge({ ...member, incarnation: 2 }, 0)
  const before = view.size
  view.merge({ ...member, incarnation: 3, state: 'gone' }, 0)
  expect(view.size).toBe(before)
  view.sweep(3_600_000)
  expect(view.size).toBe(before)
  view.sweep(3_600_001)
  expect(view.size).toBe(before - 1)
  expect(view.size).toBe(view.differing([], 0).length)
})

test('the salt goes over the wire, and what is no salt, or that of an old node, is none', () => {
  const [, , records] = membersPayload([{ ...member, salt: 7 }])
  const [record] = records as readonly (readonly Value[])[]
  expect(saltReadFrom(record ?? [])).toBe(7)
  expect(saltReadFrom([id, 1, 0, true, [], 7])).toBe(0)
  for (const salt of ['7', null, 0.5, -0]) expect(saltReadFrom([id, 1, 0, false, [], salt])).toBe(0)
  expect(saltReadFrom([id, 1, 0, false, []])).toBe(0)
})
