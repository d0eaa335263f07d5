// Every op of `p2p node … --json` for every kind, each line checked against the schema.
import { afterEach, expect, test } from '@jest/globals'
import { operationsOf } from '../src/node/operations/table.ts'
import { kinds } from '../src/node/kind-names.ts'
import type { Kind } from '../src/node/kind-names.ts'
import { Driven } from './driven.ts'
import type { Line } from './driven.ts'
import { operationNames, outputLine } from './line-schemas.ts'

const driven: Driven[] = []
const text = (v: string): object => ({ t: 'str', v })
const listen = { host: '127.0.0.1', port: 0 }

/** A node that listens, with the first address it has. */
async function start(kind: Kind, more: object = {}): Promise<readonly [Driven, string, Line]> {
  const node = new Driven(kind)
  driven.push(node)
  const opened = await node.request('listen', { kind, ...listen, ...more })
  expect(opened).toMatchObject({ ok: true })
  const [address = ''] = opened['addresses'] as readonly string[]
  return [node, address, opened]
}

/** Two nodes, the second of which dialled the first. */
async function pair(kind: Kind): Promise<readonly [Driven, Driven, Line]> {
  const [a, address, opened] = await start(kind)
  const [b] = await start(kind)
  expect(await b.request('connect', { address })).toMatchObject({ ok: true, peer: opened['id'] })
  await a.line(({ ev }) => ev === 'peer_join')
  return [a, b, opened]
}

/** Runs the commands one after the other; each has to succeed. */
async function runAll(
  node: Driven,
  commands: readonly (readonly [string, object])[],
): Promise<void> {
  for (const [op, fields] of commands) {
    const answer = await node.request(op, fields)
    expect({ op, ...answer }).toMatchObject({ ok: true, op })
  }
}

afterEach(async () => {
  for (const node of driven) node.end()
  await Promise.all(driven.map((node) => node.ended))
  const odd = driven
    .splice(0)
    .flatMap(({ lines }) => lines.filter((line) => !outputLine.safeParse(line).success))
  expect(odd).toEqual([])
})

const messageCommands = (peer: unknown): readonly (readonly [string, object])[] => [
  ['ping', {}],
  ['send', { args: [text('to all')] }],
  ['whisper', { peer, args: [text('to one')] }],
  ['sendto', { peer, args: [text('to one')] }],
  ['request_peers', {}],
  ['peers', {}],
  ['status', {}],
]

test.each(['mesh', 'sync', 'chord'] as const)(
  '%s nodes take every command of messages',
  async (kind) => {
    const [a, b, opened] = await pair(kind)
    await runAll(b, messageCommands(opened['id']))
    await a.line(({ ev }) => ev === 'message')
    await runAll(a, [['reply', { args: [text('got it')] }]])
    await b.line(({ ev }) => ev === 'message')
    await runAll(b, [
      ['disconnect', { peer: opened['id'] }],
      ['close', {}],
    ])
  },
)

test('sync nodes take every command of a dictionary', async () => {
  const [a, b] = await pair('sync')
  await runAll(b, [
    ['set', { key: text('k'), value: text('v') }],
    ['get', { key: text('k') }],
    ['get', { key: text('none'), fallback: text('else') }],
    ['set', { key: text('map'), value: { t: 'map', v: [[text('x'), text('1')]] } }],
    ['delta', { key: text('map'), delta: { t: 'map', v: [[text('y'), text('2')]] } }],
    ['keys', {}],
    ['items', {}],
    ['digest', {}],
    ['settled', { wait: 20 }],
  ])
  await a.line(({ ev }) => ev === 'update')
  expect(await a.request('set', { key: text('k'), value: text('mine') })).toMatchObject({
    ok: false,
    code: 'P2P_LEASE_HELD',
  })
  await runAll(b, [
    ['pop', { key: text('map') }],
    ['del', { key: text('k') }],
  ])
  await a.line(({ ev }) => ev === 'delete')
})

