/** What handlers get: a message, or a request that can be answered or passed on. */
import type { TargetLike } from './addresses.ts'
import type { IncomingMessage, OutgoingMessage } from './protocol/messages.ts'
import type { PyValue } from './pickle/values.ts'

/** The other end of a connection, as it introduced itself. */
export interface Connection {
  /** Number of the connection, for `sendToConnection`. */
  readonly id: number
  readonly address: readonly [host: string, port: number]
  /** Null for a node that is in no network. */
  readonly uuid: number | null
}

/** How long to wait. When it is over, what was waited for is given up. */
export interface WaitOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

interface RequestActions {
  readonly requestId: string
  readonly callbackAddress: readonly [host: string, port: number]
  respond(response: OutgoingMessage, options: WaitOptions | undefined): Promise<void>
  bounce(target: TargetLike, options: WaitOptions | undefined): Promise<void>
}

/** A message that came from another node. `request` is there when an answer is expected. */
export class Received {
  readonly type: string
  readonly data: PyValue | undefined
  /** The whole dict, for messages with keys beside `type` and `data`. */
  readonly fields: ReadonlyMap<PyValue, PyValue>
  readonly from: Connection
  readonly #actions: RequestActions | undefined

  constructor(message: IncomingMessage, from: Connection, actions: RequestActions | undefined) {
    this.type = message.type
    this.data = message.data
    this.fields = message.fields
    this.from = from
    this.#actions = actions
  }

  get isRequest(): boolean {
    return this.#actions !== undefined
  }

  /** The message again, under the name it has in p2py: `request.contents`. */
  get contents(): { readonly type: string; readonly data: PyValue | undefined } {
    return { type: this.type, data: this.data }
  }

  get requestId(): string | undefined {
    return this.#actions?.requestId
  }

  /** Where the answer goes; not always the node that sent this, since requests can be bounced. */
  get callbackAddress(): readonly [host: string, port: number] | undefined {
    return this.#actions?.callbackAddress
  }

  /**
   * Answers the requester. Resolves when the answer is handed over; rejects when the requester cannot
   * be reached, or when the request was answered or bounced already.
   */
  async respond(response: OutgoingMessage, options?: WaitOptions): Promise<void> {
    await this.#requireActions().respond(response, options)
  }

  /** Passes the request on: another node processes it, the answer goes to the first requester. */
  async bounce(target: TargetLike, options?: WaitOptions): Promise<void> {
    await this.#requireActions().bounce(target, options)
  }

  #requireActions(): RequestActions {
    if (this.#actions === undefined) throw new TypeError(`"${this.type}" is a message, no request`)
    return this.#actions
  }
}
