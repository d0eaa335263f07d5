/**
 * User messages that wait to be read with `receive()` or an iterator: first in, first out, bounded by
 * count and bytes. When it is full the oldest message is dropped and counted, so a program that only
 * listens to events does not fill its memory with messages it will never read.
 */

export interface MessageQueueLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

interface Sized {
  readonly byteLength: number
}

export class MessageQueue<Message extends Sized> {
  readonly #limits: MessageQueueLimits
  #messages: Message[] = []
  /** Messages before this index were taken. */
  #first = 0
  #bytes = 0
  #dropped = 0
  readonly #readers = new Set<() => void>()

  constructor(limits: MessageQueueLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#messages.length - this.#first
  }

  /** Messages that were dropped because nobody read them in time. */
  get dropped(): number {
    return this.#dropped
  }

  push(message: Message): void {
    this.#messages.push(message)
    this.#bytes += message.byteLength
    const { maxMessages, maxBytes } = this.#limits
    while (this.size > maxMessages || (this.#bytes > maxBytes && this.size > 1)) {
      this.take()
      this.#dropped += 1
    }
    if (this.#readers.size > 0) this.wakeReader()
  }

  /** Takes the oldest message; undefined when there is none. */
  take(): Message | undefined {
    const message = this.#messages[this.#first]
    if (message === undefined) return undefined
    this.#first += 1
    this.#bytes -= message.byteLength
    // Moving the rest down now and then keeps taking cheap without holding on to what was read.
    if (this.#first > 64 && 2 * this.#first > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#first)
      this.#first = 0
    }
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
