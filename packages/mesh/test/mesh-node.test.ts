import { afterEach, expect, test } from '@jest/globals'
import type { Link, Transport } from '@p2p/base'
import { MemoryTransport } from '@p2p/base/memory'
import { createServer } from 'node:net'
import { MeshNode, type MeshNodeOptions } from '../src/mesh-node.ts'
import type { ReceivedMessage } from '../src/received-message.ts'
import type { TopicSchema } from '../src/topic.ts'

const opened: MeshNode[] = []

async function open(options: MeshNodeOptions = {}): Promise<MeshNode> {
  const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0', ...options })
  opened.push(node)
  return node
}

/** A listening node and one that joined it. */
async function pair(): Promise<readonly [MeshNode, MeshNode]> {
  const a = await open()
  const joined = new Promise((resolve) => {
    a.on('connect', resolve)
  })
  const b = await open({ connect: a.addresses })
  await joined
  return [a, b]
}

function nextMessage(node: MeshNode): Promise<ReceivedMessage> {
  return new Promise((resolve) => {
    node.on('message', resolve, { once: true })
  })
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((node) => node.close()))
})

test('a broadcast reaches the other node, and its reply comes back', async () => {
  const [a, b] = await pair()
  const received = nextMessage(b)
  const id = a.broadcast('this is', 'a test')
  const message = await received
  expect(message).toMatchObject({ id, packets: ['this is', 'a test'], sender: a.id })
  expect(message.isPrivate).toBe(false)
  const answered = nextMessage(a)
  await message.reply('got', message.packets)
  expect(await answered).toMatchObject({ packets: ['got', ['this is', 'a test']], isPrivate: true })
})

test('equal messages sent at once all arrive', async () => {
  const [a, b] = await pair()
  const ids = Array.from({ length: 20 }, () => a.broadcast('again'))
  expect(new Set(ids).size).toBe(20)
  const received: string[] = []
  for await (const message of b.messages()) {
    received.push(message.id)
    if (received.length === 20) break
  }
  expect(received).toEqual(ids)
})

test('a message that is as long as a frame may be arrives; a longer one is refused and costs no link', async () => {
  const limits = { maxFrameBytes: 10_000 }
  const a = await open({ limits })
  const b = await open({ limits })
  await b.connect(a.addresses[0] ?? '')
  const lengthOf = async (text: string): Promise<number> => {
    const received = nextMessage(a)
    b.broadcast(text)
    return (await received).byteLength + 32
  }
  const overhead = (await lengthOf('x'.repeat(1_000))) - 1_000
  const fits = 'x'.repeat(limits.maxFrameBytes - overhead)
  expect(await lengthOf(fits)).toBe(limits.maxFrameBytes)
  expect(() => b.broadcast(`${fits}x`)).toThrow('exceeds maxFrameBytes')
  expect(() => b.whisper(a.id, `${fits}x`)).toThrow('exceeds maxFrameBytes')
  await expect(b.send(a.id, `${fits}x`)).rejects.toMatchObject({ code: 'P2P_ENCODE_TOO_LARGE' })
  expect(await lengthOf('still here')).toBeLessThan(limits.maxFrameBytes)
})

test('a whisper reaches one neighbour, and is refused for a node that is none', async () => {
  const [a, b] = await pair()
  const received = nextMessage(b)
  a.whisper(b.id, 'psst')
  expect((await received).packets).toEqual(['psst'])
  expect(() => a.whisper('nobody', 'psst')).toThrow(
    expect.objectContaining({ code: 'P2P_NOT_CONNECTED' }),
  )
})

