import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Deadlines } from '../../src/protocol/deadlines.ts'

describe('Deadlines', () => {
  test('gives names back in the order of their moments, equal moments in the order of setting', () => {
    const deadlines = new Deadlines()
    deadlines.set('late', 30)
    deadlines.set('first of two', 10)
    deadlines.set('second of two', 10)
    expect(deadlines.next()).toBe(10)
    expect(deadlines.takeDue(9)).toBeUndefined()
    expect(deadlines.takeDue(10)).toBe('first of two')
    expect(deadlines.takeDue(10)).toBe('second of two')
    expect(deadlines.takeDue(10)).toBeUndefined()
    expect(deadlines.next()).toBe(30)
  })

  test('moves a name that is set again, and forgets one set to Infinity', () => {
    const deadlines = new Deadlines()
    deadlines.set('a', 10)
    deadlines.set('b', 20)
    deadlines.set('a', 30)
    expect(deadlines.next()).toBe(20)
    deadlines.set('b', Infinity)
    expect(deadlines.next()).toBe(30)
    expect(deadlines.takeDue(30)).toBe('a')
    expect(deadlines.next()).toBe(Infinity)
  })

  test('refuses a moment that is not a number', () => {
    expect(() => new Deadlines().set('a', NaN)).toThrow(RangeError)
  })

  test('agrees with a sorted list under any sequence of changes', () => {
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
      atMs: fc.option(fc.integer({ min: 0, max: 20 })),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const deadlines = new Deadlines()
        let oracle: { name: string; atMs: number }[] = []
        for (const { name, atMs } of changes) {
          oracle = oracle.filter((entry) => entry.name !== name)
          if (atMs === null) deadlines.delete(name)
          else {
            deadlines.set(name, atMs)
            oracle.push({ name, atMs })
          }
        }
        const expected = oracle
          .map((entry, index) => ({ ...entry, index }))
          .sort((a, b) => a.atMs - b.atMs || a.index - b.index)
          .map((entry) => entry.name)
        const got: string[] = []
        for (let name = deadlines.takeDue(99); name !== undefined; name = deadlines.takeDue(99)) {
          got.push(name)
        }
        expect(got).toEqual(expected)
      }),
    )
  })
})
