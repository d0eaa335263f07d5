import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { Driven } from './driven.ts'
import type { Line } from './driven.ts'

const driven: Driven[] = []

function start(): Driven {
  const node = new Driven('mesh')
  driven.push(node)
  return node
}

async function pair(): Promise<readonly [Driven, Driven, Line]> {
  const [a, b] = [start(), start()]
  const { addresses } = await a.request('listen', { host: '127.0.0.1', port: 0 })
  const opened = await b.request('listen', { listen: [] })
  const [address] = addresses as readonly string[]
  const connected = await b.request('connect', { address })
  expect(connected).toMatchObject({ ok: true })
  await a.line(({ ev, id }) => ev === 'peer_join' && id === opened['id'])
  return [a, b, opened]
}

afterEach(async () => {
  for (const node of driven) node.end()
  await Promise.all(driven.splice(0).map((node) => node.ended))
})

test('a broadcast and its reply pass between two driven nodes', async () => {
  const [a, b, opened] = await pair()
  const args = [
    { t: 'str', v: 'hello' },
    { t: 'float', hex: '3ff0000000000000' },
  ]
  const sent = await b.request('send', { args })
  const event = await a.line(({ ev }) => ev === 'message')
  expect(event).toMatchObject({
    id: sent['id'],
    sender: { t: 'str', v: opened['id'] },
    packets: { t: 'array', v: [{ t: 'int', v: '0' }, ...args] },
  })
  expect(await a.request('reply', { args: [{ t: 'nil' }] })).toMatchObject({ ok: true })
  const reply = await b.line(({ ev }) => ev === 'message')
  expect(reply['packets']).toEqual({ t: 'array', v: [{ t: 'int', v: '2' }, { t: 'nil' }] })
})

test('a node that does not listen has no address and no port', async () => {
  const [, , opened] = await pair()
  expect(opened).toMatchObject({ addresses: [], port: null })
})

test('status and peers tell of the neighbour', async () => {
  const [a, b, opened] = await pair()
  expect(await a.request('peers')).toMatchObject({ peers: [opened['id']], awaiting: 0 })
  expect(await b.request('status')).toMatchObject({
    status: 'Nominal',
    peers: [{ outgoing: true, old: false }],
  })
})

test('a second listen is refused, and a kind that is not built says so', async () => {
  const [a] = await pair()
  expect(await a.request('listen')).toMatchObject({ ok: false, code: 'P2P_ALREADY_LISTENING' })
  expect(await start().request('listen', { kind: 'chord' })).toMatchObject({
    ok: false,
    code: 'P2P_WRONG_KIND',
  })
})

test('a dial to a closed port is answered with its code', async () => {
  const [a, b] = await pair()
  const { addresses } = (await a.request('status'))['report'] as { addresses: readonly string[] }
  await a.request('close')
  const refused = await b.request('connect', { address: addresses[0], timeoutMs: 5_000 })
  expect(refused).toMatchObject({ ok: false, code: 'P2P_CONNECTION_REFUSED' })
})

test('a whisper to nobody is refused with a code', async () => {
  const [a] = await pair()
  expect(await a.request('whisper', { peer: 'nobody', args: [] })).toMatchObject({
    ok: false,
    code: 'P2P_NOT_CONNECTED',
  })
})

test('a node that is still opening when the end comes is closed as well', async () => {
  const node = start()
  const listening = node.request('listen', { port: 0 })
  node.write('{"op":"exit"}')
  await node.ended
  const { addresses } = await listening
  const [address] = addresses as readonly string[]
  const other = start()
  await other.request('listen', { listen: [] })
  expect(await other.request('connect', { address })).toMatchObject({
    code: 'P2P_CONNECTION_REFUSED',
  })
})

test.each(['Plaintext', 'SSL', 'ws', 'wss'])(
  'a host and a port are dialled with what the node listens with: %s',
  async (encryption) => {
    const [a, b] = [start(), start()]
    const opened = await a.request('listen', { encryption })
    // The same by address.
    const addresses = opened['addresses'] as readonly string[]
    const here = addresses.map((address) => address.replace(/:\d+$/, ':0'))
    expect(await b.request('listen', { listen: here })).toMatchObject({
      protocol: opened['protocol'],
    })
    const to = { host: '127.0.0.1', port: opened['port'] }
    expect(await b.request('connect', to)).toMatchObject({ ok: true, peer: opened['id'] })
  },
)

test('the network named on the command line is that of the listen command as well', async () => {
  const [a, b] = [new Driven('mesh', 'tea'), start()]
  driven.push(a)
  const opened = await a.request('listen')
  const { protocol } = await b.request('listen', { subnet: 'tea' })
  expect(opened).toMatchObject({ ok: true, protocol })
})

test('IPv6 hosts come with brackets or without', async () => {
  const [a, b] = [start(), start()]
  const opened = await a.request('listen', { host: '::1' })
  const { port } = opened
  expect(opened).toMatchObject({ ok: true, addresses: [`tcp://[::1]:${port}`] })
  expect(await b.request('listen', { host: '[::1]', out_addr: ['::1', 4_444] })).toMatchObject({
    addresses: ['tcp://[::1]:4444'],
  })
  expect(await b.request('connect', { host: '::1', port })).toMatchObject({ peer: opened['id'] })
})

test('the end comes in a moment while a node still joins others, and every command is answered', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const ends: readonly ((node: Driven) => void)[] = [
    (node) => node.interrupt(),
    (node) => node.end(),
    (node) => node.write('{"op":"exit"}'),
  ]
  for (const end of ends) {
    const node = start()
    const reached = once(silent, 'connection')
    const asked = [
      node.request('listen', { connect: `tcp://127.0.0.1:${port}` }),
      node.request('listen', { port: 0 }),
      node.request('sendto', { peer: 'nobody', args: [] }),
    ]
    await reached
    const started = performance.now()
    end(node)
    await node.ended
    expect(performance.now() - started).toBeLessThan(4_000)
    for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ ok: false })
    expect(node.lines.filter((line) => 're' in line && line['re'] !== null)).toHaveLength(3)
  }
  silent.close()
})

test('a folder that a node could not be opened with can be given again', async () => {
  const taken = start()
  const { port } = await taken.request('listen', { host: '127.0.0.1', port: 0 })
  const store = await mkdtemp(join(tmpdir(), 'p2p-store-'))
  const node = start()
  const refused = await node.request('listen', { host: '127.0.0.1', port, store })
  expect(refused).toMatchObject({ ok: false, code: 'P2P_ADDRESS_IN_USE' })
  const opened = await node.request('listen', { host: '127.0.0.1', port: 0, store })
  expect(opened).toMatchObject({ ok: true })
  expect(await node.request('status')).toMatchObject({ status: 'Nominal' })
  node.end()
  await node.ended
  await rm(store, { recursive: true })
})
