/**
 * WebSocket in a browser tab, or wherever else there is a global `WebSocket`. It dials and cannot
 * listen: a tab is reached through the nodes it dialled.
 */
import { parseAddress } from '../protocol/address.ts'
import { cancelled, throwIfCancelled } from '../cancellation.ts'
import { P2pError } from '../protocol/errors.ts'
import type { TransportName } from '../protocol/link.ts'
import type { Link, LinkEvents, Transport } from '../transport.ts'
import { bytesToMessages } from './websocket-messages.ts'

/** The part of the web's WebSocket that is used. */
interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  send(bytes: Uint8Array): void
  close(): void
  addEventListener(type: string, listener: (event: { readonly data?: unknown }) => void): void
}

export type WebSocketConstructor = new (url: string) => WebSocketLike

const openState = 1
/** Waiting bytes above which the sender is asked to wait. */
const highWaterBytes = 65_536
/** Browsers do not say when bytes have left: somebody has to look. */
const drainCheckMs = 20

export class BrowserWebSocketTransport implements Transport {
  readonly schemes = ['ws', 'wss'] as const
  readonly #WebSocket: WebSocketConstructor | undefined

  /** @param constructor in place of the global `WebSocket` */
  constructor(constructor?: WebSocketConstructor) {
    const { WebSocket } = globalThis as { readonly WebSocket?: WebSocketConstructor }
    this.#WebSocket = constructor ?? WebSocket
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const transport = parseAddress(address)?.transport
    if (transport !== 'ws' && transport !== 'wss') {
      throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no WebSocket address`)
    }
    if (this.#WebSocket === undefined) {
      throw new P2pError('P2P_NO_TRANSPORT', 'no WebSocket here')
    }
    const { signal, timeoutMs } = options
    throwIfCancelled(signal)
    const socket = new this.#WebSocket(address)
    socket.binaryType = 'arraybuffer'
    const link = new BrowserWebSocketLink(transport, address, socket)
    let timer: ReturnType<typeof setTimeout> | undefined
    let onAbort: () => void = () => undefined
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new P2pError('P2P_DIAL_TIMEOUT', `no answer from ${address} in ${timeoutMs} ms`))
        }, timeoutMs)
        onAbort = () => {
          reject(cancelled(signal))
        }
        signal?.addEventListener('abort', onAbort)
        socket.addEventListener('open', () => {
          resolve()
        })
        // Why, a browser does not tell.
        socket.addEventListener('error', () => {
          reject(new P2pError('P2P_CONNECTION_REFUSED', `cannot reach ${address}`))
        })
      })
    } catch (error) {
      socket.close()
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    return link
  }
}

class BrowserWebSocketLink implements Link {
  readonly transport: TransportName
  readonly remote: string
  readonly #socket: WebSocketLike
  #waiting: Uint8Array[] = []
  #events: LinkEvents | undefined
  #isPaused = false
  #isClosed = false
  #drainTimer: ReturnType<typeof setInterval> | undefined

  constructor(transport: TransportName, remote: string, socket: WebSocketLike) {
    this.transport = transport
    this.remote = remote
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) this.#waiting.push(new Uint8Array(data))
      this.#deliver()
    })
    socket.addEventListener('close', () => {
      this.#end()
    })
  }

  get queuedBytes(): number {
    return this.#isClosed ? 0 : this.#socket.bufferedAmount
  }

  attach(events: LinkEvents): void {
    queueMicrotask(() => {
      this.#events = events
      this.#deliver()
    })
  }

  send(bytes: Uint8Array): boolean {
    if (this.#socket.readyState !== openState) return true
    for (const message of bytesToMessages(bytes)) this.#socket.send(message)
    if (this.#socket.bufferedAmount <= highWaterBytes) return true
    this.#drainTimer ??= setInterval(() => {
      this.#checkDrained()
    }, drainCheckMs)
    return false
  }

  /** The browser goes on receiving; what comes is kept here. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#deliver()
  }

  close(): void {
    this.#socket.close()
  }

  /** The browser would wait for the other end to agree, perhaps for a minute. */
  destroy(): void {
    this.#waiting = []
    this.#socket.close()
    queueMicrotask(() => {
      this.#end()
    })
  }

  #end(): void {
    this.#isClosed = true
    clearInterval(this.#drainTimer)
    this.#deliver()
  }

  #checkDrained(): void {
    if (this.#socket.bufferedAmount > 0) return
    clearInterval(this.#drainTimer)
    this.#drainTimer = undefined
    this.#events?.onDrain()
  }

  #deliver(): void {
    while (!this.#isPaused && this.#events !== undefined) {
      const bytes = this.#waiting.shift()
      if (bytes === undefined) break
      this.#events.onBytes(bytes)
    }
    if (!this.#isClosed || this.#events === undefined) return
    const { onClose } = this.#events
    this.#events = undefined
    onClose(undefined)
  }
}
