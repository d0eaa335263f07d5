/** Where nodes stand, and how they say so. */
import { expect, test } from '@jest/globals'
import type { Value } from '@p2p/serializer'
import { clockwiseDistance, nodePosition, shiftedPosition } from '../src/protocol/ring.ts'
import { membersPayload, readRingMessage } from '../src/protocol/ring-messages.ts'
import { RingView } from '../src/protocol/ring-view.ts'

const id = 'b'.repeat(66)
const member = { id, incarnation: 1, state: 'storing', isOld: false, addresses: [] } as const

const shiftReadFrom = (record: readonly Value[]): unknown => {
  const message = readRingMessage([0x7060, 0, [[...record]], false])
  return message?.type === 'members' ? message.members[0]?.shift : undefined
}

test('a node without a shift stands at its id, one with a shift so many 65,536ths of the ring ahead', () => {
  const position = nodePosition(id) ?? 0n
  expect(shiftedPosition(id, 0)).toBe(position)
  const to = shiftedPosition(id, 7) ?? 0n
  expect(clockwiseDistance({ from: position, to })).toBe(7n * 2n ** 368n)
  // Whatever somebody else writes there, it is a place on the ring.
  expect(shiftedPosition(id, 65_536)).toBe(position)
  expect(shiftedPosition(id, -65_529)).toBe(to)
  expect(shiftedPosition('no base58: 0', 7)).toBeUndefined()
})

test('a record that names another shift moves the node, and an older one does not move it back', () => {
  const view = new RingView()
  view.merge(member, 0)
  view.merge({ ...member, incarnation: 2, shift: 7 }, 0)
  expect(view.nodes.get(id)?.position).toBe(shiftedPosition(id, 7))
  view.merge(member, 0)
  expect(view.nodes.get(id)?.position).toBe(shiftedPosition(id, 7))
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

test('the shift goes over the wire, and what is no shift, or that of an old node, is none', () => {
  const [, , records] = membersPayload([{ ...member, shift: 7 }])
  const [record] = records as readonly (readonly Value[])[]
  expect(shiftReadFrom(record ?? [])).toBe(7)
  expect(shiftReadFrom([id, 1, 0, true, [], 7])).toBe(0)
  for (const shift of ['7', null, 0.5, -0])
    expect(shiftReadFrom([id, 1, 0, false, [], shift])).toBe(0)
  expect(shiftReadFrom([id, 1, 0, false, []])).toBe(0)
})
