import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { MemoryStore } from '../src/store.ts'
import { TcpTransport } from '../src/transports/tcp.ts'
import type { NodeOptions } from '../src/node-options.ts'
import { PlainNode } from './plain-node.ts'

const nodes: PlainNode[] = []
const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = []

async function open(options: NodeOptions = {}): Promise<PlainNode> {
  const node = await PlainNode.open({ listen: 'tcp://127.0.0.1:0', ...options })
  nodes.push(node)
  return node
}

/** A TCP server that is no p2p node. */
async function serve(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  servers.push({ server, sockets })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
}

afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  await Promise.all(nodes.splice(0).map((node) => node.shell.close()))
})

describe('NodeShell over TCP', () => {
  test('two nodes connect and exchange a message', async () => {
    const alice = await open()
    const bob = await open()
    const peer = await alice.shell.connect(bob.address)
    expect(peer).toMatchObject({
      id: bob.shell.id,
      kind: 'ours',
      outgoing: true,
      address: bob.address,
    })
    const message = bob.next('message')
    alice.send(bob.shell.id, [2, 'hello'])
    expect((await message).message.payload).toEqual([2, 'hello'])
  })

  test('a message larger than every buffer arrives whole', async () => {
    const alice = await open({ compression: [] })
    const bob = await open()
    await alice.shell.connect(bob.address)
    const message = bob.next('message')
    const big = new Uint8Array(8 * 1_048_576).fill(7)
    alice.send(bob.shell.id, [2, big])
    const payload = (await message).message.payload
    expect(Buffer.compare(payload[1] as Uint8Array, big)).toBe(0)
  })

  test('connect tells closed, silent, hanging-up, foreign and differing ports apart', async () => {
    const alice = await open()
    const other = await open({ subnet: 'other' })
    const dead = await new TcpTransport().listen('tcp://127.0.0.1:0', () => undefined)
    await dead.close()
    const cases: [string, string][] = [
      [dead.address, 'P2P_CONNECTION_REFUSED'],
      [await serve(() => undefined), 'P2P_HANDSHAKE_TIMEOUT'],
      [await serve((socket) => socket.end()), 'P2P_CLOSED_IN_HANDSHAKE'],
      [await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), 'P2P_NOT_P2P'],
      [other.address, 'P2P_WRONG_NETWORK'],
      [alice.address, 'P2P_SELF'],
    ]
    for (const [address, code] of cases) {
      await expect(alice.shell.connect(address, { timeoutMs: 300 })).rejects.toMatchObject({ code })
    }
    await alice.shell.close()
    expect(alice.shell.report().handles).toBe(0)
  })

  test('connect waits for limits.dialTimeoutMs when it is not told how long', async () => {
    const node = await open({ limits: { dialTimeoutMs: 200 } })
    const silent = await serve(() => undefined)
    const startedMs = performance.now()
    await expect(node.shell.connect(silent)).rejects.toMatchObject({
      code: 'P2P_HANDSHAKE_TIMEOUT',
    })
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    const long = await open({ limits: { dialTimeoutMs: Infinity } })
    expect(await long.shell.connect(node.address)).toMatchObject({ id: node.shell.id })
  })

  test('a node that is told where others are joins them when it opens', async () => {
    const seed = await open()
    const joined = await open({ connect: [seed.address] })
    expect([...joined.shell.peers.keys()]).toEqual([seed.shell.id])
    await expect(open({ connect: seed.address, listen: seed.address })).rejects.toMatchObject({
      code: 'P2P_ADDRESS_IN_USE',
    })
  })

  test('what failed while a node opened is told to who listens once it is open, once', async () => {
    const other = await open({ subnet: 'other' })
    const node = await open({ connect: other.address })
    const codes: string[] = []
    node.shell.events.on('error', ({ code }) => codes.push(code))
    expect(codes).toEqual([])
    await expect(node.shell.connect(other.address)).rejects.toMatchObject({
      code: 'P2P_WRONG_NETWORK',
    })
    expect(codes).toEqual(['P2P_WRONG_NETWORK'])
    expect(node.shell.report().lastErrors).toHaveLength(1)
  })

  test('a node that is closed by its signal before it has opened is not handed out', async () => {
    const early = open({ listen: [], signal: AbortSignal.abort() })
    await expect(early).rejects.toMatchObject({ code: 'P2P_CLOSED' })
    const controller = new AbortController()
    const silent = await serve(() => {
      controller.abort()
    })
    const late = open({ listen: [], connect: silent, signal: controller.signal })
    await expect(late).rejects.toMatchObject({ code: 'P2P_CLOSED' })
  })

  test('a node that has a store finds its network again without being told', async () => {
    const store = new MemoryStore()
    const seed = await open()
    const first = await open({ store, connect: seed.address })
    await first.shell.close()
    const second = await open({ store })
    expect([...second.shell.peers.keys()]).toEqual([seed.shell.id])
  })

  test('a store that cannot be read is reported, and keeps nobody from joining', async () => {
    const seed = await open()
    const store = new MemoryStore()
    store.iterate = () => {
      throw new Error('the disk is gone')
    }
    const node = await open({ store, connect: seed.address })
    expect([...node.shell.peers.keys()]).toEqual([seed.shell.id])
    expect(node.shell.report().lastErrors.map(({ code }) => code)).toEqual(['P2P_STORE_FAILED'])
  })

  test('the addresses in a store have an end, however often the node is started', async () => {
    const store = new MemoryStore()
    const seed = await open()
    for (let run = 1; run <= 5; run += 1) {
      await store.put(`base/address/tcp://10.${run}.0.1:1`, new Uint8Array(8))
    }
    const limits = { maxKnownAddresses: 5 }
    const node = await open({ store, connect: seed.address, limits })
    await node.shell.close()
    const kept: string[] = []
    for await (const [key] of store.iterate('base/address/')) kept.push(key)
    expect(kept).toHaveLength(5)
    expect(kept).toContain(`base/address/${seed.address}`)
  })

  test('one node joins links of several transports, each under its own network id', async () => {
    const bridge = await open({
      listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0', 'tls://127.0.0.1:0'],
    })
    const expected = []
    for (const address of bridge.shell.addresses) {
      const joined = bridge.next('peer:join')
      const node = await open({ listen: [], connect: address })
      await joined
      expected.push([node.shell.id, address.split('://')[0]])
      expect(node.shell.peers.get(bridge.shell.id)?.address).toBe(address)
    }
    const seen = [...bridge.shell.peers.values()].map(({ id, transport }) => [id, transport])
    expect(seen).toEqual(expected)
  })

  test('whoever leaves is missed, with a reason', async () => {
    const alice = await open()
    const bob = await open({ connect: alice.address })
    const left = alice.next('peer:leave')
    await bob.shell.close()
    const { peer, reason } = await left
    expect(peer.id).toBe(bob.shell.id)
    expect(reason.code).toBe('P2P_LINK_CLOSED')
  })

  test('a signal ends one wait, another one the whole node', async () => {
    const silent = await serve(() => undefined)
    const controller = new AbortController()
    const alice = await open({ signal: controller.signal })
    const wait = new AbortController()
    const given = { code: 'P2P_CANCELLED', cause: new Error('changed my mind') }
    const waiting = alice.shell.connect(silent, { signal: wait.signal })
    wait.abort(given.cause)
    await expect(waiting).rejects.toMatchObject(given)
    await expect(alice.shell.connect(silent, { signal: wait.signal })).rejects.toMatchObject(given)
    const connecting = alice.shell.connect(silent)
    controller.abort()
    await expect(connecting).rejects.toMatchObject({ code: 'P2P_CLOSED' })
    await alice.shell.close()
    expect(alice.shell.report().handles).toBe(0)
    await expect(alice.shell.connect(silent)).rejects.toMatchObject({ code: 'P2P_CLOSED' })
  })

  test('what a handler throws reaches the error event, not the peer', async () => {
    const alice = await open()
    const bob = await open({ connect: alice.address })
    alice.shell.events.on('message', () => {
      throw new Error('handler bug')
    })
    const error = alice.next('error')
    bob.send(alice.shell.id, [2, 'boom'])
    expect((await error).code).toBe('P2P_HANDLER_FAILED')
    expect(alice.shell.peers.size).toBe(1)
    expect(alice.shell.report().lastErrors).toHaveLength(1)
  })
})

test('many messages sent in one turn leave in a few writes', async () => {
  let chunks = 0
  const counting = new TcpTransport()
  const transport = {
    schemes: counting.schemes,
    dial: counting.dial.bind(counting),
    listen: (address: string, onLink: Parameters<TcpTransport['listen']>[1]) =>
      counting.listen(address, (link) => {
        const attach = link.attach.bind(link)
        link.attach = (events) => {
          attach({
            ...events,
            onBytes: (bytes) => {
              chunks += 1
              events.onBytes(bytes)
            },
          })
        }
        onLink(link)
      }),
  }
  const bob = await open({ transports: [transport] })
  const alice = await open({ connect: bob.address })
  const chunksBefore = chunks
  let received = 0
  const all = new Promise<void>((resolve) => {
    bob.shell.events.on('message', () => {
      received += 1
      if (received === 500) resolve()
    })
  })
  for (let index = 0; index < 500; index += 1) alice.send(bob.shell.id, [2, index])
  await all
  expect(chunks - chunksBefore).toBeLessThan(10)
})
