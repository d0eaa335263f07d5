// Nodes over real sockets on loopback: the README's examples among our own.
import { afterEach, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { P2pyNode, type P2pyNodeOptions, type Received } from '../src/index.ts'

const open: P2pyNode[] = []

async function openNode(options: P2pyNodeOptions = {}): Promise<P2pyNode> {
  const node = await P2pyNode.open({ port: 0, ...options })
  open.push(node)
  return node
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()))
})

function nextMessage(node: P2pyNode): Promise<Received> {
  return new Promise((resolve) => node.on('message', resolve, { once: true }))
}

test('a node joins the network of another one and sends a text', async () => {
  const first = await openNode()
  const second = await openNode()
  const received = nextMessage(first)
  await second.join([first.address])
  expect([first.uuid, second.uuid, second.networkSize]).toEqual([0, 1, 2])
  await second.sendToUuid(0, { type: 'TEXT', data: 'Hi!' })
  const message = await received
  expect([message.type, message.data, message.from.uuid, message.isRequest]).toEqual([
    'TEXT',
    'Hi!',
    1,
    false,
  ])
})

test('a request is answered by what its handler returns', async () => {
  const first = await openNode()
  const second = await openNode()
  first.handle('ADD', ({ data }) => ({ type: 'ADD RESP', data: Number(data) + 1 }))
  await second.join([first.address])
  const response = await second.request({ uuid: 0 }, { type: 'ADD', data: 17 })
  expect(response.data).toBe(18)
})

test("a handler with p2py's three arguments responds by itself, and bounces", async () => {
  const [first, second, third] = [await openNode(), await openNode(), await openNode()]
  await second.joinNetwork([first.address])
  await third.connectToNetwork([first.address])
  await expectSoon(() => first.networkSize === 3)
  first.addHandler('ADD', async (_node, _connection, request) => {
    await request.bounce({ uuid: 2 })
  })
  third.addHandler('ADD', async (_node, connection, request) => {
    expect(connection.uuid).toBe(0)
    await request.respond({ type: 'ADD RESP', data: Number(request.contents.data) + 1 })
  })
  expect((await second.request({ uuid: 0 }, { type: 'ADD', data: 17 })).data).toBe(18)
})

test('a message over the connection another one came by finds its sender', async () => {
  const first = await openNode()
  const second = await openNode()
  await second.join([first.address])
  const received = nextMessage(first)
  await second.sendToAddress(first.address, { type: 'TEXT', data: 'ping' })
  const answered = nextMessage(second)
  await first.sendToConnection((await received).from, { type: 'TEXT', data: 'pong' })
  expect((await answered).data).toBe('pong')
})

test('waiting ends with the reason: nobody there, nobody known, called off, closed', async () => {
  const node = await openNode()
  const gone = await openNode()
  await gone.close()
  await expect(node.join([gone.address])).rejects.toMatchObject({ code: 'P2P_JOIN_FAILED' })
  await expect(node.sendToUuid(3, { type: 'TEXT' })).rejects.toMatchObject({
    code: 'P2P_NOT_JOINED',
  })
  await expect(node.request({ address: gone.address }, { type: 'TEST' })).rejects.toMatchObject({
    code: 'P2P_CONNECTION_REFUSED',
  })
  const silent = await openNode()
  const abort = new AbortController()
  const asked = node.request({ address: silent.address }, { type: 'X' }, { signal: abort.signal })
  abort.abort()
  await expect(asked).rejects.toMatchObject({ code: 'P2P_CANCELLED' })
  await node.close()
  await expect(node.sendToUuid(0, { type: 'TEXT' })).rejects.toMatchObject({ code: 'P2P_CLOSED' })
})

test("a caller's mistake is thrown at once", async () => {
  const node = await openNode()
  await expect(node.join([])).rejects.toThrow(RangeError)
  await expect(node.join([['no host!', 1]])).rejects.toThrow(RangeError)
  await expect(node.sendToUuid(0, { type: 'X', data: new Date() as never })).rejects.toThrow(
    TypeError,
  )
  await expect(node.sendToUuid(0, {} as never)).rejects.toThrow(TypeError)
  expect(() => {
    node.handle('JOIN REQUEST', () => undefined)
  }).toThrow(RangeError)
})

