/**
 * Sends relayed messages as fast as a rendezvous server takes them, and no faster: it ends the
 * connection of who sends more. What waits is sent in turn, one message of each relay after the other.
 */
import type { OutgoingMessage } from '../protocol/messages.ts'
import { RateLimit } from '../protocol/rate-limit.ts'

/** Three quarters of the default of `maxRelayedPerSecond`: the server's clock is not ours. */
const messagesPerSecond = 150

export interface RelayPaceOptions {
  /** False when the connection is full. */
  send(message: OutgoingMessage): boolean
  /** Nothing of this relay waits any more, and the connection is not full. */
  onSent(token: string): void
}

export class RelayPace {
  readonly #options: RelayPaceOptions
  readonly #rate = new RateLimit(messagesPerSecond)
  /** What waits, by token; whose turn it is stands first. */
  readonly #queues = new Map<string, OutgoingMessage[]>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: RelayPaceOptions) {
    this.#options = options
  }

  /** False when the caller should wait for `onSent`, or for the connection. */
  send(token: string, message: OutgoingMessage): boolean {
    if (this.#queues.size === 0 && this.#rate.take(performance.now())) {
      return this.#options.send(message)
    }
    const queue = this.#queues.get(token)
    if (queue === undefined) this.#queues.set(token, [message])
    else queue.push(message)
    this.#timer ??= this.#wait()
    return false
  }

  isWaiting(token: string): boolean {
    return this.#queues.has(token)
  }

  /** Nobody is there any more who would get what waits. */
  forget(token: string): void {
    this.#queues.delete(token)
  }

  clear(): void {
    this.#queues.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = undefined
      this.#sendWaiting()
      if (this.#queues.size > 0) this.#timer ??= this.#wait()
    }, 1_000 / messagesPerSecond)
  }

  #sendWaiting(): void {
    for (const [token, queue] of this.#queues) {
      if (!this.#rate.take(performance.now())) return
      const message = queue.shift()
      this.#queues.delete(token)
      if (queue.length > 0) this.#queues.set(token, queue) // behind the others
      const mayGoOn = message === undefined || this.#options.send(message)
      if (queue.length === 0 && mayGoOn) this.#options.onSent(token)
    }
  }
}
