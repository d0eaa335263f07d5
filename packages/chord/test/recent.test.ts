import { expect, test } from '@jest/globals'
import { Recent } from '../src/protocol/recent.ts'

test('works a name out once while it is met now and then, and again when many others came between', () => {
  const recent = new Recent<object>(8)
  const made: string[] = []
  const get = (name: string): object =>
    recent.get(name, () => {
      made.push(name)
      return { name }
    })
  const first = get('often')
  for (let others = 0; others < 100; others += 1) {
    get(`other ${others}`)
    expect(get('often')).toBe(first)
  }
  expect(made.filter((name) => name === 'often')).toHaveLength(1)
  for (let others = 0; others < 8; others += 1) get(`more ${others}`)
  expect(get('often')).not.toBe(first)
})

test('remembers as many as it may, and no more', () => {
  const recent = new Recent<number>(8)
  let made = 0
  const get = (name: number): number => recent.get(String(name), () => (made += 1))
  for (let name = 0; name < 1_000; name += 1) get(name)
  for (let name = 999; name >= 0; name -= 1) get(name)
  expect(made).toBeGreaterThanOrEqual(1_000 + 1_000 - 8)
})