test('send to an unknown node rejects with a code within its time', async () => {
  const [a] = await pair()
  await expect(a.deliver('nobody', ['hello'], { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'P2P_PEER_NOT_FOUND',
  })
})

test('values that the wire cannot carry are refused at once', async () => {
  const [a, b] = await pair()
  const circle: unknown[] = []
  circle.push(circle)
  expect(() => a.broadcast(circle as never)).toThrow()
  const received = nextMessage(b)
  a.broadcast('still works')
  expect((await received).packets).toEqual(['still works'])
})

test('receive hands out what waits, one or several', async () => {
  const [a, b] = await pair()
  expect(b.receive()).toBeUndefined()
  const last = new Promise<void>((resolve) => {
    b.on('message', (message) => {
      if (message.packets[0] === 3) resolve()
    })
  })
  for (const number of [1, 2, 3]) a.broadcast(number)
  await last
  expect(b.receive()?.packets).toEqual([1])
  expect(b.receive(5).map(({ packets }) => packets[0])).toEqual([2, 3])
})

test('what an event has shown is received as it was, private or not', async () => {
  const [a, b] = await pair()
  for (const send of [
    () => a.broadcast('to all', { bytes: Uint8Array.of(1, 2) }),
    () => a.whisper(b.id, 'to you', { bytes: Uint8Array.of(1, 2) }),
  ]) {
    const shown = nextMessage(b)
    const id = send()
    const { packets, sender, via, isPrivate, byteLength, timeSeconds } = await shown
    const received = b.receive()
    expect(received?.id).toBe(id)
    expect(received).toMatchObject({ packets, sender, via, isPrivate, byteLength, timeSeconds })
    await received?.reply('thanks')
  }
  expect(b.receive()).toBeUndefined()
})

/** Links in memory on which all bytes come in the middle of chunks of 64 KiB. */
function inLargeChunks(): Transport {
  const memory = new MemoryTransport()
  const widen = (link: Link): Link => {
    const attach = link.attach.bind(link)
    link.attach = (events) => {
      attach({
        onBytes: (bytes) => {
          const chunk = new Uint8Array(65_536)
          chunk.set(bytes, 1)
          events.onBytes(chunk.subarray(1, 1 + bytes.length))
        },
        onDrain: () => {
          events.onDrain()
        },
        onClose: (error) => {
          events.onClose(error)
        },
      })
    }
    return link
  }
  return {
    schemes: memory.schemes,
    dial: async (address, options) => widen(await memory.dial(address, options)),
    listen: (address, onLink) =>
      memory.listen(address, (link) => {
        onLink(widen(link))
      }),
  }
}

test('a message waits without the chunk that it came in', async () => {
  const options = { transports: [inLargeChunks()] }
  const a = await open({ ...options, listen: 'memory://large-chunks' })
  const b = await open({ ...options, listen: [], connect: a.addresses })
  const shown = nextMessage(a)
  b.whisper(a.id, 'small')
  expect((await shown).wire.body.buffer.byteLength).toBe(65_536)
  const received = a.receive()
  expect(received?.packets).toEqual(['small'])
  expect(received?.wire.body.buffer.byteLength).toBeLessThan(1_000)
})

test('a handler can keep messages, and one that throws does not stop them', async () => {
  const [a, b] = await pair()
  const kept: unknown[] = []
  const errors: string[] = []
  b.on('error', ({ code }) => errors.push(code))
  // A node that has just opened tells a turn later.
  const told = new Promise((resolve) => b.on('error', resolve))
  const stop = b.handle((message) => {
    if (message.packets[0] === 'throw') throw new Error('handler fault')
    kept.push(message.packets[0])
    return message.packets[0] === 'mine'
  })
  const received = nextMessage(b)
  for (const text of ['mine', 'throw']) a.broadcast(text)
  expect((await received).packets).toEqual(['throw'])
  expect(kept).toEqual(['mine'])
  await told
  expect(errors).toEqual(['P2P_HANDLER_FAILED'])
  stop()
  const next = nextMessage(b)
  a.broadcast('mine')
  expect((await next).packets).toEqual(['mine'])
})

const numberSchema: TopicSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'number' ? { value } : { issues: [{ message: 'not a number' }] },
  },
}

