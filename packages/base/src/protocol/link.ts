/**
 * The seam between a machine and whatever drives it: a real runtime or the simulator.
 *
 * A *link* is a raw, ordered byte channel that a transport opened. Links are numbered by the driver,
 * dials by the machine; neither number is ever used twice in one node's life.
 */
import type { P2pError } from './errors.ts'

export type LinkId = number
export type DialId = number

/** What a link runs over. It is also what decides the network id that is presented on it. */
export type TransportName = 'tcp' | 'tls' | 'ws' | 'wss' | 'memory'

export type LinkInput =
  | {
      readonly type: 'link-open'
      readonly link: LinkId
      readonly transport: TransportName
      /** Address URL of the other end as the transport sees it, such as `tcp://127.0.0.1:50123`. */
      readonly remote: string
      /** The dial this link came from; undefined when the other end dialled us. */
      readonly dial: DialId | undefined
    }
  /** Bytes in the order they were sent, cut anywhere. The machine may keep the array. */
  | { readonly type: 'link-bytes'; readonly link: LinkId; readonly bytes: Uint8Array }
  /**
   * The transport holds so many bytes of the other end that it cannot hand over yet: the beginning of
   * a WebSocket message. They come in a later `link-bytes`, or never.
   */
  | { readonly type: 'link-held'; readonly link: LinkId; readonly byteCount: number }
  /** The link is gone, whoever closed it. Comes exactly once for each `link-open`. */
  | { readonly type: 'link-closed'; readonly link: LinkId; readonly reason: P2pError }
  /** A dial came to nothing. Comes instead of `link-open`. */
  | { readonly type: 'dial-failed'; readonly dial: DialId; readonly error: P2pError }
  /** `nextDeadline()` has been reached. */
  | { readonly type: 'deadline' }

/**
 * What a full queue drops first (design: limits): announcements, then relayed payload. `own` and
 * `control` are never dropped; when they do not fit, the link is cut.
 */
export type SendPriority = 'control' | 'own' | 'relay' | 'announce'

export type LinkEffect =
  /** Bytes of one whole frame. The driver gathers the sends of one turn into one write per link. */
  | {
      readonly type: 'send'
      readonly link: LinkId
      readonly bytes: Uint8Array
      readonly priority: SendPriority
      /** True when the reader is py2p, whose four-byte trap the send queue keeps clear of (python-framing.ts). */
      readonly toPython?: boolean
    }
  | {
      readonly type: 'dial'
      readonly dial: DialId
      readonly address: string
      readonly timeoutMs: number
    }
  | { readonly type: 'cancel-dial'; readonly dial: DialId }
  /** Close after what was sent so far has been flushed. `link-closed` follows with this reason. */
  | { readonly type: 'close'; readonly link: LinkId; readonly reason: P2pError }
