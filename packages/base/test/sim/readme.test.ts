import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { pingUnderFaults } from './examples/ping.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

test('the example of the README is the one that is run here', () => {
  expect(read('../../README.md')).toContain(`\`\`\`ts\n${read('./examples/ping.ts')}\`\`\``)
})

test('the example of the README does what it says', () => {
  const first = pingUnderFaults(1)
  expect(first.answered).toBeGreaterThan(20)
  expect(first.answered).toBeLessThan(60)
  expect(pingUnderFaults(1)).toEqual(first)
  expect(pingUnderFaults(2).traceHash).not.toBe(first.traceHash)
})
