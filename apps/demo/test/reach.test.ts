import { expect, test } from '@jest/globals'
import { reachHint } from '../src/commands/reach.ts'

const home = 'tcp://127.0.0.1:4444'
const away = 'tcp://198.51.100.7:44565'

test('reachHint tells that those whom a seed elsewhere names this node to cannot reach it', () => {
  expect(reachHint([home], [away])).toContain('--listen tcp://0.0.0.0:0')
  expect(reachHint(['ws://[::1]:80'], [home, 'tcp://seed.example:44565'])).toBeDefined()
})

test('reachHint says nothing where everybody is on this machine, or it can be reached', () => {
  expect(reachHint([home], [])).toBeUndefined()
  expect(reachHint([home], ['tcp://localhost:44565'])).toBeUndefined()
  expect(reachHint([home, 'tcp://198.51.100.8:4444'], [away])).toBeUndefined()
})