test('chord nodes take every command of a hash table', async () => {
  const [a, b] = await pair('chord')
  await runAll(a, [['join', {}]])
  await runAll(b, [
    ['join', {}],
    ['set', { key: text('k'), value: text('v'), wait: 20 }],
    ['get', { key: text('k'), wait: 20 }],
    ['get', { key: text('none'), fallback: text('else'), wait: 20 }],
    ['set', { key: text('map'), value: { t: 'map', v: [[text('x'), text('1')]] }, wait: 20 }],
    ['delta', { key: text('map'), delta: { t: 'map', v: [[text('y'), text('2')]] }, wait: 20 }],
    ['locate', { key: text('k') }],
    ['data', {}],
    ['keys', {}],
    ['items', {}],
    ['pop', { key: text('map'), wait: 20 }],
    ['del', { key: text('k'), wait: 20 }],
    ['unjoin', { wait: 20 }],
  ])
  await a.line(({ ev }) => ev === 'add')
})

test('nodes are listed at seeds, and find others there', async () => {
  const [seed, address] = await start('chord', { subnet: 'bootstrap' })
  await runAll(seed, [['join', {}]])
  const [a] = await start('mesh')
  const [b] = await start('mesh')
  await runAll(a, [['bootstrap', { seeds: [address] }]])
  const answer = await b.request('bootstrap', { seeds: [address] })
  expect(answer).toMatchObject({ ok: true, listed: 1, peers: 1 })
})

test('p2py nodes take every command of theirs', async () => {
  const [a, address] = await start('p2py')
  const [b] = await start('p2py')
  const { hostname, port } = new URL(address.replace('tcp:', 'http:'))
  const to = [hostname, Number(port)]
  const message = { type: 'TEXT', data: text('hi') }
  await runAll(a, [['p2py_handle', { type: 'ADD', reply: 'add_one' }]])
  await runAll(b, [
    ['p2py_join', { address: to }],
    ['p2py_send', { address: to, message }],
    ['p2py_send', { uuid: 0, message }],
    ['p2py_book', { message, exclude: [] }],
    ['p2py_request', { uuid: 0, message: { type: 'ADD', data: { t: 'int', v: '1' } }, wait: 10 }],
    ['status', {}],
    ['peers', {}],
    ['ping', {}],
  ])
  await a.line(({ ev }) => ev === 'text')
  await runAll(b, [
    ['p2py_leave', {}],
    ['close', {}],
  ])
})

test('the schema has every operation, and no other', () => {
  const known = new Set(kinds.flatMap((kind) => [...operationsOf(kind).keys()]))
  expect([...known, 'exit'].sort()).toEqual([...operationNames].sort())
})

test.each(kinds)('a %s node answers unknown and broken commands with an error', async (kind) => {
  const [node] = await start(kind)
  const unknown = await node.request('fly')
  expect(unknown).toMatchObject({ ok: false, code: 'P2P_UNKNOWN_COMMAND' })
  const strange = [
    'no json',
    '[]',
    '7',
    'null',
    '{}',
    '{"op":7}',
    '{"op":"send","seq":"x"}',
    '{"op":"__proto__","seq":901}',
    '{"op":"constructor","seq":902}',
  ]
  for (const line of strange) node.write(line)
  await node.line(({ re }) => re === 902)
  const refusals = node.lines.filter(({ ok }) => ok === false)
  expect(refusals).toHaveLength(strange.length + 1)
  for (const op of operationNames) {
    if (['listen', 'close', 'exit'].includes(op)) continue
    // Either the op needs other fields, or it is of another kind, or it needs none.
    const answer = await node.request(op, {
      peer: 7,
      args: 7,
      key: 7,
      value: 7,
      address: 7,
      uuid: [],
    })
    expect(typeof answer['ok']).toBe('boolean')
  }
  expect(await node.request('ping')).toMatchObject({ ok: true })
})