test('a report counts links, bytes, and why links were closed', async () => {
  const [a, b] = await pair()
  const before = a.report().mesh
  expect(before).toMatchObject({ links: 1, pendingLinks: 0, refusedLinks: 0 })
  expect(before.bytesIn).toBeGreaterThan(0)
  expect(before.bytesOut).toBeGreaterThan(0)
  const left = new Promise((resolve) => a.on('peer:leave', resolve))
  await b.close()
  await left
  expect(a.report().mesh).toMatchObject({ links: 0, 'closed:P2P_LINK_CLOSED': 1 })
  expect(a.metrics().bytesIn).toBeGreaterThanOrEqual(before.bytesIn ?? Infinity)
})

test('a topic hands on what fits its schema and tells of the rest', async () => {
  const [a, b] = await pair()
  const rejected = new Promise((resolve) => {
    b.on('message:rejected', resolve)
  })
  const values: number[] = []
  b.topic('numbers', numberSchema).on((value, { sender }) => {
    expect(sender).toBe(a.id)
    values.push(value)
  })
  const free: TopicSchema<unknown> = {
    '~standard': { ...numberSchema['~standard'], validate: (value: unknown) => ({ value }) },
  }
  const topic = a.topic('numbers', free)
  topic.publish(7)
  topic.publish('seven')
  expect(await rejected).toEqual({ topic: 'numbers', sender: a.id, issues: ['not a number'] })
  expect(values).toEqual([7])
  expect(b.receive()).toBeUndefined()
})

test('a schema that transforms is given what goes over the wire', async () => {
  const [a, b] = await pair()
  const lengths: TopicSchema<number, string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => ({ value: String(value).length }),
    },
  }
  const length = new Promise<number>((resolve) => b.topic('lengths', lengths).on(resolve))
  a.topic('lengths', lengths).publish('seven')
  expect(await length).toBe(5)
})

test('a topic that nobody listens to costs nothing, and one without a schema is refused', async () => {
  const [a, b] = await pair()
  let checked = 0
  const counting: TopicSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        checked += 1
        return { value: Number(value) }
      },
    },
  }
  for (let count = 0; count < 10; count += 1) b.topic('numbers', counting)
  const end = b.topic('numbers', counting).on(() => undefined)
  end()
  const heard = new Promise<number>((resolve) => b.topic('numbers', counting).on(resolve))
  a.topic('numbers', counting).publish(5)
  expect(await heard).toBe(5)
  expect(checked).toBe(1)
  expect(() => a.topic('numbers', Object.create(null))).toThrow('Standard Schema')
})

test('packets that are no list are refused, as text would arrive as letters', async () => {
  const [a, b] = await pair()
  const text = 'hello' as never
  await expect(a.deliver(b.id, text)).rejects.toThrow('list')
  await expect(a.request(b.id, text)).rejects.toThrow('list')
  b.respond(() => text)
  await expect(a.request(b.id, [])).rejects.toMatchObject({ code: 'P2P_REQUEST_REFUSED' })
})

test('a request is answered by the responder of the other node', async () => {
  const [a, b] = await pair()
  b.respond(({ packets, sender }) => ['sum', Number(packets[0]) + Number(packets[1]), sender])
  expect(await a.request(b.id, [1, 2])).toEqual(['sum', 3, a.id])
  b.respond(() => {
    throw new Error('not today')
  })
  await expect(a.request(b.id, [1, 2])).rejects.toMatchObject({ code: 'P2P_REQUEST_REFUSED' })
  b.respond(() => new Promise(() => undefined))
  await expect(a.request(b.id, [], { timeoutMs: 30 })).rejects.toMatchObject({
    code: 'P2P_REQUEST_TIMEOUT',
  })
  const wait = new AbortController()
  const given = { code: 'P2P_CANCELLED', cause: new Error('changed my mind') }
  const waiting = a.request(b.id, [], { signal: wait.signal })
  wait.abort(given.cause)
  await expect(waiting).rejects.toMatchObject(given)
  await expect(a.request(b.id, [], { signal: wait.signal })).rejects.toMatchObject(given)
  expect(a.metrics()['openRequests']).toBe(0)
})

