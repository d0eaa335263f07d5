import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { defaultMeshLimits, MeshNode } from '../src/index.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = read('../README.md')

const AsyncFunction = (async () => undefined).constructor as new (
  ...names: string[]
) => (...values: unknown[]) => Promise<void>

test('the example of the README does what it says', async () => {
  const [, code = ''] = /```ts\n([^`]*)```/.exec(readme) ?? []
  const [, said] = /console\.log\(.*\) \/\/ (.*)/.exec(code) ?? []
  const printed: unknown[][] = []
  const log = (...values: unknown[]): unknown => printed.push(values)
  const body = code.replace(/^import .*$/gm, '')
  await new AsyncFunction('MeshNode', 'console', body)(MeshNode, { log })
  expect(printed.map((values) => values.join(' '))).toEqual([said])
})

test('the README names every limit with its default', () => {
  for (const [name, value] of Object.entries(defaultMeshLimits)) {
    expect(readme).toMatch(new RegExp(`\`${name}\` +\\| ${value.toLocaleString('en')} `))
  }
})
