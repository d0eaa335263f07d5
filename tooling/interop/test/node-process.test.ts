import { expect, test } from '@jest/globals'
import { NodeProcess } from '../src/node-process.ts'

/** A process that answers every command, says `tick` first, and fails on `fail`. */
const answering = `
  console.log(JSON.stringify({ ev: 'tick' }))
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { op, seq: re } = JSON.parse(line)
    if (op === 'die') process.exit(5)
    if (op === 'silence') return
    if (op === 'noise') console.log('no JSON')
    console.log(JSON.stringify(op === 'fail' ? { re, ok: false, code: 'P2P_X', error: 'no' } : { re, ok: true, op }))
    console.log(JSON.stringify({ ev: 'after', op }))
  })
`

function start(script: string): NodeProcess {
  return new NodeProcess({ name: 'child', command: process.execPath, args: ['-e', script] })
}

test('answers find their commands, events are kept for later waits', async () => {
  const child = start(answering)
  expect(await child.request('a')).toMatchObject({ ok: true, op: 'a' })
  expect(await child.waitFor('tick', ({ ev }) => ev === 'tick')).toEqual({ ev: 'tick' })
  expect(await child.stop()).toBe(0)
})

test('a wait can leave earlier events out', async () => {
  const child = start(answering)
  await child.request('a')
  await child.waitFor('after', ({ ev }) => ev === 'after')
  const since = child.events.length
  const wait = child.waitFor('after', ({ ev }) => ev === 'after', { since })
  await child.request('b')
  expect(await wait).toMatchObject({ op: 'b' })
  await child.stop()
})

test('a refusal rejects with its code', async () => {
  const child = start(answering)
  await expect(child.request('fail')).rejects.toMatchObject({ code: 'P2P_X' })
  await child.stop()
})

test('a wait ends when the process does', async () => {
  const child = start(answering)
  await expect(child.request('die')).rejects.toMatchObject({ code: 'P2P_PROCESS_ENDED' })
  expect(await child.stop()).toBe(5)
})

test('a wait ends at its limit', async () => {
  const child = start(answering)
  await expect(child.request('silence', {}, 1)).rejects.toMatchObject({ code: 'P2P_WAIT_TIMEOUT' })
  await child.stop()
})

test('what is no JSON is put aside', async () => {
  const child = start(answering)
  await child.request('noise')
  expect(child.stderr).toContain('not JSON on stdout: no JSON')
  await child.stop()
})

test('a program that cannot be started ends the wait', async () => {
  const child = new NodeProcess({ name: 'child', command: '/no/such/program', args: [] })
  await expect(child.request('a')).rejects.toMatchObject({ code: 'P2P_PROCESS_ENDED' })
})
