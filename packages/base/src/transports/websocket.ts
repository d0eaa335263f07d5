/**
 * WebSocket in Node, both ends: `ws` and `wss`, compatible with js2p and with browsers.
 *
 * Messages are binary and mean nothing by themselves: they are read as one stream of bytes, as js2p
 * reads them. `wss` has a self-signed certificate unless one is given; browsers want a real one.
 *
 * Source: spec/wire.md 10. The `ws` package does the protocol: RFC 6455 with masking, fragments and
 * UTF-8 rules is not what this project is for.
 */
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { cancelled, throwIfCancelled } from '../cancellation.ts'
import { parseAddress } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Link, LinkEvents, Listener, Transport } from '../transport.ts'
import type { TransportName } from '../protocol/link.ts'
import { bindServer } from './bind-server.ts'
import { PendingSockets } from './pending-sockets.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'
import type { KeyAndCertificate } from './self-signed-certificate.ts'
import { dialError, linkError, systemCode } from './socket-errors.ts'
import { closeGraceMs, maxFlushMs, remoteAddress } from './socket-link.ts'
import { bytesToMessages, maxMessageBytes } from './websocket-messages.ts'

/** What stands in front of a message and inside it between its parts is not counted exactly. */
const heldStepBytes = 16_384
/** Waiting bytes above which the sender is asked to wait. */
const highWaterBytes = 65_536
/** How long an accepted connection may take to ask for the upgrade. */
const upgradeTimeoutMs = 10_000

export class WebSocketTransport implements Transport {
  readonly schemes = ['ws', 'wss'] as const
  #credentials: KeyAndCertificate | undefined

  /** @param credentials key and certificate in PEM for `wss`; made at the first use when not given */
  constructor(credentials?: KeyAndCertificate) {
    this.#credentials = credentials
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const { transport } = webAddress(address)
    const { signal, timeoutMs } = options
    throwIfCancelled(signal)
    const socket = new WebSocket(address, {
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      rejectUnauthorized: false,
    })
    const link = new WebSocketLink({ transport, remote: address, socket })
    socket.on('upgrade', (response) => {
      link.watch(response.socket)
    })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        fail(new P2pError('P2P_DIAL_TIMEOUT', `no answer from ${address} in ${timeoutMs} ms`))
      }, timeoutMs)
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        socket.off('error', onError)
        socket.off('open', onOpen)
      }
      const fail = (error: P2pError): void => {
        settle()
        socket.terminate()
        reject(error)
      }
      const onAbort = (): void => {
        fail(cancelled(signal))
      }
      const onError = (error: Error): void => {
        fail(webDialError(address, error))
      }
      const onOpen = (): void => {
        settle()
        resolve()
      }
      socket.on('error', onError)
      socket.on('open', onOpen)
      signal?.addEventListener('abort', onAbort)
    })
    return link
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const wanted = webAddress(address)
    const server = this.#createServer(wanted.transport)
    const pending = new PendingSockets()
    server.on('connection', (socket) => {
      pending.add(socket)
    })
    const upgrades = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      clientTracking: false,
    })
    server.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close' }).end('WebSocket only')
    })
    server.on('upgrade', (request: IncomingMessage, socket, head) => {
      upgrades.handleUpgrade(request, socket, head, (webSocket) => {
        pending.settle(request.socket)
        const remote = remoteAddress(wanted.transport, request.socket)
        const { transport } = wanted
        const link = new WebSocketLink({ transport, remote, socket: webSocket })
        link.watch(socket)
        onLink(link)
      })
    })
    return bindServer(server, wanted, pending)
  }

  #createServer(transport: TransportName): Server {
    const options = {
      headersTimeout: upgradeTimeoutMs,
      requestTimeout: upgradeTimeoutMs,
      noDelay: true,
    }
    if (transport === 'ws') return createHttpServer(options)
    this.#credentials ??= createSelfSignedCertificate('p2p')
    return createHttpsServer({
      ...options,
      ...this.#credentials,
      handshakeTimeout: upgradeTimeoutMs,
    })
  }
}

