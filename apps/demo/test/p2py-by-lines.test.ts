import { afterEach, expect, test } from '@jest/globals'
import { Driven } from './driven.ts'
import type { Line } from './driven.ts'

const driven: Driven[] = []

/** Nodes of one network: the first is UUID 0, the others join it in turn. */
async function network(count: number): Promise<readonly Driven[]> {
  const nodes = Array.from({ length: count }, () => new Driven('p2py'))
  driven.push(...nodes)
  const [first, ...others] = nodes
  const address = await listening(first)
  for (const node of others) {
    await listening(node)
    const joined = await node.request('p2py_join', { address })
    expect(joined).toMatchObject({ ok: true, uuid: nodes.indexOf(node) })
    // A request can be bounced to it once everybody has heard of it.
    for (const other of nodes.slice(0, nodes.indexOf(node)))
      await other.line(({ ev, id }) => ev === 'peer_join' && id === String(nodes.indexOf(node)))
  }
  return nodes
}

async function listening(node: Driven | undefined): Promise<readonly [string, number]> {
  const opened = await node?.request('listen', { port: 0 })
  expect(opened).toMatchObject({ ok: true, protocol: 'p2py' })
  return ['127.0.0.1', Number(opened?.['port'])]
}

const dataOf = (answer: Line): unknown => {
  const response = answer['response'] as { v: [{ v: string }, unknown][] }
  return response.v.find(([key]) => key.v === 'data')?.[1]
}

afterEach(async () => {
  for (const node of driven) node.end()
  await Promise.all(driven.splice(0).map((node) => node.ended))
})

test('a text by UUID, and by address, arrives with its sender and every type of Python kept', async () => {
  const [a, b] = await network(2)
  const data = {
    t: 'dict',
    v: [
      [
        { t: 'str', v: 'tuple' },
        { t: 'tuple', v: [{ t: 'int', v: '18446744073709551616' }] },
      ],
      [
        { t: 'bytes', hex: '00ff' },
        { t: 'float', hex: '3ff0000000000000' },
      ],
      [{ t: 'none' }, { t: 'set', v: [{ t: 'bool', v: true }] }],
      [
        { t: 'int', v: '1' },
        { t: 'list', v: [{ t: 'bytearray', hex: '' }] },
      ],
    ],
  }
  expect(await b?.request('p2py_send', { uuid: 0, message: { type: 'TEXT', data } })).toMatchObject(
    { ok: true },
  )
  expect(await a?.line(({ ev }) => ev === 'text')).toMatchObject({ uuid: 1, data })
  const { from } = (await a?.line(({ ev }) => ev === 'text')) ?? {}
  const plain = { type: 'TEXT', data: 'by address' }
  await a?.request('p2py_send', { address: from, message: plain })
  expect(await b?.line(({ ev }) => ev === 'text')).toMatchObject({
    uuid: 0,
    data: { t: 'str', v: 'by address' },
  })
})

test('requests are answered by echo, by adding one, and by another node after a bounce', async () => {
  const [a, b, c] = await network(3)
  await a?.request('p2py_handle', { type: 'ECHO', reply: 'echo' })
  await a?.request('p2py_handle', { type: 'ADD', reply: 'bounce:2' })
  await c?.request('p2py_handle', { type: 'ADD', reply: 'add_one' })
  const ask = async (type: string, data: unknown): Promise<unknown> =>
    dataOf((await b?.request('p2py_request', { uuid: 0, message: { type, data } })) ?? {})
  expect(await ask('ECHO', 'x')).toEqual({ t: 'str', v: 'x' })
  expect(await ask('ADD', 17)).toEqual({ t: 'int', v: '18' })
})

test('adding one is that of Python: ints have no end, True is 1, a float stays one', async () => {
  const [a, b] = await network(2)
  await a?.request('p2py_handle', { type: 'ADD', reply: 'add_one' })
  const sums: readonly (readonly [object, object])[] = [
    [
      { t: 'int', v: '9007199254740991' },
      { t: 'int', v: '9007199254740992' },
    ],
    [
      { t: 'int', v: '-9007199254740993' },
      { t: 'int', v: '-9007199254740992' },
    ],
    [
      { t: 'bool', v: true },
      { t: 'int', v: '2' },
    ],
    [
      { t: 'float', hex: '3c00000000000000' },
      { t: 'float', hex: '3ff0000000000000' },
    ],
  ]
  for (const [data, sum] of sums) {
    const answer = await b?.request('p2py_request', { uuid: 0, message: { type: 'ADD', data } })
    expect(dataOf(answer ?? {})).toEqual(sum)
  }
})

