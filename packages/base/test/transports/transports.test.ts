import { describe, expect, test } from '@jest/globals'
import { concatBytes } from '@p2p/serializer'
import { WebSocket } from 'ws'
import { testTransport } from '../../src/testing/index.ts'
import { MemoryNetwork, MemoryTransport } from '../../src/transports/memory.ts'
import { TcpTransport } from '../../src/transports/tcp.ts'
import { TlsTransport } from '../../src/transports/tls.ts'
import { WebSocketTransport } from '../../src/transports/websocket.ts'
import { BrowserWebSocketTransport } from '../../src/transports/websocket-browser.ts'
import type { WebSocketConstructor } from '../../src/transports/websocket-browser.ts'
import type { Link, Transport } from '../../src/transport.ts'

/** A port that was free a moment ago, as an address of this scheme. */
async function deadAddress(scheme: string): Promise<string> {
  const listener = await new TcpTransport().listen('tcp://127.0.0.1:0', () => undefined)
  await listener.close()
  return listener.address.replace('tcp', scheme)
}

/** The browser's side dials, Node's side listens. */
function browserTransport(): Transport {
  const server = new WebSocketTransport()
  const browser = new BrowserWebSocketTransport(WebSocket as unknown as WebSocketConstructor)
  return {
    schemes: browser.schemes,
    dial: browser.dial.bind(browser),
    listen: server.listen.bind(server),
  }
}

const overSockets: readonly (readonly [string, string, () => Transport])[] = [
  ['tcp', 'tcp', () => new TcpTransport()],
  ['tls', 'tls', () => new TlsTransport()],
  ['ws', 'ws', () => new WebSocketTransport()],
  ['wss', 'wss', () => new WebSocketTransport()],
  ['ws from a browser', 'ws', browserTransport],
]
for (const [name, scheme, create] of overSockets) {
  testTransport(
    { describe, test, expect },
    {
      name,
      create,
      anyAddress: () => `${scheme}://127.0.0.1:0`,
      deadAddress: () => deadAddress(scheme),
    },
  )
}

const network = new MemoryNetwork()
let names = 0
testTransport(
  { describe, test, expect },
  {
    name: 'memory',
    create: () => new MemoryTransport(network),
    anyAddress: () => `memory://node-${(names += 1)}`,
    deadAddress: () => Promise.resolve('memory://nobody'),
  },
)

test('a listener on all interfaces names an address that others can dial', async () => {
  const listener = await new TcpTransport().listen('tcp://0.0.0.0:0', () => undefined)
  expect(listener.address).toMatch(/^tcp:\/\/0\.0\.0\.0:[1-9]/)
  expect(listener.advertised).toMatch(/^tcp:\/\/(?!0\.0\.0\.0)\d+\.\d+\.\d+\.\d+:[1-9]/)
  await listener.close()
})

