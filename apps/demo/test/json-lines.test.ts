import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import { serveLines } from '../src/node/json-lines.ts'
import type { Kind } from '../src/node/kind-names.ts'
import { operationsOf } from '../src/node/operations/table.ts'
import { Session } from '../src/node/session.ts'

/** Feeds the lines to a process without a node; returns everything it wrote. */
async function converse(lines: readonly string[], kind: Kind = 'mesh'): Promise<readonly object[]> {
  const written: object[] = []
  const write = (line: object): void => void written.push(line)
  const input = new PassThrough()
  input.end(lines.map((line) => `${line}\n`).join(''))
  await serveLines(new Session(kind, write), operationsOf(kind), input, write)
  return written
}

test('every command has one answer that names it', async () => {
  const written = await converse(['{"op":"ping","seq":1}', '{"op":"ping","seq":2}'])
  expect(written).toHaveLength(2)
  expect(written).toContainEqual({ re: 1, op: 'ping', ok: true, ms: expect.any(Number) })
  expect(written).toContainEqual({ re: 2, op: 'ping', ok: true, ms: expect.any(Number) })
})

test('an unknown command is answered with a code', async () => {
  const [answer] = await converse(['{"op":"fly","seq":7}'])
  expect(answer).toMatchObject({ re: 7, op: 'fly', ok: false, code: 'P2P_UNKNOWN_COMMAND' })
})

test('the name of an inherited property is no command', async () => {
  const [answer] = await converse(['{"op":"constructor","seq":7}'])
  expect(answer).toMatchObject({ ok: false, code: 'P2P_UNKNOWN_COMMAND' })
})

test('a broken line is answered and the next command still works', async () => {
  for (const broken of ['nonsense', '[]', '5', '{"seq":1}', '{"op":5}']) {
    const [first, second] = await converse([broken, '{"op":"ping","seq":1}'])
    expect(first).toMatchObject({ re: null, ok: false, code: 'P2P_BAD_COMMAND' })
    expect(second).toMatchObject({ re: 1, ok: true })
  }
})

test('a command with wrong fields is refused', async () => {
  const [answer] = await converse(['{"op":"listen","seq":1,"port":"x"}'])
  expect(answer).toMatchObject({ re: 1, ok: false, code: 'P2P_BAD_COMMAND' })
})

test('commands before listen are refused', async () => {
  for (const op of ['peers', 'send', 'status', 'request_peers']) {
    const [answer] = await converse([`{"op":"${op}","seq":1}`])
    expect(answer).toMatchObject({ re: 1, op, ok: false, code: 'P2P_NOT_LISTENING' })
  }
})

test('exit is answered and nothing after it is read', async () => {
  const written = await converse(['{"op":"exit","seq":1}', '{"op":"ping","seq":2}'])
  expect(written).toEqual([{ re: 1, op: 'exit', ok: true, ms: 0 }])
})

test('close says what is left of the node: nothing', async () => {
  const written = await converse(['{"op":"listen","seq":1}', '{"op":"close","seq":2}'])
  const closed = written.find((line) => 're' in line && line.re === 2)
  expect(closed).toMatchObject({
    ok: true,
    resources: expect.not.arrayContaining(['TCPServerWrap']),
  })
})

test('what stands behind a close waits for it, as behind a listen', async () => {
  const written = await converse([
    '{"op":"listen","seq":1}',
    '{"op":"close","seq":2}',
    '{"op":"listen","seq":3}',
    '{"op":"peers","seq":4}',
  ])
  const answers = written.filter((line) => 're' in line)
  expect(answers).toMatchObject([1, 2, 3, 4].map((re) => ({ re, ok: true })))
})

test('blank lines are nothing', async () => {
  expect(await converse(['', '  '])).toEqual([])
})

test('all may be said at once: what stands behind a listen waits for the node, and there is one', async () => {
  const set = '"key":{"t":"str","v":"colour"},"value":{"t":"str","v":"green"}'
  const lines = [
    '{"op":"listen","seq":1}',
    `{"op":"set","seq":2,${set}}`,
    '{"op":"listen","seq":3}',
  ]
  const written = await converse(lines, 'sync')
  const answerTo = (seq: number): object | undefined =>
    written.find((line) => 're' in line && line.re === seq)
  expect(answerTo(1)).toMatchObject({ ok: true })
  expect(answerTo(2)).toMatchObject({ ok: true })
  expect(answerTo(3)).toMatchObject({ ok: false, code: 'P2P_ALREADY_LISTENING' })
})
