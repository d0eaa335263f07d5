import { afterEach, describe, expect, test } from '@jest/globals'
import type { NodeOptions } from '../../src/node-options.ts'
import type { P2pError } from '../../src/protocol/errors.ts'
import { extensionMarker } from '../../src/protocol/handshake.ts'
import { createHelloPayload } from '../../src/protocol/hello.ts'
import { PlainNode } from '../plain-node.ts'
import { createMessage, encodeFrame } from '@p2p/serializer'
import { WebSocket } from 'ws'
import { RawPeer, bomb, greetingFrame, header } from './raw-peer.ts'

const nodes: PlainNode[] = []
const rawPeers: RawPeer[] = []

async function open(options: NodeOptions = {}): Promise<PlainNode> {
  const node = await PlainNode.open({ listen: 'tcp://127.0.0.1:0', ...options })
  nodes.push(node)
  return node
}

async function attack(node: PlainNode): Promise<RawPeer> {
  const raw = await RawPeer.open(node.address)
  rawPeers.push(raw)
  return raw
}

const webSockets: WebSocket[] = []

async function attackOverWebSocket(node: PlainNode): Promise<WebSocket> {
  const socket = new WebSocket(node.address)
  socket.on('error', () => undefined)
  webSockets.push(socket)
  await new Promise((resolve) => socket.once('open', resolve))
  return socket
}

function closed(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve))
}

/** An attacker whose handshake was accepted. */
async function attackAsPeer(node: PlainNode, id: string): Promise<RawPeer> {
  const raw = await attack(node)
  raw.greet(id)
  await peerOf(node, id)
  return raw
}

/** The other end may know of a link a moment earlier than this one. */
async function peerOf(node: PlainNode, id: string): Promise<void> {
  while (!node.shell.peers.has(id)) await node.next('peer:join')
}

async function reasonOfLeave(node: PlainNode): Promise<P2pError> {
  return (await node.next('peer:leave')).reason
}

afterEach(async () => {
  for (const raw of rawPeers.splice(0)) raw.end()
  for (const socket of webSockets.splice(0)) socket.terminate()
  await Promise.all(nodes.splice(0).map((node) => node.shell.close()))
})

