import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { LeaseError, SyncNode } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** Makes `console.log(expression) // text` of the example into a claim that is checked. */
function withClaims(code: string): string {
  return code
    .replace(/^import .*$/gm, '')
    .replace(/console\.log\((.*)\) \/\/ (.*)$/gm, "claim($1, '$2')")
}

test('the first example of the README does what it says', async () => {
  const [, code = ''] = /```ts\n([^`]*)```/.exec(readme) ?? []
  const claims: [unknown, unknown][] = []
  const claim = (got: unknown, said: unknown): unknown => claims.push([got, said])
  const AsyncFunction = (async () => undefined).constructor as new (
    ...names: string[]
  ) => (...values: unknown[]) => Promise<void>
  await new AsyncFunction('SyncNode', 'LeaseError', 'claim', withClaims(code))(
    SyncNode,
    LeaseError,
    claim,
  )
  expect(claims).toEqual([
    ['green', 'green'],
    ['P2P_LEASE_HELD', 'P2P_LEASE_HELD'],
  ])
})