test('what the other side would close the link for is not sent', async () => {
  const first = await openNode()
  const second = await openNode()
  await second.join([first.address])
  const received = nextMessage(first)
  const refused = { code: 'P2P_PICKLE_LIMIT' }
  for (const data of [Array<number>(131_072).fill(0), 1n << (8n * 2_048n)]) {
    const message = { type: 'TEXT', data }
    await expect(second.sendToUuid(0, message)).rejects.toMatchObject(refused)
    await expect(second.sendToPeerBook(message)).rejects.toMatchObject(refused)
    await expect(second.request({ uuid: 0 }, message)).rejects.toMatchObject(refused)
  }
  await second.sendToUuid(0, { type: 'TEXT', data: Array<number>(130_000).fill(0) })
  expect((await received).data).toHaveLength(130_000)
  const wider = await openNode({ limits: { maxValues: 200_000 } })
  await wider.sendToAddress(first.address, { type: 'TEXT', data: Array<number>(140_000).fill(0) })
})

test('options that make no sense are refused before anything listens', async () => {
  const [, port] = (await openNode()).address
  await Promise.all(open.splice(0).map((node) => node.close()))
  const unknown: object = { maxNothing: 1 }
  await expect(P2pyNode.open({ port, limits: unknown })).rejects.toThrow(TypeError)
  await expect(P2pyNode.open({ port, host: 'no host!', listenHost: '127.0.0.1' })).rejects.toThrow(
    RangeError,
  )
  await expect(P2pyNode.open({ port: 70_000 })).rejects.toThrow(RangeError)
  await openNode({ port }) // which nobody listens on
})

test('a node may have an IPv6 address, where there are such', async () => {
  const opened: unknown = await openNode({ host: '::1' }).catch((error: unknown) => error)
  const said = opened instanceof P2pyNode ? opened.report().address : opened
  if (isP2pError(said)) expect(said.code).toMatch(/^P2P_LISTEN_/)
  else expect(said).toMatch(/^tcp:\/\/\[::1\]:\d+$/)
})

test('a signal that is aborted while a node opens closes it again', async () => {
  const abort = new AbortController()
  const opening = P2pyNode.open({ port: 0, signal: abort.signal })
  const cause = new Error('changed my mind')
  abort.abort(cause)
  await expect(opening).rejects.toMatchObject({ code: 'P2P_CANCELLED', cause })
})

test('what the caller gave up is not done later', async () => {
  const first = await openNode()
  const second = await openNode()
  const third = await openNode()
  await second.join([first.address])
  const abort = new AbortController()
  const wait = { signal: abort.signal }
  const texts: unknown[] = []
  first.on('message', ({ data }) => texts.push(data))
  const fourth = await openNode()
  const waits = [
    third.sendToAddress(first.address, { type: 'TEXT', data: 'given up' }, wait),
    third.request({ address: first.address }, { type: 'TEST' }, wait),
    fourth.join([first.address], wait),
  ]
  abort.abort()
  for (const given of waits) await expect(given).rejects.toMatchObject({ code: 'P2P_CANCELLED' })
  expect(third.report().pendingRequests).toBe(0)
  await third.sendToAddress(first.address, { type: 'TEXT', data: 'last' })
  await fourth.sendToAddress(first.address, { type: 'TEXT', data: 'last' })
  await expectSoon(() => texts.length === 2)
  expect([texts, fourth.joined]).toEqual([['last', 'last'], false])
})

test('times and UUIDs out of range are refused at once, and Infinity is no time-out', async () => {
  const first = await openNode()
  const second = await openNode()
  await second.join([first.address], { timeoutMs: Infinity })
  for (const timeoutMs of [NaN, 0, -1]) {
    const waits = [
      second.request({ uuid: 0 }, { type: 'TEST' }, { timeoutMs }),
      second.sendToUuid(0, { type: 'TEXT' }, { timeoutMs }),
      second.join([first.address], { timeoutMs }),
    ]
    for (const wait of waits) await expect(wait).rejects.toThrow(RangeError)
  }
  for (const uuid of [-1, 0.5, NaN, 2 ** 31]) {
    await expect(second.sendToUuid(uuid, { type: 'TEXT' })).rejects.toThrow(RangeError)
    await expect(second.request({ uuid }, { type: 'TEST' })).rejects.toThrow(RangeError)
  }
  expect(second.report().pendingRequests).toBe(0)
  const wait = { timeoutMs: Infinity }
  expect((await second.request({ uuid: 0 }, { type: 'TEST' }, wait)).data).toBe('Hi!')
})

