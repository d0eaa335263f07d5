/**
 * Recognises one broadcast of an original that left under two ids.
 *
 * py2p and js2p build a message anew for every neighbour, and stamp it with the second. When the clock
 * ticks in between, some neighbours get the message stamped t and the others get it stamped t + 1:
 * two ids, so everybody gets both. Seen live: one such pair in about a thousand messages.
 *
 * Two messages may be such twins when sender and payload are equal to the byte and the stamps are one
 * second apart. (In protocol 0.7 equal messages within one second are one message anyway; this only
 * stretches that over the tick.) They may as well be two messages, of a program that repeats itself every
 * second. The links decide where they can:
 *
 *   - The sender is our neighbour. It writes each of its messages to us itself, once. Of twins only one
 *     comes from it, so the second of two is held back until both came from the sender: then they are
 *     two messages, and the second is delivered after all. If the link closes first, or one of the two has
 *     to be forgotten for all that came since, time decides.
 *   - The sender is no neighbour, or has been for a moment only. Time decides: the second one within
 *     `twinWithinMs` is a twin.
 *
 * A twin is passed on, but not delivered. Only user messages are looked at: what a dictionary writes has
 * to be taken as it is by everybody. Our own nodes never send such a pair: outgoing-stamps.ts gives a
 * repeated payload a number.
 *
 * Source: spec/wire.md, 5 (third point); a live network of 8 of ours, 4 py2p and 4 js2p nodes.
 */
import type { Now, Peer } from '@p2p/base'
import { bytesEqual, encodeFrame, idText, type WireMessage } from '@p2p/serializer'
import { bodyIn, frameToKeep, messageIn } from './kept-frame.ts'

/** Longer would swallow what a far original repeats every second. */
const twinWithinMs = 750
/** What a neighbour sent before it was one comes by other ways, for at most this long. */
const settledAfterMs = 5_000
/** Messages of one sender that are compared with, and the bytes of all messages of all senders … */
const maxMessagesPerSender = 64
const maxBytes = 4 * 1_048_576
/** … where each counts for so much more than its frame has. */
const bytesPerMessage = 220

/** A message to deliver after all, and the neighbour that brought it first. */
export interface HeardMessage {
  readonly message: WireMessage
  readonly from: Peer
}

interface Heard {
  readonly frame: Uint8Array
  readonly time: number
  readonly from: Peer
  readonly heardMs: number
  /** True from the moment the sender itself brought it. */
  isDirect: boolean
  /** On both of two messages of which the second waits for proof that it is no twin. */
  partner: Heard | undefined
  isHeldBack: boolean
}

export class TwinMessages {
  /** The latest messages by sender; the sender heard longest ago comes first. */
  readonly #bySender = new Map<string, Heard[]>()
  #bytes = 0
  #released: HeardMessage[] = []
  /** Monotonic time at which each neighbour became one, in milliseconds. */
  readonly #neighbours = new Map<string, number>()

  addNeighbour(peer: Peer, now: Now): void {
    this.#neighbours.set(peer.id, now.monoMs)
  }

  /** What was held back for proof that can no longer come; to be delivered. */
  removeNeighbour(peer: Peer): readonly HeardMessage[] {
    this.#neighbours.delete(peer.id)
    return (this.#bySender.get(peer.id) ?? []).flatMap(judgeByTime)
  }

  /** What was held back and had to be judged by time, to make room; to be delivered, after each `check`. */
  takeReleased(): readonly HeardMessage[] {
    return this.#released.splice(0)
  }

  /** True when a message that is heard for the first time is, or may be, the twin of one that was here. */
  check(message: WireMessage, from: Peer, now: Now): boolean {
    const sender = idText(message.sender) ?? ''
    const isDirect = from.id === sender
    if (isDirect && from.kind === 'ours') return false
    const all = this.#of(sender)
    const heard: Heard = {
      frame: frameToKeep(message),
      time: message.time,
      from,
      heardMs: now.monoMs,
      isDirect,
      partner: undefined,
      isHeldBack: false,
    }
    const neighbourSince = this.#neighbours.get(sender) ?? Infinity
    if (isDirect || now.monoMs - neighbourSince >= settledAfterMs) {
      holdBackIfTwin(heard, all)
    } else if (
      all.some((other) => now.monoMs - other.heardMs <= twinWithinMs && areTwins(other, heard))
    ) {
      return true
    }
    all.push(heard)
    this.#bytes += heard.frame.length + bytesPerMessage
    const { isHeldBack } = heard
    if (all.length > maxMessagesPerSender) this.#forgetFirst(sender, all)
    this.#makeRoom()
    return isHeldBack
  }

  /** Another copy of a message that was here: perhaps the proof that it, or its partner, is no twin. */
  noteDuplicate(message: WireMessage, from: Peer): readonly HeardMessage[] {
    if (from.id !== idText(message.sender)) return []
    const frame = encodeFrame(message)
    const heard = this.#bySender.get(from.id)?.find((one) => bytesEqual(one.frame, frame))
    if (heard === undefined) return []
    heard.isDirect = true
    const { partner } = heard
    if (partner?.isDirect !== true) return []
    const late = heard.isHeldBack ? heard : partner
    separate(heard, partner)
    return [asHeard(late)]
  }

  #of(sender: string): Heard[] {
    const heard = this.#bySender.get(sender) ?? []
    this.#bySender.delete(sender)
    this.#bySender.set(sender, heard)
    return heard
  }

  #makeRoom(): void {
    for (const [sender, all] of this.#bySender) {
      while (all.length > 0) {
        if (this.#bytes <= maxBytes) return
        this.#forgetFirst(sender, all)
      }
    }
  }

  #forgetFirst(sender: string, all: Heard[]): void {
    for (const first of all.splice(0, 1)) {
      this.#bytes -= first.frame.length + bytesPerMessage
      this.#released.push(...judgeByTime(first))
    }
    if (all.length === 0) this.#bySender.delete(sender)
  }
}

/** Ends the wait for proof, if this one or its partner is held back; which is delivered if it is no twin. */
function judgeByTime(heard: Heard): HeardMessage[] {
  const { partner } = heard
  if (partner === undefined) return []
  const late = heard.isHeldBack ? heard : partner
  separate(heard, partner)
  return Math.abs(heard.heardMs - partner.heardMs) > twinWithinMs ? [asHeard(late)] : []
}

/** Of two that the sender itself brought neither is a twin, and each has one twin at most. */
function holdBackIfTwin(heard: Heard, others: readonly Heard[]): void {
  const partner = others.find(
    (other) =>
      other.partner === undefined && !(other.isDirect && heard.isDirect) && areTwins(other, heard),
  )
  if (partner === undefined) return
  heard.partner = partner
  heard.isHeldBack = true
  partner.partner = heard
}

function separate(a: Heard, b: Heard): void {
  for (const one of [a, b]) {
    one.partner = undefined
    one.isHeldBack = false
  }
}

function asHeard({ frame, from }: Heard): HeardMessage {
  return { message: messageIn(frame), from }
}

function areTwins(a: Heard, b: Heard): boolean {
  if (Math.abs(a.time - b.time) !== 1 || a.frame.length !== b.frame.length) return false
  const [one, other] = [bodyIn(a.frame), bodyIn(b.frame)]
  const offset = payloadOffset(one)
  if (offset === undefined || offset !== payloadOffset(other)) return false
  return bytesEqual(one.subarray(offset), other.subarray(offset))
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
