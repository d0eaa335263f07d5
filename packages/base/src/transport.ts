/**
 * The small interface behind which every transport stands: TCP, TLS, WebSocket, memory. An
 * implementation passes the contract suite in `@p2p/base/testing`.
 */
import type { P2pError } from './protocol/errors.ts'
import type { TransportName } from './protocol/link.ts'

/** What a link tells its owner. All calls come after `dial` resolved or `onLink` returned, in order. */
export interface LinkEvents {
  onBytes(bytes: Uint8Array): void
  /** So many bytes have come that can only be handed over with others that are still missing. */
  onHeld?(byteCount: number): void
  /** The queue of the link went down to nothing after a `send` returned false. */
  onDrain(): void
  /** Comes exactly once; nothing follows it. `error` is undefined after an orderly end. */
  onClose(error: P2pError | undefined): void
}

/** A raw, ordered, bidirectional byte channel. */
export interface Link {
  readonly transport: TransportName
  /** Address URL of the other end. */
  readonly remote: string
  /** Bytes handed to `send` that the operating system has not taken yet. */
  readonly queuedBytes: number
  /** Attaches the owner; called once, before anything else. */
  attach(events: LinkEvents): void
  /** Queues the bytes, which the link may keep. False when the caller should wait for `onDrain`. */
  send(bytes: Uint8Array): boolean
  /** Stops reading (back-pressure towards the sender), and starts again. */
  pause(): void
  resume(): void
  /** Flushes what is queued, then closes. */
  close(): void
  /** Closes at once and drops what is queued. */
  destroy(): void
}

export interface Listener {
  /** Address URL with the port that was really bound. */
  readonly address: string
  /** What others can dial, when that differs: a listener on all interfaces names one of them. */
  readonly advertised?: string
  close(): Promise<void>
}

export interface Transport {
  /** URL schemes this transport takes, such as `['tcp']`. */
  readonly schemes: readonly TransportName[]
  /** Rejects with a P2pError whose code tells the step that failed (P2P_CONNECTION_REFUSED …). */
  dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link>
  /** Rejects with a P2pError (P2P_ADDRESS_IN_USE …). Undefined where a transport cannot listen. */
  listen?(address: string, onLink: (link: Link) => void): Promise<Listener>
}
