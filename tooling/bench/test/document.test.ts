import { expect, test } from '@jest/globals'
import { updateDocument } from '../src/document.ts'
import type { Figure } from '../src/figure.ts'

const figure = (fields: Partial<Figure>): Figure => ({
  suite: 'mesh',
  case: '2 nodes',
  subject: 'p2p',
  metric: 'rate',
  value: 3_000,
  unit: 'messages/s',
  ...fields,
})

test('what is counted per second is better when it is more, anything else when it is less', () => {
  const document = updateDocument(
    '',
    [
      figure({}),
      figure({ subject: 'js2p', value: 100 }),
      figure({ metric: 'latency', unit: 'ms', value: 2 }),
      figure({ metric: 'latency', unit: 'ms', value: 5, subject: 'js2p' }),
    ],
    'Here, today.',
  )
  expect(document).toContain('## mesh\n\nHere, today.\n')
  expect(document).toContain('| 2 nodes: rate, messages/s | 3,000 | 100 (30×) |')
  expect(document).toContain('| 2 nodes: latency, ms      | 2     | 5 (2.50×) |')
})

test('a subject that was not measured in a row has a dash there', () => {
  const document = updateDocument(
    '',
    [figure({}), figure({ case: '5 nodes', subject: 'js2p', value: 7 })],
    'Here, today.',
  )
  expect(document).toContain('| 2 nodes: rate, messages/s | 3,000 | –    |')
  expect(document).toContain('| 5 nodes: rate, messages/s | –     | 7    |')
})

test('a run replaces the sections of its suites and keeps the others', () => {
  const first = updateDocument('', [figure({}), figure({ suite: 'sync' })], 'Monday.')
  const second = updateDocument(first, [figure({ value: 4_000 })], 'Tuesday.')
  expect(second).toContain('## mesh\n\nTuesday.')
  expect(second).toContain('4,000')
  expect(second).toContain('## sync\n\nMonday.')
  expect(second.match(/^## /gm)).toHaveLength(2)
})
