/** The hash table as programs use it: how much of what is asked for is under way at a time. */
import { expect, test } from '@jest/globals'
import { KeyList } from '../src/protocol/key-list.ts'
import { SharedTable } from '../src/shared-table.ts'

test('writes many keys a part at a time, each as soon as there is room, and all of them', async () => {
  let underWay = 0
  let most = 0
  let written = 0
  const table = new SharedTable({
    keys: new KeyList(10),
    read: () => Promise.resolve({ type: 'absent' }),
    write: async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await Promise.resolve()
      underWay -= 1
      written += 1
    },
  })
  await table.update(
    Array.from({ length: 2_000 }, (_, index) => [`key ${index}`, index] as const),
    {},
  )
  expect([most, written]).toEqual([512, 2_000])
})
