/** What a neighbour may ask for. */
import { expect, test } from '@jest/globals'
import { PeerBudget } from '../src/protocol/peer-budget.ts'
import type { Copy } from '../src/protocol/table-messages.ts'

test('a flood of copies is taken until the account is empty, and again when it has filled up', () => {
  const nothing = { size: 0 }
  const budget = new PeerBudget({ slots: nothing, members: nothing, keys: nothing })
  const copy: Copy = {
    key: new Uint8Array(1),
    version: { time: 1, writer: 'w' },
    value: undefined,
    tables: [0],
  }
  const flood = { type: 'copy', copies: Array.from({ length: 1_024 }, () => copy) } as const
  let taken = 0
  while (taken < 10_000 && budget.pays('flooder', flood, 0)) taken += 1
  expect(taken).toBe(512)
  expect([budget.refused, budget.pays('other', flood, 0)]).toEqual([1, true])
  expect(budget.pays('flooder', flood, 1_000)).toBe(true)
})