test('a request with a time-out that is none is refused and leaves nothing open', async () => {
  const [a, b] = await pair()
  a.respond(() => ['!'])
  for (const timeoutMs of [NaN, 0, -1, '5' as never]) {
    await expect(b.request(a.id, ['?'], { timeoutMs })).rejects.toThrow(RangeError)
  }
  expect(b.metrics()['openRequests']).toBe(0)
})

test('1,024 requests are open, one more is refused and not sent', async () => {
  const [a, b] = await pair()
  let askedCount = 0
  a.respond(() => {
    askedCount += 1
    return new Promise(() => undefined)
  })
  const open = Array.from({ length: 1_024 }, () => b.request(a.id, ['?']).catch(() => undefined))
  await expect(b.request(a.id, ['?'])).rejects.toMatchObject({ code: 'P2P_TOO_MANY_REQUESTS' })
  const told = nextMessage(a)
  b.whisper(a.id, 'all are sent')
  await told
  expect(askedCount).toBe(1_024)
  await b.close()
  await Promise.all(open)
})

test('an answer that the wire cannot carry is refused at once, and told to both sides', async () => {
  const a = await open({ limits: { maxFrameBytes: 10_000 } })
  const b = await open()
  await b.connect(a.addresses[0] ?? '')
  const errors: string[] = []
  a.on('error', ({ code }) => errors.push(code))
  for (const respond of [
    () => [undefined as never],
    () => [new Uint8Array(10_000)],
    () => ['half \ud800 pair'],
    () => {
      throw new Error('half \ud800 pair')
    },
  ]) {
    a.respond(respond)
    const answer = b.request(a.id, ['?'], { timeoutMs: 4_000 })
    await expect(answer).rejects.toMatchObject({ code: 'P2P_REQUEST_REFUSED' })
  }
  expect(errors).toEqual(Array.from({ length: 4 }, () => 'P2P_ANSWER_FAILED'))
  a.respond(() => ['fine'])
  expect(await b.request(a.id, ['?'])).toEqual(['fine'])
})

test('a node that asked and hung up is not searched for', async () => {
  const [a, b] = await pair()
  const asked = new Promise<(packets: string[]) => void>((ask) => {
    a.respond(
      () =>
        new Promise<string[]>((resolve) => {
          ask(resolve)
        }),
    )
  })
  const answer = b.request(a.id, ['?']).catch(() => undefined)
  const finish = await asked
  const left = new Promise((resolve) => a.on('peer:leave', resolve))
  const failed = new Promise((resolve) => a.on('error', resolve))
  await b.close()
  await left
  finish(['too late'])
  expect(await failed).toMatchObject({
    code: 'P2P_ANSWER_FAILED',
    cause: { code: 'P2P_NOT_CONNECTED' },
  })
  expect(a.metrics()['openSearches']).toBe(0)
  await answer
})

test('a node that is no neighbour yet is searched for, asked, and answers', async () => {
  const [a, b] = await pair()
  const c = await open({ connect: a.addresses })
  c.respond(({ packets }) => ['found', ...packets])
  expect(await b.request(c.id, ['me'])).toEqual(['found', 'me'])
})

test('a node is found behind a bridge between two transports', async () => {
  const listen = ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0']
  const bridge = await open({ listen })
  const addressOf = (transport: string): string =>
    bridge.addresses.find((address) => address.startsWith(transport)) ?? ''
  const wanted = await open({ listen, connect: addressOf('ws') })
  const searcher = await open({ connect: addressOf('tcp') })
  expect(wanted.peers.get(bridge.id)?.transport).toBe('ws')
  const received = nextMessage(wanted)
  await searcher.deliver(wanted.id, ['found you'], { timeoutMs: 3_000 })
  expect((await received).packets).toEqual(['found you'])
  expect(searcher.peers.get(wanted.id)?.transport).toBe('tcp')
})

