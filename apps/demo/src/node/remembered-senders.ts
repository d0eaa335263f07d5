/**
 * Who wrote the messages that a `reply` can name. The sender is all that a reply needs: the messages themselves,
 * of up to some MiB each, would fill the memory. Senders write their ids themselves, so those are counted as well.
 */

const maxMessages = 10_000
const maxBytes = 64 * 1_024 * 1_024
/** An id of a message, twice as long in memory as its text, with room for what a map needs. */
const bytesPerMessage = 256

export class RememberedSenders {
  readonly #senders = new Map<string, string>()
  #newest: string | undefined
  #bytes = 0

  get size(): number {
    return this.#senders.size
  }

  /** The oldest are forgotten when there are too many. */
  remember(messageId: string, sender: string): void {
    this.#forget(messageId)
    this.#senders.set(messageId, sender)
    this.#newest = messageId
    this.#bytes += bytesOf(sender)
    for (const oldest of this.#senders.keys()) {
      if (this.#senders.size <= maxMessages && this.#bytes <= maxBytes) return
      this.#forget(oldest)
    }
  }

  /** Of the newest message when none is named; undefined when it is not known, or not any more. */
  senderOf(messageId: string | undefined = this.#newest): string | undefined {
    return messageId === undefined ? undefined : this.#senders.get(messageId)
  }

  clear(): void {
    this.#senders.clear()
    this.#newest = undefined
    this.#bytes = 0
  }

  #forget(messageId: string): void {
    const sender = this.#senders.get(messageId)
    if (sender === undefined) return
    this.#senders.delete(messageId)
    this.#bytes -= bytesOf(sender)
  }
}

function bytesOf(sender: string): number {
  return bytesPerMessage + 2 * sender.length
}
