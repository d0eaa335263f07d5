// A node's registration at a rendezvous server, over real sockets, with the test as the server. Timers are
// the test's own, so nothing here waits for one.
import { getEventListeners } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import type { Link } from '@p2p/base'
import { encodeInfo, encodeMessage, encodeResponse, readUnit } from '../../src/protocol/messages.ts'
import type { OutgoingMessage } from '../../src/protocol/messages.ts'
import type { NodeAddress } from '../../src/protocol/node-address.ts'
import {
  encodeIntroduction,
  readRelay,
  register,
  rendezvousTypes,
  yourAddress,
  type Introduction,
} from '../../src/protocol/rendezvous-messages.ts'
import { FrameSocket } from '../../src/punch/frame-socket.ts'
import { RendezvousClient } from '../../src/punch/rendezvous-client.ts'
import type { PyValue } from '../../src/pickle/values.ts'

const own = { host: '127.0.0.1', port: 4444 }

/** What the server does with a connection: register the node, or end it when the node has introduced itself. */
type Manner = 'register' | 'hang up'

function addressOf(listening: Server): NodeAddress {
  const bound = listening.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound')
  return { host: '127.0.0.1', port: bound.port }
}

class FakeServer {
  manner: Manner = 'register'
  connections = 0
  readonly open = new Map<Socket, FrameSocket>()
  /** Types of the requests that nodes made; answered only when there is somebody to introduce. */
  readonly asked: string[] = []
  peer: NodeAddress | undefined
  /** Both NATs give ports that can be known. */
  isIndependent = true
  /** Types of the messages that nodes sent, and the tokens in them. */
  readonly told: (readonly [type: string, token: string | undefined])[] = []
  readonly #server: Server = createServer((socket) => {
    this.#accept(socket)
  })

  async listen(): Promise<NodeAddress> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return addressOf(this.#server)
  }

  tell(message: OutgoingMessage): void {
    for (const connection of this.open.values()) connection.send(encodeMessage(message))
  }

  hangUp(): void {
    for (const connection of this.open.values()) connection.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(socket: Socket): void {
    this.connections += 1
    const connection = new FrameSocket(socket, {
      onValue: (value) => {
        this.#onValue(connection, value)
      },
      onClose: () => this.open.delete(socket),
    })
    this.open.set(socket, connection)
  }

  #onValue(connection: FrameSocket, value: PyValue): void {
    const unit = readUnit(value)
    if (this.manner === 'hang up') connection.destroy()
    else if (value === true) {
      connection.send(encodeInfo({ address: own, uuid: 1, isOurs: true }))
      connection.send(encodeMessage(yourAddress({ host: '203.0.113.1', port: 1 })))
    } else if (unit.kind === 'message' && unit.message.type === rendezvousTypes.register) {
      connection.send(encodeMessage(register(true)))
    } else if (unit.kind === 'message') {
      this.told.push([unit.message.type ?? '', readRelay(unit.message)?.token])
    } else if (unit.kind === 'request') {
      const { contents, requestId } = unit.envelope
      this.asked.push(contents.type)
      if (this.peer === undefined) return
      const answer = introductionTo(this.peer, {
        isRequester: true,
        isIndependent: this.isIndependent,
      })
      connection.send(encodeResponse(encodeMessage(answer), requestId))
    }
  }
}

const token = 'ab'.repeat(16)

function introductionTo(
  peer: NodeAddress,
  how: Pick<Introduction, 'isRequester' | 'isIndependent'> & { readonly token?: string },
): OutgoingMessage {
  const type = how.isRequester ? rendezvousTypes.initResponse : rendezvousTypes.init
  return encodeIntroduction(type, {
    target: { publicAddress: peer, privateAddress: peer },
    source: { publicAddress: own, privateAddress: own },
    token,
    isPeerIndependent: how.isIndependent,
    ...how,
  })
}

let server: FakeServer
let address: NodeAddress
let client: RendezvousClient

function openClient(signal?: AbortSignal): Promise<RendezvousClient> {
  const onLink = (link: Link): void => {
    link.destroy()
  }
  return RendezvousClient.open({ server: address, own, onLink, signal })
}

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] })
  server = new FakeServer()
  address = await server.listen()
  client = await openClient()
})