test('a WebSocket dial to a plain web server, and TLS to something else, have their own codes', async () => {
  const web = await new WebSocketTransport().listen('ws://127.0.0.1:0', () => undefined)
  const plain = await new TcpTransport().listen('tcp://127.0.0.1:0', (link) => {
    link.attach({
      onBytes: () => link.destroy(),
      onDrain: () => undefined,
      onClose: () => undefined,
    })
    link.send(new TextEncoder().encode('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
  })
  const ask = (transport: Transport, address: string): Promise<unknown> =>
    transport.dial(address, { timeoutMs: 2_000 })
  await expect(ask(new TlsTransport(), web.address.replace('ws', 'tls'))).rejects.toMatchObject({
    code: 'P2P_NOT_TLS',
  })
  await expect(
    ask(new WebSocketTransport(), plain.address.replace('tcp', 'ws')),
  ).rejects.toMatchObject({
    code: 'P2P_NOT_WEBSOCKET',
  })
  await web.close()
  await plain.close()
})

test.each([
  ['Node', () => new WebSocketTransport()],
  ['a browser', browserTransport],
])('what is longer than a WebSocket message may be arrives whole from %s', async (_who, create) => {
  const transport = create()
  const sent = new Uint8Array(18 * 1_048_576).fill(7)
  sent[0] = 1
  sent[sent.length - 1] = 9
  const ends: Promise<unknown>[] = []
  let onAll: (received: Uint8Array) => void = () => undefined
  const all = new Promise<Uint8Array>((resolve) => (onAll = resolve))
  const attach = (link: Link, onBytes: (bytes: Uint8Array) => void): void => {
    const ended = new Promise<unknown>((resolve) => {
      link.attach({ onBytes, onDrain: () => undefined, onClose: resolve })
    })
    ends.push(ended)
  }
  const parts: Uint8Array[] = []
  const listener = await transport.listen?.('ws://127.0.0.1:0', (link) => {
    attach(link, (bytes) => {
      parts.push(bytes)
      if (parts.reduce((sum, { length }) => sum + length, 0) === sent.length) {
        onAll(concatBytes(...parts))
      }
    })
  })
  const link = await transport.dial(listener?.address ?? '', { timeoutMs: 5_000 })
  attach(link, () => undefined)
  link.send(sent)
  // Whichever comes first: a message that is too long ends the link.
  const received = await Promise.race([all, ...ends])
  expect(Buffer.compare(received as Uint8Array, sent)).toBe(0)
  link.destroy()
  await Promise.all(ends)
  await listener?.close()
})

test('pings of the other end do not keep a WebSocket link from saying when to go on', async () => {
  let onAccepted: (link: Link) => void = () => undefined
  const accepted = new Promise<Link>((resolve) => {
    onAccepted = resolve
  })
  const listener = await new WebSocketTransport().listen('wss://127.0.0.1:0', (link) => {
    onAccepted(link)
  })
  const socket = new WebSocket(listener.address, { rejectUnauthorized: false })
  await new Promise((resolve) => socket.once('open', resolve))
  const link = await accepted
  let onBytes: () => void = () => undefined
  let onDrain: () => void = () => undefined
  const heard = new Promise<void>((resolve) => (onBytes = resolve))
  const drained = new Promise<void>((resolve) => (onDrain = resolve))
  const ended = new Promise<void>((resolve) => {
    link.attach({ onBytes, onDrain, onClose: () => resolve() })
  })
  socket.pause()
  expect(link.send(new Uint8Array(16_000_000))).toBe(false)
  socket.ping()
  // Behind the ping: when it has come, the pong waits behind what is being sent.
  socket.send(Uint8Array.of(1))
  await heard
  socket.resume()
  await drained
  socket.terminate()
  await ended
  await listener.close()
})

test('a link of a browser that is destroyed has ended, however long the browser waits for the other end', async () => {
  const listeners = new Map<string, (event: { readonly data?: unknown }) => void>()
  class EndlessWebSocket {
    binaryType = ''
    readyState = 1
    bufferedAmount = 0
    constructor() {
      queueMicrotask(() => listeners.get('open')?.({}))
    }
    send(): void {
      this.bufferedAmount = 1
    }
    close(): void {
      this.readyState = 2
    }
    addEventListener(type: string, listener: (event: { readonly data?: unknown }) => void): void {
      listeners.set(type, listener)
    }
  }
  const transport = new BrowserWebSocketTransport(EndlessWebSocket)
  const link = await transport.dial('ws://127.0.0.1:1', { timeoutMs: 1_000 })
  const events: string[] = []
  await new Promise<void>((resolve) => {
    link.attach({
      onBytes: () => events.push('bytes'),
      onDrain: () => events.push('drain'),
      onClose: () => {
        events.push('close')
        resolve()
      },
    })
    link.destroy()
  })
  listeners.get('message')?.({ data: new ArrayBuffer(1) })
  listeners.get('close')?.({})
  expect(events).toEqual(['close'])
})