test('connect joins by host and port, or by address; the peer is the UUID of that node', async () => {
  const [a, b, c] = [new Driven('p2py'), new Driven('p2py'), new Driven('p2py')]
  driven.push(a, b, c)
  const [host, port] = await listening(a)
  await listening(b)
  await listening(c)
  expect(await b.request('connect', { host, port })).toMatchObject({ ok: true, peer: '0' })
  const address = `tcp://${host}:${port}`
  // Whoever is a neighbour stays it.
  expect(await b.request('connect', { address })).toMatchObject({ ok: true, peer: '0' })
  expect(await b.request('status')).toMatchObject({
    report: { uuid: 1 },
    peers: [{ id: '0', address, outgoing: true, old: false }],
  })
  expect(await a.request('status')).toMatchObject({
    peers: [{ id: '1', outgoing: false, old: false }],
  })
  // The member with the highest UUID lets newcomers in.
  expect(await c.request('connect', { address })).toMatchObject({ ok: true, peer: '1' })
})

test('a p2py network has no encryption, and no second address', async () => {
  const node = new Driven('p2py')
  driven.push(node)
  for (const fields of [{ encryption: 'wss' }, { out_addr: ['198.51.100.1', 4_444] }])
    expect(await node.request('listen', fields)).toMatchObject({ code: 'P2P_BAD_COMMAND' })
  expect(await node.request('listen', { encryption: 'Plaintext' })).toMatchObject({ ok: true })
})

test('IPv6 addresses have brackets in URLs, and none elsewhere', async () => {
  const [a, b] = [new Driven('p2py'), new Driven('p2py')]
  driven.push(a, b)
  const { addresses, port } = await a.request('listen', { host: '::1' })
  expect(addresses).toEqual([`tcp://[::1]:${port}`])
  const opened = await b.request('listen', { host: '[::1]' })
  expect(await b.request('p2py_join', { address: ['::1', port] })).toMatchObject({ ok: true })
  const joined = await a.line(({ ev }) => ev === 'peer_join')
  expect([joined['address']]).toEqual(opened['addresses'])
})

test('a message to the peer book reaches the neighbours that are not excluded', async () => {
  const [a, b, c] = await network(3)
  // A newcomer is in the book once he has talked with us.
  await c?.request('p2py_send', { uuid: 0, message: { type: 'TEXT', data: 'here' } })
  await a?.line(({ ev }) => ev === 'text')
  await a?.request('p2py_book', { message: { type: 'NEWS', data: 1 }, exclude: [1] })
  expect(await c?.line(({ ev }) => ev === 'message')).toMatchObject({ type: 'NEWS', uuid: 0 })
  expect(b?.lines.some(({ ev }) => ev === 'message')).toBe(false)
})

test('a node that leaves is reported, and status and peers tell who is left', async () => {
  const [a, b] = await network(2)
  expect(await a?.request('peers')).toMatchObject({ peers: ['1'], awaiting: 0 })
  await b?.request('p2py_leave')
  expect(await a?.line(({ ev }) => ev === 'peer_leave')).toMatchObject({ id: '1' })
  expect(await a?.request('status')).toMatchObject({
    status: 'Nominal',
    peers: [],
    report: { uuid: 0, network_size: 1 },
  })
  expect(await b?.request('status')).toMatchObject({ report: { uuid: null } })
})

test('what cannot be done is refused with a code', async () => {
  const [a] = await network(1)
  const message = { type: 'TEXT', data: 'x' }
  const [mesh, early] = [new Driven('mesh'), new Driven('p2py')]
  driven.push(mesh, early)
  const refusals = [
    await a?.request('p2py_send', { message }),
    await a?.request('p2py_send', { uuid: 0, message }),
    await a?.request('p2py_handle', { type: 'X', reply: 'anything' }),
    await a?.request('send', { args: [] }),
    await early.request('p2py_leave'),
  ].map((answer) => answer?.['code'])
  expect(refusals).toEqual([
    'P2P_BAD_COMMAND',
    'P2P_NOT_JOINED',
    'P2P_BAD_COMMAND',
    'P2P_WRONG_KIND',
    'P2P_NOT_LISTENING',
  ])
  await mesh.request('listen', { listen: [] })
  expect(await mesh.request('p2py_leave')).toMatchObject({ code: 'P2P_WRONG_KIND' })
})

test('a node that cannot join is closed again, and can be opened anew', async () => {
  const node = new Driven('p2py')
  driven.push(node)
  const refused = await node.request('listen', { connect: 'tcp://127.0.0.1:1' })
  expect(refused).toMatchObject({ ok: false, code: 'P2P_JOIN_FAILED' })
  expect(await node.request('listen', { port: 0 })).toMatchObject({ ok: true })
})
