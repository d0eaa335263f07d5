import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Schedule } from '../../src/sim/schedule.ts'

test('things happen in the order of their times, and of scheduling when the times are equal', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
      const schedule = new Schedule()
      const happened: [number, number][] = []
      times.forEach((time, index) => {
        schedule.at(time, { due: () => happened.push([time, index]) })
      })
      while (schedule.runNext(Infinity)) expect(schedule.nowMs).toBe(happened.at(-1)?.[0])
      const sorted = times.map((time, index): [number, number] => [time, index])
      sorted.sort(([timeA, indexA], [timeB, indexB]) => timeA - timeB || indexA - indexB)
      expect(happened).toEqual(sorted)
    }),
  )
})

test('an entry of the past happens now, and time never goes back', () => {
  const schedule = new Schedule()
  const seen: number[] = []
  const note = { due: () => seen.push(schedule.nowMs) }
  schedule.at(50, {
    due: () => {
      schedule.at(10, note)
      schedule.at(60, note)
    },
  })
  while (schedule.runNext(Infinity));
  expect(seen).toEqual([50, 60])
})

test('nothing later than the limit happens', () => {
  const schedule = new Schedule()
  schedule.at(11, { due: () => undefined })
  expect(schedule.runNext(10)).toBe(false)
  expect(schedule.runNext(11)).toBe(true)
  expect(schedule.size).toBe(0)
})

test('many more entries than it first has room for come out in order', () => {
  const schedule = new Schedule()
  let last = -1
  for (let index = 0; index < 10_000; index += 1) {
    const at = (index * 7_919) % 10_007
    schedule.at(at, {
      due: () => {
        expect(at).toBeGreaterThan(last)
        last = at
      },
    })
  }
  while (schedule.runNext(Infinity));
  expect(last).toBeGreaterThan(9_990)
})