class WebSocketLink implements Link {
  readonly transport: TransportName
  readonly remote: string
  readonly #socket: WebSocket
  /** What came before the owner attached. */
  #early: Uint8Array[] = []
  #events: LinkEvents | undefined
  #error: P2pError | undefined
  #isClosed = false
  #owesDrain = false
  /** Of our own messages: `ws` writes pongs between them, which nobody here waits for. */
  #unwrittenCount = 0
  /** Bytes since the last whole message, as they came from the network. */
  #heldBytes = 0
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: {
    readonly transport: TransportName
    readonly remote: string
    readonly socket: WebSocket
  }) {
    this.transport = options.transport
    this.remote = options.remote
    this.#socket = options.socket
    this.#socket.binaryType = 'nodebuffer'
    this.#socket.on('message', (data: Buffer) => {
      this.#heldBytes = 0
      this.#onBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    })
    this.#socket.on('error', (error) => {
      this.#error ??= linkError(error)
    })
    this.#socket.on('close', () => {
      this.#isClosed = true
      clearTimeout(this.#closeTimer)
      this.#events?.onClose(this.#error)
    })
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount
  }

  /**
   * Watches the bytes under the messages: `ws` keeps a message to itself until it is whole, so this is
   * how the owner learns of a long one that is under way.
   */
  watch(stream: Duplex): void {
    // Before `ws` reads it: a message that ends in these bytes takes them off the count again.
    stream.prependListener('data', (chunk: Buffer) => {
      this.#heldBytes += chunk.length
      if (this.#heldBytes > heldStepBytes) this.#events?.onHeld?.(this.#heldBytes)
    })
  }

  attach(events: LinkEvents): void {
    const early = this.#early
    this.#early = []
    queueMicrotask(() => {
      this.#events = events
      for (const bytes of [...early, ...this.#early.splice(0)]) events.onBytes(bytes)
      if (this.#isClosed) events.onClose(this.#error)
    })
  }

  send(bytes: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return true
    for (const message of bytesToMessages(bytes)) {
      this.#unwrittenCount += 1
      this.#socket.send(message, { binary: true }, () => {
        this.#unwrittenCount -= 1
        if (this.#unwrittenCount === 0) this.#onFlushed()
      })
    }
    if (this.#socket.bufferedAmount > highWaterBytes) this.#owesDrain = true
    return !this.#owesDrain
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    if (this.#isClosed || this.#closeTimer !== undefined) return
    this.#socket.close()
    this.#terminateIn(this.#unwrittenCount > 0 ? maxFlushMs : closeGraceMs)
  }

  destroy(): void {
    this.#socket.terminate()
  }

  #onBytes(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#early.push(bytes)
    else this.#events.onBytes(bytes)
  }

  #terminateIn(delayMs: number): void {
    clearTimeout(this.#closeTimer)
    this.#closeTimer = setTimeout(() => {
      this.#socket.terminate()
    }, delayMs)
  }

  #onFlushed(): void {
    if (this.#closeTimer !== undefined && !this.#isClosed) this.#terminateIn(closeGraceMs)
    if (!this.#owesDrain) return
    this.#owesDrain = false
    this.#events?.onDrain()
  }
}

function webAddress(address: string): Address {
  const parsed = parseAddress(address)
  if (parsed?.transport !== 'ws' && parsed?.transport !== 'wss') {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no WebSocket address`)
  }
  return parsed
}

function webDialError(address: string, cause: Error): P2pError {
  // Another HTTP server, or something whose answer is no HTTP at all.
  const isAnswer =
    cause.message.startsWith('Unexpected server response') || systemCode(cause).startsWith('HPE_')
  if (!isAnswer) return dialError(address, cause)
  const text = `${address} answered, but not as a WebSocket server`
  return new P2pError('P2P_NOT_WEBSOCKET', text, { cause })
}
