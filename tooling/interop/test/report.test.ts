import { expect, test } from '@jest/globals'
import { knownFailure } from '../src/known.ts'
import { summarize } from '../src/report.ts'
import type { Row } from '../src/report.ts'

const row: Row = {
  network: 'mesh',
  a: 'p2p',
  b: 'js2p',
  dialler: 'a',
  feature: 'connect',
  ok: true,
  detail: '',
}

test('rows are counted by outcome', () => {
  const rows: readonly Row[] = [
    row,
    { ...row, ok: false },
    { ...row, ok: false, known: 'theirs' },
    { ...row, ok: false, skipped: true },
  ]
  expect(summarize(rows, 1)).toEqual({
    ok: false,
    passed: 1,
    failed: 1,
    known: 1,
    skipped: 1,
    seconds: 1,
  })
})

test('a run without a single passed row is no success', () => {
  expect(summarize([{ ...row, ok: false, skipped: true }], 1).ok).toBe(false)
  expect(summarize([row], 1).ok).toBe(true)
})

test('a failure of ours is never excused', () => {
  for (const feature of ['reply to a to b', 'reply to b to a', 'peers learned', 'burst'])
    for (const other of ['p2p', 'js2p', 'py2p'])
      expect(knownFailure({ ...row, b: other, feature, ok: false })).toBeUndefined()
})

test('js2p cannot reply to py2p', () => {
  const foreign = { ...row, a: 'js2p', b: 'py2p', ok: false }
  expect(knownFailure({ ...foreign, feature: 'reply to b to a' })).toMatch('identity')
  expect(knownFailure({ ...foreign, feature: 'reply to a to b' })).toBeUndefined()
})
