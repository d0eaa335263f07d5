/**
 * User messages that wait to be read with `receive()` or an iterator: first in, first out, bounded by
 * count and bytes. When it is full the oldest message is dropped and counted, so a program that only
 * listens to events does not fill its memory with messages it will never read.
 *
 * Such a program is the common case, so waiting has to be cheap: a message waits as the frame it came in and is
 * decoded anew when it is taken. A thousand decoded ones, a dozen objects each, would outlive several rounds of the
 * garbage collector, which would copy them each time.
 */
import { limitsOver } from '@p2p/base'

export interface MessageQueueLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

const defaultQueueLimits: MessageQueueLimits = { maxMessages: 1_024, maxBytes: 16 * 1_048_576 }

/**
 * The defaults with the given ones put over them.
 *
 * @throws TypeError for what is no object and for an unknown name, RangeError for a value that is not above zero
 */
export function resolveQueueLimits(given: Partial<MessageQueueLimits> = {}): MessageQueueLimits {
  const options: unknown = given
  if (typeof options !== 'object' || options === null)
    throw new TypeError('queue must be an object')
  return limitsOver(defaultQueueLimits, given)
}

export interface QueuedMessage {
  /** Uncompressed, in memory of its own (kept-frame.ts). */
  readonly frame: Uint8Array
  /** The neighbour that brought it. */
  readonly via: string
}

export class MessageQueue {
  readonly #limits: MessageQueueLimits
  readonly #messages: QueuedMessage[] = []
  #bytes = 0
  #dropped = 0
  readonly #readers = new Set<() => void>()

  constructor(limits: MessageQueueLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#messages.length
  }

  /** Messages that were dropped because nobody read them in time. */
  get dropped(): number {
    return this.#dropped
  }

  push(message: QueuedMessage): void {
    this.#messages.push(message)
    this.#bytes += message.frame.length
    const { maxMessages, maxBytes } = this.#limits
    while (this.size > maxMessages || (this.#bytes > maxBytes && this.size > 1)) {
      this.take()
      this.#dropped += 1
    }
    if (this.#readers.size > 0) this.wakeReader()
  }

  /** Takes the oldest message; undefined when there is none. */
  take(): QueuedMessage | undefined {
    const message = this.#messages.shift()
    this.#bytes -= message?.frame.length ?? 0
    return message
  }

  /** Resolves at the next message, when the signal is aborted, or when `wakeReader` is called. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#readers.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      if (signal?.aborted === true) {
        resolve()
        return
      }
      this.#readers.add(wake)
      signal?.addEventListener('abort', wake)
    })
  }

  wakeReader(): void {
    for (const wake of [...this.#readers]) wake()
  }
}