test('wrong limits of the queue are refused', async () => {
  const none = { maxMessages: undefined } as never
  await expect(MeshNode.open({ queue: none })).rejects.toThrow('maxMessages must be a number')
})

test('connect rejects with a code for each step that can fail', async () => {
  const a = await open()
  const wrong = await open({ subnet: 'other' })
  const silent = createServer((socket) => socket.resume())
  const chatty = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const portOf = async (server: ReturnType<typeof createServer>): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }
  const codeOf = async (address: string): Promise<unknown> =>
    a.connect(address, { timeoutMs: 300 }).then(
      () => 'connected',
      (error: { code?: string }) => error.code,
    )
  const [silentPort, chattyPort] = [await portOf(silent), await portOf(chatty)]
  const [wrongAddress = ''] = wrong.addresses
  expect(await codeOf(wrongAddress)).toBe('P2P_WRONG_NETWORK')
  expect(await codeOf(`tcp://127.0.0.1:${silentPort}`)).toBe('P2P_HANDSHAKE_TIMEOUT')
  expect(await codeOf(`tcp://127.0.0.1:${chattyPort}`)).toBe('P2P_NOT_P2P')
  for (const server of [silent, chatty]) {
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
  }
  expect(await codeOf(`tcp://127.0.0.1:${silentPort}`)).toBe('P2P_CONNECTION_REFUSED')
  expect(await codeOf(a.addresses[0] ?? '')).toBe('P2P_SELF')
  await a.close()
  expect(a.metrics()['handles']).toBe(0)
})

test('close ends the iterator, rejects what waits, and may be called twice', async () => {
  const [a, b] = await pair()
  const ended = (async () => {
    const messages: unknown[] = []
    for await (const message of b.messages()) messages.push(message)
    return messages
  })()
  const waiting = b.deliver('nobody', ['hello'])
  const outcome = expect(waiting).rejects.toMatchObject({ code: 'P2P_CLOSED' })
  await b.close()
  await b.close()
  await outcome
  expect(await ended).toEqual([])
  expect(() => b.broadcast('late')).toThrow(expect.objectContaining({ code: 'P2P_CLOSED' }))
  expect(b.metrics()['handles']).toBe(0)
  expect(a.id).not.toBe(b.id)
})

test('the signal that ends a node ends its iterators and questions, too', async () => {
  const abort = new AbortController()
  const a = await open()
  const b = await open({ connect: a.addresses, signal: abort.signal })
  const ended = (async () => {
    for await (const message of b.messages()) return message
    return 'ended'
  })()
  a.respond(() => new Promise(() => undefined))
  const question = expect(b.request(a.id, ['?'])).rejects.toMatchObject({ code: 'P2P_CLOSED' })
  await new Promise((resolve) => setImmediate(resolve))
  abort.abort()
  expect(await ended).toBe('ended')
  await question
})

test('a time-out of any length is one', async () => {
  const [a, b] = await pair()
  a.respond(() => ['!'])
  for (const timeoutMs of [Infinity, 2 ** 31]) {
    expect(await b.request(a.id, ['?'], { timeoutMs })).toEqual(['!'])
    const c = await open()
    expect(await c.connect(a.addresses[0] ?? '', { timeoutMs })).toMatchObject({ id: a.id })
  }
})

test('a signal ends waiting for messages', async () => {
  const b = await open()
  const abort = new AbortController()
  const reading = (async () => {
    for await (const message of b.messages({ signal: abort.signal })) return message
    return 'ended'
  })()
  abort.abort()
  expect(await reading).toBe('ended')
})
