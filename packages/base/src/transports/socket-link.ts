/** A link over a stream socket of Node: TCP, or TLS on top of it. */
import type { Socket } from 'node:net'
import { formatAddress } from '../protocol/address.ts'
import type { P2pError } from '../protocol/errors.ts'
import type { TransportName } from '../protocol/link.ts'
import type { Link, LinkEvents } from '../transport.ts'
import { linkError } from './socket-errors.ts'

/** Silence after which the operating system begins to probe the other end. */
export const keepAliveDelayMs = 30_000
/** How long the other end may take to confirm the end of an orderly closed link, once it was sent … */
export const closeGraceMs = 500
/** … and how long it may take to read what was sent before. */
export const maxFlushMs = 15_000

export class SocketLink implements Link {
  readonly transport: TransportName
  readonly remote: string
  readonly #socket: Socket
  #events: LinkEvents | undefined
  #error: P2pError | undefined
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: {
    readonly transport: TransportName
    readonly remote: string
    readonly socket: Socket
  }) {
    this.transport = options.transport
    this.remote = options.remote
    this.#socket = options.socket
    this.#socket.on('error', (error) => {
      this.#error ??= linkError(error)
    })
    this.#socket.on('close', () => {
      clearTimeout(this.#closeTimer)
      this.#events?.onClose(this.#error)
      this.#events = undefined
    })
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  attach(events: LinkEvents): void {
    this.#events = events
    if (this.#socket.closed) {
      queueMicrotask(() => events.onClose(this.#error))
      this.#events = undefined
      return
    }
    this.#socket.on('data', (chunk: Buffer) => {
      // A plain view: what is decoded from it must not turn out to be Buffers.
      events.onBytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    })
    this.#socket.on('drain', () => {
      events.onDrain()
    })
  }

  send(bytes: Uint8Array): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true
    return this.#socket.write(bytes)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    if (this.#socket.destroyed || this.#closeTimer !== undefined) return
    this.#destroyIn(maxFlushMs)
    this.#socket.end(() => {
      if (!this.#socket.destroyed) this.#destroyIn(closeGraceMs)
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #destroyIn(delayMs: number): void {
    clearTimeout(this.#closeTimer)
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), delayMs)
  }
}

/** The other end of an accepted socket. */
export function remoteAddress(transport: TransportName, socket: Socket): string {
  const host = socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown'
  return formatAddress({ transport, host, port: socket.remotePort ?? 0, path: '' })
}
