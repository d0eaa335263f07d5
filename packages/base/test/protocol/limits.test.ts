import { expect, test } from '@jest/globals'
import { defaultLimits, resolveLimits } from '../../src/protocol/limits.ts'

test('resolveLimits puts the given limits over the defaults', () => {
  expect(resolveLimits({ maxPeers: 3 })).toEqual({ ...defaultLimits, maxPeers: 3 })
})

test('resolveLimits refuses names that are no limit and values that limit nothing sensible', () => {
  expect(() => resolveLimits({ maxPeer: 3 } as never)).toThrow(TypeError)
  expect(() => resolveLimits({ toString: 3 } as never)).toThrow(TypeError)
  for (const value of [0, -1, NaN, '5']) {
    expect(() => resolveLimits({ maxPeers: value as never })).toThrow(RangeError)
  }
  expect(resolveLimits({ maxPeers: Infinity }).maxPeers).toBe(Infinity)
})
