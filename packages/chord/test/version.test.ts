import { expect, test } from '@jest/globals'
import { VersionClock, compareVersions, maxAheadMs } from '../src/protocol/version.ts'

test('each version is later than all the clock has given or seen', () => {
  const clock = new VersionClock('b')
  const first = clock.next(10)
  const second = clock.next(9)
  expect(compareVersions(first, second)).toBeLessThan(0)
  expect(clock.see({ time: 11_000, writer: 'c' }, 10)).toBe(true)
  expect(compareVersions(clock.next(10), { time: 11_000, writer: 'c' })).toBeGreaterThan(0)
})

test('a version from far ahead does not move the clock', () => {
  const clock = new VersionClock('b')
  expect(clock.see({ time: 10_001 + maxAheadMs, writer: 'c' }, 10)).toBe(false)
  expect(clock.next(10)).toEqual({ time: 10_000, writer: 'b' })
})

test('a clock that was set back far gives versions that others take, each later than the one before', () => {
  const clock = new VersionClock('b')
  clock.next(3_600)
  expect([clock.next(10).time, clock.next(10).time]).toEqual([10_000, 10_001])
})

test('equal times are decided by the writer', () => {
  const [a, b] = [
    { time: 1, writer: 'a' },
    { time: 1, writer: 'b' },
  ]
  expect([compareVersions(a, b), compareVersions(b, a), compareVersions(a, a)]).toEqual([-1, 1, 0])
})
