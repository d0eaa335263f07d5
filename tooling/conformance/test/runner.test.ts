import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame, toHex, utf8Encode } from '@p2p/serializer'
import type { FixtureFile } from '../src/fixture-file.ts'
import { runFile } from '../src/runner.ts'

const file = (path: string, document: unknown): FixtureFile => ({
  path,
  name: path.replace(/^.*\//, '').replace('.json', ''),
  folder: path.includes('/') ? path.replace(/\/[^/]*$/, '') : '',
  document,
  sibling: () => undefined,
})

const message = createMessage({
  type: 0,
  sender: utf8Encode('A'),
  time: 1_500_000_000,
  payload: [0, 'hi'],
})
const goodCase = {
  name: 'hello',
  type: { t: 'int', v: '0' },
  sender: { t: 'bin', hex: '41' },
  time: { t: 'int', v: '1500000000' },
  payload: [
    { t: 'int', v: '0' },
    { t: 'str', v: 'hi' },
  ],
  packed: toHex(message.body),
  id: toHex(message.id),
  frames: { none: toHex(encodeFrame(message)), lz4: '00' },
}

test('a right case passes, and a compression method that is not read is skipped with its reason', async () => {
  const { result, notes } = await runFile(file('messages.json', { cases: [goodCase] }))
  expect(result).toEqual({
    file: 'messages.json',
    passed: 1,
    failed: 0,
    skipped: 1,
    failures: [],
  })
  expect([...notes.skipReasons.keys()]).toEqual(['lz4 is not read'])
})

test.each([
  ['a wrong byte in the packed array', { packed: goodCase.packed.replace('a26869', 'a26868') }],
  ['a wrong id', { id: goodCase.id.replaceAll(/./g, '0') }],
  ['a wrong frame', { frames: { none: `${goodCase.frames.none}00` } }],
  ['another kind of the same number', { time: { t: 'float', hex: '41d65a0bc0000000' } }],
])('%s fails, by name', async (_what, change) => {
  const cases = [{ ...goodCase, ...change }]
  const { result } = await runFile(file('messages.json', { cases }))
  expect(result.failures).toContain('hello')
})

test('a case of another shape is skipped and hides no other case', async () => {
  const cases = [
    { name: 'strange', what: 1 },
    { ...goodCase, frames: {} },
  ]
  const { result, notes } = await runFile(file('messages.json', { cases }))
  expect(result).toMatchObject({ passed: 1, failed: 0, skipped: 1 })
  expect([...notes.skipReasons.keys()].join()).toContain('shape')
})

test('a file that no set describes is skipped, not passed', async () => {
  const { result } = await runFile(file('weather.json', { cases: [{ name: 'rain' }] }))
  expect(result).toMatchObject({ passed: 0, failed: 0, skipped: 1 })
})

test('the folder tells sets of the same name apart', async () => {
  const cases = [{ name: 'x', version: '0.4', category: 'truncated', frame: '0000' }]
  const { result } = await runFile(file('legacy/malformed.json', { cases }))
  expect(result).toMatchObject({ passed: 1, failed: 0 })
})

test('bytes that both originals refuse have to be refused', async () => {
  const fixture = {
    name: 'taken',
    category: 'garbage',
    compressions: [],
    frame: goodCase.frames.none,
    py2p: 'rejects',
    js2p: 'rejects',
  }
  const { result } = await runFile(file('malformed.json', { cases: [fixture] }))
  expect(result.failures).toEqual(['taken'])
})

test('bytes that both originals take have to be taken', async () => {
  const fixture = {
    name: 'refused',
    category: 'mutated',
    compressions: [],
    frame: '00000001ff',
    py2p: 'accepts',
    js2p: 'accepts',
  }
  const { result } = await runFile(file('malformed.json', { cases: [fixture] }))
  expect(result.failures).toEqual(['refused'])
})
