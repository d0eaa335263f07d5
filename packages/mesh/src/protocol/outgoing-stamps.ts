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
import type { Now } from '@p2p/base'
import { encodeTail, tailItems } from './message-tail.ts'

export interface OutgoingBroadcast {
  readonly sender: string | Uint8Array
  /** Sub-flag first. */
  readonly payload: readonly Value[]
  /** Items for the tail; the message number comes on top when it is needed. */
  readonly tail?: ReadonlyMap<number, Uint8Array>
}

export class OutgoingStamps {
  /** Counts only messages that needed a number; it never repeats within a node's life. */
  #number = 0

  /**
   * Packs a broadcast with an id that was not used before.
   *
   * @param isTaken tells whether a message with this id was sent or seen
   * @throws EncodeError for values that the wire cannot carry
   */
  create(
    outgoing: OutgoingBroadcast,
    isTaken: (message: WireMessage) => boolean,
    now: Now,
  ): WireMessage {
    const items = new Map(outgoing.tail)
    for (;;) {
      const message = createMessage({
        type: flags.broadcast,
        sender: outgoing.sender,
        time: Math.floor(now.utcSeconds),
        payload: outgoing.payload,
        ...(items.size > 0 && { tail: encodeTail(items) }),
      })
      if (!isTaken(message)) return message
      this.#number += 1
      items.set(tailItems.messageNumber, numberBytes(this.#number))
    }
  }
}

function numberBytes(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
}