describe('a hostile peer', () => {
  test('that announces 2 GiB is cut at the header, before and after its handshake', async () => {
    const node = await open()
    const early = await attack(node)
    early.socket.write(header(2 ** 31))
    await early.closed
    const late = await attackAsPeer(node, 'Eve')
    const left = reasonOfLeave(node)
    late.socket.write(header(2 ** 31))
    expect((await left).code).toBe('P2P_BAD_FRAME')
    await late.closed
  })

  test('gets no memory for a frame beyond a handshake before its handshake', async () => {
    const node = await open()
    const raw = await attack(node)
    raw.socket.write(header(1_048_576))
    raw.socket.write(new Uint8Array(70_000))
    await raw.closed
    expect(node.shell.peers.size).toBe(0)
  })

  test('gets no memory for a WebSocket message beyond a handshake before its handshake', async () => {
    const node = await open({ listen: 'ws://127.0.0.1:0' })
    const raw = await attackOverWebSocket(node)
    raw.send(new Uint8Array(40_000), { fin: false })
    raw.send(new Uint8Array(40_000), { fin: false })
    await closed(raw)
  })

  test('that leaves a WebSocket message unfinished is cut as one that leaves a frame unfinished', async () => {
    const node = await open({
      listen: 'ws://127.0.0.1:0',
      limits: { frameGraceMs: 50, minFrameBytesPerSecond: 1_000_000 },
    })
    const raw = await attackOverWebSocket(node)
    raw.send(greetingFrame('Eve', 'ws'))
    await peerOf(node, 'Eve')
    const left = reasonOfLeave(node)
    raw.send(new Uint8Array(60_000), { fin: false })
    expect((await left).code).toBe('P2P_FRAME_TOO_SLOW')
  })

  test('that sends WebSocket messages whole is not taken for a slow one', async () => {
    const node = await open({
      listen: 'ws://127.0.0.1:0',
      limits: { frameGraceMs: 1, minFrameBytesPerSecond: 1e9 },
    })
    const raw = await attackOverWebSocket(node)
    raw.send(greetingFrame('Eve', 'ws'))
    await peerOf(node, 'Eve')
    const message = createMessage({
      type: 2,
      sender: 'Eve',
      time: 1,
      payload: [2, new Uint8Array(60_000)],
    })
    for (let count = 0; count < 20; count += 1) {
      const heard = node.next('message')
      raw.send(encodeFrame(message))
      await heard
    }
    expect(node.shell.peers.size).toBe(1)
  })

  test('that sends a frame which inflates without end is cut', async () => {
    const node = await open()
    const raw = await attackAsPeer(node, 'Eve')
    const left = reasonOfLeave(node)
    raw.socket.write(bomb(64 * 1_048_576))
    const reason = await left
    expect(reason.code).toBe('P2P_BAD_FRAME')
    expect(reason.cause).toMatchObject({ code: 'P2P_INFLATED_TOO_LARGE' })
  })

  test('cannot keep honest peers out with silent links', async () => {
    const node = await open()
    const silent = await Promise.all(Array.from({ length: 200 }, () => attack(node)))
    const honest = await open({ connect: node.address })
    expect(honest.shell.peers.size).toBe(1)
    // All but the newest eight from one host are let go.
    await Promise.all(silent.slice(0, 190).map((raw) => raw.closed))
    expect(honest.shell.peers.size).toBe(1)
  })

  test('cannot take the id of a connected peer', async () => {
    const node = await open()
    const victim = await open({ connect: node.address })
    await peerOf(node, victim.shell.id)
    const raw = await attack(node)
    raw.greet(victim.shell.id)
    await raw.closed
    expect([...node.shell.peers.keys()]).toEqual([victim.shell.id])
    const message = victim.next('message')
    node.send(victim.shell.id, [2, 'still you'])
    expect((await message).message.payload).toEqual([2, 'still you'])
  })

  test('cannot take the id of a connected peer by saying later that it can be asked', async () => {
    const node = await open({ limits: { heartbeatTimeoutMs: 500 } })
    const victim = await open({ connect: node.address })
    await peerOf(node, victim.shell.id)
    const { id } = victim.shell
    const raw = await attack(node)
    raw.greet(id, [0x13, extensionMarker])
    raw.whisper(id, [2, 'instead of a hello'])
    const features = ['heartbeat', 'claim']
    const nonce = new Uint8Array(8).fill(7)
    raw.whisper(id, createHelloPayload({ features, nonce, addresses: [], maxFrameBytes: 65_536 }))
    const left = reasonOfLeave(node).then(({ code }) => code)
    expect(await Promise.race([raw.closed, left])).toBeUndefined()
    expect([...node.shell.peers.keys()]).toEqual([id])
  })

  test('cannot make a node throw or answer with garbage of any kind', async () => {
    const node = await open()
    const garbage = [
      new Uint8Array(0),
      header(0),
      Uint8Array.of(...header(33), ...new Uint8Array(33)),
      crypto.getRandomValues(new Uint8Array(5_000)),
      new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'),
    ]
    for (const bytes of garbage) {
      const raw = await attack(node)
      raw.socket.end(bytes)
      await raw.closed
    }
    const peer = await attackAsPeer(node, 'Eve')
    for (const payload of [[], [5], [5, 1, 2, 3, 4, 5], [0x7032, null], [0x7033, 'ping'], [1, 2]]) {
      peer.whisper('Eve', payload)
    }
    const message = node.next('message')
    peer.whisper('Eve', [2, 'alive'])
    await message
    expect(node.shell.report().lastErrors).toEqual([])
  })
})

describe('close()', () => {
  test('leaves nothing behind in any phase of a connection', async () => {
    const silent = await open()
    const phases: ((node: PlainNode) => Promise<unknown>)[] = [
      () => Promise.resolve(),
      (node) => Promise.resolve(void node.shell.connect(silent.address).catch(() => undefined)),
      (node) => attack(node),
      (node) => node.shell.connect(silent.address),
      async (node) => {
        await node.shell.connect(silent.address)
        node.send(silent.shell.id, [2, new Uint8Array(4_000_000)])
      },
    ]
    for (const phase of phases) {
      const node = await open()
      await phase(node)
      await Promise.all([node.shell.close(), node.shell.close()])
      expect(node.shell.report().handles).toBe(0)
    }
  })

  test('while opening ends the opening too', async () => {
    const node = new PlainNode({ listen: ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0'] })
    const starting = node.shell.start()
    await node.shell.close()
    await expect(starting).rejects.toMatchObject({ code: 'P2P_CLOSED' })
    expect(node.shell.report().handles).toBe(0)
  })
})
