/** A link through the rendezvous server, for two nodes whose NATs cannot be punched. */
import type { Link, LinkEvents } from '@p2p/base'
import { relayedPieceBytes } from '../protocol/rendezvous-messages.ts'

/** Most bytes that are kept while nobody owns the link yet. Above: the link ends. */
const maxEarlyBytes = 1_048_576

export class RelayLink implements Link {
  readonly transport = 'tcp'
  readonly remote: string
  readonly #send: (bytes: Uint8Array) => boolean
  readonly #end: () => void
  readonly #queuedBytes: () => number
  readonly #early: Uint8Array[] = []
  #earlyBytes = 0
  #events: LinkEvents | undefined
  #isClosed = false

  constructor(options: {
    readonly remote: string
    send(bytes: Uint8Array): boolean
    end(): void
    queuedBytes(): number
  }) {
    this.remote = options.remote
    this.#send = options.send
    this.#end = options.end
    this.#queuedBytes = options.queuedBytes
  }

  get queuedBytes(): number {
    return this.#queuedBytes()
  }

  attach(events: LinkEvents): void {
    const hadEnded = this.#isClosed
    this.#events = events
    for (const bytes of this.#early.splice(0)) {
      if (this.#isClosed && !hadEnded) return // the owner closed it and was told so
      events.onBytes(bytes)
    }
    if (hadEnded) events.onClose(undefined)
  }

  send(bytes: Uint8Array): boolean {
    let mayGoOn = true
    for (let start = 0; start < bytes.length && !this.#isClosed; start += relayedPieceBytes) {
      mayGoOn = this.#send(bytes.slice(start, start + relayedPieceBytes))
    }
    return mayGoOn
  }

  /** The server's connection is shared, so a slow reader cannot hold the sender back here. */
  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.#isClosed) return
    this.#end()
    this.onEnded()
  }

  destroy(): void {
    this.close()
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#isClosed) return
    if (this.#events !== undefined) {
      this.#events.onBytes(bytes)
      return
    }
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > maxEarlyBytes) this.close()
    else this.#early.push(bytes)
  }

  onDrain(): void {
    if (!this.#isClosed) this.#events?.onDrain()
  }

  /** The other side, or the server, is gone. */
  onEnded(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#events?.onClose(undefined)
  }
}
