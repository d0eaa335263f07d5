import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { defaultMeshLimits } from '../src/index.ts'
import { askEverybody } from './examples/two-nodes.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = read('../README.md')

test('the example of the README is the one that is run here, and does what it says', async () => {
  expect(readme).toContain(`\`\`\`ts\n${read('./examples/two-nodes.ts')}\`\`\``)
  expect(await askEverybody()).toEqual(['got', ['this is', 'a test']])
})

test('the README names every limit with its default', () => {
  for (const [name, value] of Object.entries(defaultMeshLimits)) {
    expect(readme).toMatch(new RegExp(`\`${name}\` +\\| ${value.toLocaleString('en')} `))
  }
})