afterEach(async () => {
  await client.close()
  await server.close()
  jest.useRealTimers()
  jest.restoreAllMocks()
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

async function loseServer(): Promise<void> {
  server.hangUp()
  await until(() => client.state === 'lost')
}

test('a client that lost its server registers again', async () => {
  expect([client.state, jest.getTimerCount()]).toEqual(['registered', 0])
  await loseServer()
  jest.advanceTimersToNextTimer()
  await until(() => client.state === 'registered')
  expect([server.connections, server.open.size, jest.getTimerCount()]).toEqual([2, 1, 0])
})

test('a connection that is over leaves nothing behind, however often the client registers again', async () => {
  const controllers: AbortController[] = []
  const Plain = AbortController
  jest.spyOn(globalThis, 'AbortController').mockImplementation(() => {
    const controller = new Plain()
    controllers.push(controller)
    return controller
  })
  await client.close()
  client = await openClient()
  const listening = (): number =>
    controllers.reduce((sum, { signal }) => sum + getEventListeners(signal, 'abort').length, 0)
  const before = listening()
  expect([controllers.length, before]).toEqual([1, 1])
  for (let times = 0; times < 3; times += 1) {
    await loseServer()
    expect(listening()).toBe(0)
    jest.advanceTimersToNextTimer()
    await until(() => client.state === 'registered')
    expect(listening()).toBe(before)
  }
})

test('a client whose port is taken takes another one', async () => {
  const [taken = 0] = [...server.open.keys()].map((socket) => socket.remotePort)
  const drawn = jest.spyOn(crypto, 'getRandomValues').mockImplementationOnce((bytes) => {
    if (bytes instanceof Uint8Array) new DataView(bytes.buffer).setUint16(0, taken - 20_000)
    return bytes
  })
  const other = await openClient()
  expect([other.state, drawn.mock.calls.length]).toEqual(['registered', 2])
  await other.close()
})

test('a server that hangs up on everybody is tried once after each pause', async () => {
  server.manner = 'hang up'
  await loseServer()
  for (let tries = 1; tries <= 5; tries += 1) {
    jest.advanceTimersToNextTimer()
    await until(() => server.connections > tries && server.open.size === 0)
    await until(() => client.state === 'lost')
  }
  expect([server.connections, jest.getTimerCount()]).toEqual([6, 1])
})

test('a client that is closed while it connects again stays closed', async () => {
  await loseServer()
  jest.advanceTimersToNextTimer() // it connects now
  await client.close()
  const other = await openClient() // takes as long as it would have taken
  await other.close()
  await until(() => server.open.size === 0)
  expect([client.state, jest.getTimerCount()]).toEqual(['closed', 0])
})

test('whoever asks when the client is closed, or has no server, is told at once', async () => {
  const asking = client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  await until(() => server.asked.length === 1)
  await loseServer()
  await expect(asking).rejects.toMatchObject({ code: 'P2P_RENDEZVOUS_LOST' })
  const late = client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  await expect(late).rejects.toMatchObject({ code: 'P2P_RENDEZVOUS_LOST' })
  jest.advanceTimersToNextTimer()
  await until(() => client.state === 'registered')
  const last = client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  await until(() => server.asked.length === 2)
  await client.close()
  await expect(last).rejects.toMatchObject({ code: 'P2P_RENDEZVOUS_LOST' })
  expect(jest.getTimerCount()).toBe(0)
})

test('nodes that got through to each other end the relay that was kept for them', async () => {
  const peer = createServer((socket) => socket.pipe(socket)) // greets with the same token
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
  server.peer = addressOf(peer)
  const link = await client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  expect(client.linkCounts).toEqual({ punched: 1, relayed: 0 })
  link.destroy()
  server.peer = undefined
  const later = client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  const lost = expect(later).rejects.toMatchObject({ code: 'P2P_RENDEZVOUS_LOST' })
  await until(() => server.asked.length === 2)
  expect(server.told).toEqual([['RELAY END', token]])
  await client.close()
  await lost
  await new Promise((resolve) => peer.close(resolve))
})

test('no more is relayed than the server takes, and what is left over when the client is closed is let go', async () => {
  server.peer = { host: '127.0.0.1', port: 1 }
  server.isIndependent = false
  jest.spyOn(performance, 'now').mockReturnValue(0)
  const link = await client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  expect(link.send(new Uint8Array(1))).toBe(true)
  for (let count = 0; count < 2_100; count += 1) link.send(new Uint8Array(1))
  expect(link.send(new Uint8Array(1))).toBe(false)
  await client.reach({ host: '10.0.0.2', port: 4444 }, undefined)
  expect(server.told).toHaveLength(1_500)
  await client.close()
  expect(jest.getTimerCount()).toBe(0)
})

test('eight nodes of one host are met at a time, and sixteen in all; whoever is not is told', async () => {
  const meet = (host: string, number: number): string => {
    const token = String(number).padStart(32, '0')
    const how = { isRequester: false, isIndependent: true, token }
    server.tell(introductionTo({ host, port: 1 }, how))
    return token
  }
  const refused: string[] = []
  let number = 0
  for (const host of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
    for (let count = 0; count < 9; count += 1) {
      const token = meet(host, (number += 1))
      if (number > 18 || count === 8) refused.push(token)
    }
  }
  await until(() => server.told.length >= refused.length)
  expect(server.told).toEqual(refused.map((token) => ['RELAY END', token]))
})

test('a registration that is called off ends with all that it began', async () => {
  const abort = new AbortController()
  const opening = openClient(abort.signal)
  await until(() => server.connections === 2)
  abort.abort()
  await expect(opening).rejects.toMatchObject({ code: 'P2P_RENDEZVOUS_UNREACHABLE' })
  await until(() => server.open.size === 1)
  expect(jest.getTimerCount()).toBe(0)
})
