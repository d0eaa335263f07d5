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
import { messageKey, type MessageKey } from './message-key.ts'
import { encodeTail, tailItems } from './message-tail.ts'

export interface OutgoingBroadcast {
  readonly sender: string | Uint8Array
  /** Sub-flag first. */
  readonly payload: readonly Value[]
  /** Items for the tail; the message number comes on top when it is needed. */
  readonly tail?: ReadonlyMap<number, Uint8Array>
}

/** Ids of one second that are remembered; a message beyond gets a number without need, which is harmless. */
const maxKeysPerSecond = 65_536

export class OutgoingStamps {
  /** Counts only messages that needed a number; it never repeats within a node's life. */
  #number = 0
  #second = 0
  /** Messages of that second. */
  readonly #keys = new Set<MessageKey>()

  /**
   * Packs a broadcast with an id that was not used before.
   *
   * @throws EncodeError for values that the wire cannot carry
   */
  create(outgoing: OutgoingBroadcast, utcSeconds: number): WireMessage {
    const time = Math.floor(utcSeconds)
    if (time !== this.#second) {
      this.#second = time
      this.#keys.clear()
    }
    let message = compose(outgoing, time, outgoing.tail)
    const isFull = this.#keys.size >= maxKeysPerSecond
    if (isFull || this.#keys.has(messageKey(message.id))) {
      this.#number += 1
      const tail = new Map(outgoing.tail).set(tailItems.messageNumber, numberBytes(this.#number))
      message = compose(outgoing, time, tail)
    }
    if (!isFull) this.#keys.add(messageKey(message.id))
    return message
  }
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
