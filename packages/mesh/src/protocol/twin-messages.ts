/**
 * Recognises one broadcast of an original that left under two ids.
 *
 * py2p and js2p build a message anew for every neighbour, and stamp it with the second. When the clock
 * ticks in between, some neighbours get the message stamped t and the others get it stamped t + 1:
 * two ids, so everybody gets both. Seen live: one such pair in about a thousand messages.
 *
 * Two messages are taken for such twins when sender and payload are equal to the byte, the stamps are
 * one second apart, and both came within `twinWithinMs`. (In protocol 0.7 equal messages within one
 * second are one message anyway; this only stretches that over the tick.) The second one is passed on
 * but not delivered. Only user messages are looked at: what a dictionary writes has to be taken as it
 * is by everybody. Our own nodes never send such a pair: outgoing-stamps.ts gives a repeated payload a number.
 *
 * Where processes wait for the CPU, a twin can come later than that and is then delivered twice: 46 were
 * recognised and 2 were not (1,085 and 1,141 ms apart) in 7,496 deliveries. A longer wait alone would
 * swallow what an original repeats every second.
 *
 * Source: spec/wire.md, 5 (third point); a live network of 8 of ours, 4 py2p and 4 js2p nodes.
 */
import type { Now } from '@p2p/base'
import { bytesEqual, idText, type WireMessage } from '@p2p/serializer'

const twinWithinMs = 750
/** Senders looked after, and messages of each. */
const maxSenders = 256
const maxMessagesPerSender = 32

interface Heard {
  readonly message: WireMessage
  readonly heardMs: number
}

export class TwinMessages {
  /** The latest messages by sender; the sender heard longest ago comes first. */
  readonly #bySender = new Map<string, Heard[]>()

  /** True when the twin of this message was here; otherwise remembers the message. */
  check(message: WireMessage, now: Now): boolean {
    const sender = idText(message.sender) ?? ''
    let heard = this.#bySender.get(sender)
    if (heard === undefined) {
      heard = []
      this.#bySender.set(sender, heard)
      if (this.#bySender.size > maxSenders) this.#forgetOldest()
    }
    const isTwin = heard.some(
      (other) => now.monoMs - other.heardMs <= twinWithinMs && areTwins(other.message, message),
    )
    if (isTwin) return true
    heard.push({ message, heardMs: now.monoMs })
    if (heard.length > maxMessagesPerSender) heard.shift()
    return false
  }

  #forgetOldest(): void {
    for (const sender of this.#bySender.keys()) {
      this.#bySender.delete(sender)
      return
    }
  }
}

function areTwins(a: WireMessage, b: WireMessage): boolean {
  if (Math.abs(a.time - b.time) !== 1 || a.body.length !== b.body.length) return false
  const offset = payloadOffset(a.body)
  if (offset === undefined || offset !== payloadOffset(b.body)) return false
  return bytesEqual(a.body.subarray(offset), b.body.subarray(offset))
}

/**
 * Where the payload begins in a body: behind array header, main flag, sender and time. Undefined for
 * encodings that neither the originals nor we write.
 */
export function payloadOffset(body: Uint8Array): number | undefined {
  const arrayHeader = body[0] ?? 0
  // One byte of header and one of main flag, or 16-bit count and main flag.
  const senderAt = arrayHeader >> 4 === 0x9 ? 2 : arrayHeader === 0xdc ? 4 : undefined
  if (senderAt === undefined) return undefined
  const tag = body[senderAt] ?? 0
  const isFixedText = tag >= 0xa0 && tag <= 0xbf
  const isShort = tag === 0xd9 || tag === 0xc4
  if (!isFixedText && !isShort) return undefined
  const senderBytes = isFixedText ? 1 + (tag - 0xa0) : 2 + (body[senderAt + 1] ?? 0)
  const timeAt = senderAt + senderBytes
  return body[timeAt] === 0xce ? timeAt + 5 : undefined
}
