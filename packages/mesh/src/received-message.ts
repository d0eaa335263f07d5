/** A message as the application gets it. */
import { flags, idText, toHex, wholeNumber, type Value, type WireMessage } from '@p2p/serializer'

export class ReceivedMessage {
  /** The values that were sent. */
  readonly packets: readonly Value[]
  /** Id of the node that says it wrote this; protocol 0.7 does not prove it. */
  readonly sender: string
  /** When it was written, by the writer's clock: seconds since 1970-01-01 UTC. */
  readonly timeSeconds: number
  /** True for a message to this node alone, false for a broadcast. */
  readonly isPrivate: boolean
  /** The neighbour that brought it. */
  readonly via: string
  /** The message on the wire, for tools. */
  readonly wire: WireMessage
  readonly #reply: (to: string, packets: readonly Value[]) => Promise<void>

  constructor(
    wire: WireMessage,
    via: string,
    reply: (to: string, packets: readonly Value[]) => Promise<void>,
  ) {
    this.wire = wire
    this.packets = wire.payload.slice(1)
    this.sender = idText(wire.sender) ?? ''
    this.timeSeconds = wire.time
    this.isPrivate = wire.type === flags.whisper
    this.via = via
    this.#reply = reply
  }

  /** Message id: the SHA-256 of the message, as 64 hexadecimal digits. */
  get id(): string {
    return toHex(this.wire.id)
  }

  /** Sub-flag of the message, 0 or 2 for user messages. */
  get subFlag(): number | undefined {
    return wholeNumber(this.wire.payload[0])
  }

  /** Bytes of the message without frame and checksum. */
  get byteLength(): number {
    return this.wire.body.length
  }

  /**
   * Answers the sender alone, wherever it is. Resolves once the answer was handed to its node;
   * rejects as `MeshNode.send` does.
   */
  reply(...packets: readonly Value[]): Promise<void> {
    return this.#reply(this.sender, packets)
  }
}
