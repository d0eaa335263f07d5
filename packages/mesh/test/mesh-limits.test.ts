import { expect, test } from '@jest/globals'
import { defaultMeshLimits, resolveMeshLimits } from '../src/protocol/mesh-limits.ts'

test('given limits replace the defaults', () => {
  expect(resolveMeshLimits({ maxSeenIds: 5 })).toEqual({ ...defaultMeshLimits, maxSeenIds: 5 })
})

test('a limit has a known name and a number above zero', () => {
  const unknown: object = { maxNothing: 1 }
  expect(() => resolveMeshLimits(unknown)).toThrow(TypeError)
  for (const bad of [0, -1, NaN, '5']) {
    const limits: object = { maxSeenIds: bad }
    expect(() => resolveMeshLimits(limits)).toThrow(RangeError)
  }
})
