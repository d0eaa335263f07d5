import { expect, test } from '@jest/globals'
import {
  decodeTreeControl,
  encodeTreeControl,
  maxIdsPerControl,
  treeControlSubFlag,
} from '../src/protocol/tree-control.ts'

const ids = (count: number): Uint8Array =>
  Uint8Array.from({ length: 16 * count }, (_, at) => (at * 7) & 0xff)

test('a control message reads back as it was written', () => {
  const control = {
    announced: ids(2),
    wanted: ids(1),
    pruned: ids(0),
    sinceSeconds: 12,
  }
  const payload = encodeTreeControl(control)
  expect(payload[0]).toBe(treeControlSubFlag)
  expect(decodeTreeControl(payload)).toEqual(control)
})

test('lists that are no lists of ids, or too long, are refused', () => {
  const none = new Uint8Array(0)
  const full = new Uint8Array(16 * maxIdsPerControl)
  const tooLong = new Uint8Array(16 * maxIdsPerControl + 16)
  expect(decodeTreeControl([treeControlSubFlag, full, none, none, 0])).toBeDefined()
  for (const bad of [tooLong, new Uint8Array(15), 'text', null, undefined]) {
    expect(decodeTreeControl([treeControlSubFlag, bad, none, none, 0])).toBeUndefined()
    expect(decodeTreeControl([treeControlSubFlag, none, bad, none, 0])).toBeUndefined()
    expect(decodeTreeControl([treeControlSubFlag, none, none, bad, 0])).toBeUndefined()
  }
})