test('a request waits as long as the limit says when its caller names no time', async () => {
  const first = await openNode()
  const second = await openNode({ limits: { requestTimeoutMs: 1 } })
  await second.join([first.address])
  const asking = second.request({ uuid: 0 }, { type: 'nobody answers' })
  await expect(asking).rejects.toMatchObject({ code: 'P2P_REQUEST_TIMEOUT' })
})

test('what is sent is what was given, whatever happens to it afterwards', async () => {
  const first = await openNode()
  const second = await openNode()
  const received = nextMessage(first)
  const data: unknown[] = ['as given']
  const sending = second.sendToAddress(first.address, { type: 'TEXT', data: data as string[] })
  data.push(undefined) // which nobody could send
  await sending
  expect((await received).data).toEqual(['as given'])
})

test('requests that nobody handles take no place from one that is being answered', async () => {
  const first = await openNode({ limits: { maxIncomingRequests: 2 } })
  const second = await openNode()
  await second.join([first.address])
  first.handle('SLOW', async () => {
    await expectSoon(() => first.report().rejected['P2P_NO_HANDLER'] === 2)
    return { type: 'DONE' }
  })
  const slow = second.request({ uuid: 0 }, { type: 'SLOW' })
  const abort = new AbortController()
  const unknown: Promise<unknown>[] = []
  for (const data of [1, 2]) {
    const wait = { signal: abort.signal }
    unknown.push(second.request({ uuid: 0 }, { type: 'UNKNOWN', data }, wait))
    await expectSoon(() => first.report().rejected['P2P_NO_HANDLER'] === data)
  }
  expect((await slow).type).toBe('DONE')
  abort.abort()
  for (const asked of unknown) await expect(asked).rejects.toMatchObject({ code: 'P2P_CANCELLED' })
})

test('a request is bounced to an address, too', async () => {
  const [first, second, third] = [await openNode(), await openNode(), await openNode()]
  await second.join([first.address])
  await third.join([first.address])
  await expectSoon(() => first.networkSize === 3)
  first.handle('ADD', (request) => request.bounce({ address: third.address }))
  third.handle('ADD', ({ data }) => ({ type: 'ADD RESP', data: Number(data) + 1 }))
  expect((await second.request({ uuid: 0 }, { type: 'ADD', data: 17 })).data).toBe(18)
})

test('what a handler throws is an error event, and the node goes on', async () => {
  const first = await openNode()
  const second = await openNode()
  await second.join([first.address])
  const failure = new Error('of the application')
  first.handle('BAD', () => {
    throw failure
  })
  const reported = new Promise((resolve) => first.on('error', resolve, { once: true }))
  await second.sendToUuid(0, { type: 'BAD' })
  expect(await reported).toBe(failure)
  expect((await second.request({ uuid: 0 }, { type: 'TEST' })).data).toBe('Hi!')
})

test('a node that closes is gone for the others at once', async () => {
  const first = await openNode()
  const second = await openNode()
  await second.join([first.address])
  const left = new Promise((resolve) => first.on('peer:leave', resolve, { once: true }))
  await second.close()
  expect(await left).toEqual({ uuid: 1 })
  expect(first.networkSize).toBe(1)
  expect(second.report()).toMatchObject({ uuid: null, links: 0, queues: [] })
})

async function expectSoon(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

test('a misspelt option is refused by its name, as other nodes refuse it', async () => {
  // Taken from a mesh node, by who writes JavaScript.
  const listen = { port: 0, listen: 'tcp://127.0.0.1:4444' } as P2pyNodeOptions
  await expect(openNode(listen)).rejects.toThrow('unknown option "listen"; known: port, host, ')
  const nothing = null as unknown as P2pyNodeOptions
  await expect(P2pyNode.open(nothing)).rejects.toThrow('options must be an object')
})

test('a name that is no event does not compile', async () => {
  const node = await openNode()
  // @ts-expect-error -- the event is peer:join
  expect(node.on('peer:joined', () => undefined)).toBeInstanceOf(Function)
})

test('options of the wrong kind are refused before there is a port to close', async () => {
  const controller: object = new AbortController()
  await expect(P2pyNode.open({ port: 0, signal: controller as AbortSignal })).rejects.toThrow(
    'signal must have a method addEventListener()',
  )
  const logger = {} as never
  await expect(P2pyNode.open({ port: 0, logger })).rejects.toThrow('logger must have a method')
})
