// The examples of the README, taken out of its text and run.
import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import * as p2pyCompat from '../src/index.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = read('../README.md')
const examples = [...readme.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```/gm)].map(
  ([, code]) => code ?? '',
)

const AsyncFunction = (async () => undefined).constructor as new (
  ...names: string[]
) => (...values: unknown[]) => Promise<void>

/** Runs an example: fixed ports and addresses become free ones, `log` stands in for console.log. */
async function run(code: string, log: (...values: unknown[]) => void): Promise<void> {
  const body = code
    .replaceAll(/import (\{[^}]+\}) from '[^']+'/g, 'const $1 = modules')
    .replaceAll(/(port|probePort): \d+/g, '$1: 0')
    .replaceAll("['127.0.0.1', 4444]", 'a.address')
    .replaceAll(/host: '[\d.]+'/g, "host: '127.0.0.1'")
    .replaceAll("['203.0.113.1', 4440]", 'server.address')
  await new AsyncFunction('modules', 'console', body)(p2pyCompat, { log })
}

test('joining, sending a text, asking: the first two examples run and print what they say', async () => {
  const [join = '', ask = ''] = examples
  const printed: unknown[][] = []
  const texts = new Promise<void>((resolve) => {
    const log = (...values: unknown[]): void => {
      printed.push(values)
      if (printed.length === 3) resolve()
    }
    void run(`${join}\n${ask}\nawait b.close()\nawait a.close()`, log)
  })
  await texts
  expect(printed).toEqual([[1], [1, 'TEXT', 'Hi!'], [18]])
  expect(ask).toContain('console.log(response.data) // 18')
})

test('the example of hole punching opens a server and a node that is registered there', async () => {
  const [, , punch = ''] = examples
  const printed: unknown[] = []
  await run(punch, (value) => printed.push(value))
  expect(printed).toEqual(['registered'])
})
