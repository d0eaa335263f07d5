/** A peer layer of ours with one incoming link, whose other end is played by a check. */
import { defaultLimits, Peers } from '@p2p/base'
import type { PeersEffect, PeersInput } from '@p2p/base'
import { createMessage, encodeFrame, flags, networkId, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

const link = 1
const subnet = 'mesh'

export class ActedPeer {
  readonly peers: Peers
  readonly #utcSeconds: number
  readonly #otherId: string
  #monoMs = 0

  constructor(options: {
    readonly ownId: string
    readonly otherId: string
    readonly methods: readonly number[]
    readonly utcSeconds: number
  }) {
    this.#utcSeconds = options.utcSeconds
    this.#otherId = options.otherId
    this.peers = new Peers({
      id: options.ownId,
      idEncoding: 'bytes',
      subnet,
      limits: defaultLimits,
      randomBytes: (count) => new Uint8Array(count),
      methods: options.methods,
      extensions: false,
    })
  }

  /** Opens the link and plays the handshake of a py2p that offers these methods. */
  open(methods: readonly number[]): readonly PeersEffect[] {
    const remote = 'tcp://127.0.0.1:50000'
    const opened = this.handle({
      type: 'link-open',
      link,
      transport: 'tcp',
      remote,
      dial: undefined,
    })
    const protocol = networkId({ subnet, encryption: 'Plaintext' })
    const handshake = [
      flags.handshake,
      utf8Encode(this.#otherId),
      protocol,
      ['127.0.0.1', 4444],
      methods,
    ]
    return [...opened, ...this.receive(flags.whisper, handshake)]
  }

  /** Plays a message of the other end. */
  receive(type: number, payload: readonly Value[]): readonly PeersEffect[] {
    const sender = utf8Encode(this.#otherId)
    return this.receiveFrame(
      encodeFrame(createMessage({ type, sender, time: this.#utcSeconds, payload })),
    )
  }

  receiveFrame(bytes: Uint8Array): readonly PeersEffect[] {
    return this.handle({ type: 'link-bytes', link, bytes })
  }

  /** Sends a message of ours to the other end. */
  send(payload: readonly Value[]): readonly PeersEffect[] {
    const message = createMessage({
      type: flags.whisper,
      sender: this.peers.wireId,
      time: this.#utcSeconds,
      payload,
    })
    return this.handle({ type: 'send-message', peer: this.#otherId, message, priority: 'own' })
  }

  handle(input: PeersInput): readonly PeersEffect[] {
    this.#monoMs += 10_000
    return this.peers.handle(input, { monoMs: this.#monoMs, utcSeconds: this.#utcSeconds })
  }
}

/** The frames among the effects. */
export function framesIn(effects: readonly PeersEffect[]): readonly Uint8Array[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [effect.bytes] : []))
}

/** Codes with which links were closed. */
export function closesIn(effects: readonly PeersEffect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === 'close' ? [effect.reason.code] : []))
}
