import { expect, test } from '@jest/globals'
import { defaultP2pyLimits, resolveP2pyLimits } from '../../src/protocol/limits.ts'

test('given limits replace the defaults', () => {
  expect(resolveP2pyLimits({ maxLinks: 5 })).toEqual({ ...defaultP2pyLimits, maxLinks: 5 })
})

test('a limit has a known name and a number above zero', () => {
  const unknown: object = { maxNothing: 1 }
  expect(() => resolveP2pyLimits(unknown)).toThrow(TypeError)
  for (const bad of [0, -1, NaN, '5']) {
    const limits: object = { maxLinks: bad }
    expect(() => resolveP2pyLimits(limits)).toThrow(RangeError)
  }
})

test('a message cannot be let nest deeper than it could be passed on', () => {
  expect(resolveP2pyLimits({ maxDepth: 256 }).maxDepth).toBe(256)
  expect(() => resolveP2pyLimits({ maxDepth: 257 })).toThrow(RangeError)
})
