import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import * as serializer from '@p2p/serializer'
import * as archive from '@p2p/serializer/archive'
import * as legacy from '@p2p/serializer/legacy'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = read('../README.md')

test('every error code has a row in the README, and every row is a code', () => {
  const inCode = [...read('../src/errors.ts').matchAll(/\| '(P2P_\w+)'/g)].map(([, code]) => code)
  const inReadme = [...readme.matchAll(/^\| `(P2P_\w+)` +\|/gm)].map(([, code]) => code)
  expect(inCode.length).toBeGreaterThan(20)
  expect(inReadme.sort()).toEqual(inCode.sort())
})

test('every limit has a row with its default', () => {
  for (const [name, limit] of Object.entries(serializer.defaultLimits)) {
    const number = limit >= 2 ** 20 ? `${limit / 2 ** 20} MiB` : limit.toLocaleString('en')
    expect(readme.replaceAll(/ +/g, ' ')).toContain(`| \`${name}\` | ${number} |`)
  }
})

test('the API reports know nothing that is not documented', () => {
  for (const name of ['serializer', 'serializer.archive', 'serializer.legacy']) {
    const report = read(`../etc/${name}.api.md`)
    expect(report).toContain('// @public')
    expect(report).not.toContain('(undocumented)')
  }
})

/** Runs an example with its imports replaced by the modules; returns what it printed. */
function run(example: string): string[] {
  const printed: string[] = []
  const body = example.replaceAll(/import (\{[^}]+\}) from '([^']+)'/g, 'const $1 = modules["$2"]')
  const modules = {
    '@p2p/serializer': serializer,
    '@p2p/serializer/archive': archive,
    '@p2p/serializer/legacy': legacy,
  }
  const log = (value: unknown): number => printed.push(String(value))
  new Function('modules', 'console', body)(modules, { log })
  return printed
}

test('the examples run and print what they should', () => {
  const [first = '', second = '', third = ''] = [
    ...readme.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```/gm),
  ].map(([, example]) => example ?? '')
  expect(run(first)).toEqual([
    '00000036ae1367ce81401074427f1d3441550bb79db4f6857557faf4b2f758e3f32686df' +
      '9500a673656e646572ce59682f0000c40568656c6c6f',
    '1500000000',
  ])
  expect(run(second)).toEqual(['11'])
  expect(run(third)).toEqual(['true'])
})
