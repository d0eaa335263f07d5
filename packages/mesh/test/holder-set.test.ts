import { expect, test } from '@jest/globals'
import { HolderSet } from '../src/protocol/holder-set.ts'

test('agrees with a plain set, whatever place its members have', () => {
  const holders = new HolderSet()
  const expected = new Set<number>()
  let state = 7
  for (let step = 0; step < 1_000; step += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const place = (state >>> 16) % 70
    if ((state & 0x400) === 0) {
      holders.add({ place })
      expected.add(place)
    } else {
      holders.delete({ place })
      expected.delete(place)
    }
    const held = Array.from({ length: 70 }, (_, at) => at).filter((at) =>
      holders.has({ place: at }),
    )
    expect(held).toEqual([...expected].sort((a, b) => a - b))
  }
})
