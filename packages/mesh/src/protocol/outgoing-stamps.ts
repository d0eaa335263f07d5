/**
 * Makes our own broadcasts, each different from all others.
 *
 * In protocol 0.7 the id of a message is the hash of its sender, second and payload, so two equal
 * payloads in one second are one message: the second never arrives. Here the second one gets a
 * number in its tail, which old programs neither show nor remove. A message is built once for all
 * neighbours; the originals build it per neighbour and, when the second changes in between, send it
 * under two ids.
 *
 * Source: spec/wire.md, 5 and 9; spec/mesh.md, 4.2 rule 4.
 */
import { createMessage, flags, type Value, type WireMessage } from '@p2p/serializer'
import { encodeTail, tailItems } from './message-tail.ts'
import { mix, word } from './seen-cache.ts'
import { payloadOffset } from './twin-messages.ts'

export interface OutgoingBroadcast {
  readonly sender: string | Uint8Array
  /** Sub-flag first. */
  readonly payload: readonly Value[]
  /** Items for the tail; the message number comes on top when it is needed. */
  readonly tail?: ReadonlyMap<number, Uint8Array>
}

/** Payloads of one second that are remembered; a message beyond gets a number without need, which is harmless. */
const maxPerSecond = 65_536
/** Of a long payload so many bytes at its ends go into its fingerprint, and so many words between. */
const fingerprintBytes = { ends: 64, between: 64 }

export class OutgoingStamps {
  /** Counts only messages that needed a number; it never repeats within a node's life. */
  #number = 0
  /** The latest second so far: in an earlier one, after the clock was set back, every message gets a number. */
  #second = 0
  /** Fingerprints of what was sent in that second, and in the one before. */
  #current = new Set<number>()
  #previous = new Set<number>()

  /**
   * Packs a broadcast with an id that was not used before. A payload that was also sent in the second
   * before gets a number, too: so close together, the two would be taken for twins (twin-messages.ts).
   *
   * @throws EncodeError for values that the wire cannot carry
   */
  create(outgoing: OutgoingBroadcast, utcSeconds: number): WireMessage {
    const time = Math.floor(utcSeconds)
    if (time > this.#second) {
      this.#previous = time === this.#second + 1 ? this.#current : new Set()
      this.#current = new Set()
      this.#second = time
    }
    const message = compose(outgoing, time, outgoing.tail)
    const print = fingerprint(message.body)
    const isKnown = time === this.#second && this.#current.size < maxPerSecond
    if (isKnown && !this.#current.has(print) && !this.#previous.has(print)) {
      this.#current.add(print)
      return message
    }
    this.#number += 1
    const tail = new Map(outgoing.tail).set(tailItems.messageNumber, numberBytes(this.#number))
    return compose(outgoing, time, tail)
  }
}

/** A number that equal payloads share, whatever their stamp; others seldom do, which costs them a tail. */
function fingerprint(body: Uint8Array): number {
  const start = payloadOffset(body) ?? 0
  const { ends, between } = fingerprintBytes
  const headEnd = start + ends
  const tailStart = Math.max(headEnd, body.length - ends)
  const stride = Math.max(4, Math.floor((tailStart - headEnd) / between))
  const last = Math.max(start, body.length - 4)
  // With the length, so that a cut in the middle shows.
  let hash = body.length
  for (let at = start; at < body.length;) {
    hash = mix(hash, word(body, Math.min(at, last)))
    at = at < headEnd || at >= tailStart ? at + 4 : Math.min(at + stride, tailStart)
  }
  // Signed: numbers beyond 31 bits are objects.
  return hash | 0
}

function compose(
  outgoing: OutgoingBroadcast,
  time: number,
  tail: ReadonlyMap<number, Uint8Array> | undefined,
): WireMessage {
  const { sender, payload } = outgoing
  return createMessage({
    type: flags.broadcast,
    sender,
    time,
    payload,
    ...(tail !== undefined && tail.size > 0 && { tail: encodeTail(tail) }),
  })
}

function numberBytes(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
}
