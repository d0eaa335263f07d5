/** A machine of ours with one incoming link, whose other end is played by a check. */
import { defaultLimits, Peers } from '@p2p/base'
import type { LinkInput, Now, PeersEffect } from '@p2p/base'
import { MeshMachine } from '@p2p/mesh'
import type { MeshEffect } from '@p2p/mesh'
import { createMessage, encodeFrame, flags, networkId, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

const link = 1
const subnet = 'mesh'

/** What both machines understand. */
type ActedInput = Extract<LinkInput, { readonly type: 'link-open' | 'link-bytes' }>
type ActedEffect = PeersEffect | MeshEffect

export class ActedPeer {
  readonly #peers: Peers | undefined
  readonly #handle: (input: ActedInput, now: Now) => readonly ActedEffect[]
  readonly #utcSeconds: number
  readonly #otherId: string
  #monoMs = 0

  constructor(options: {
    readonly ownId: string
    readonly otherId: string
    readonly methods: readonly number[]
    readonly utcSeconds: number
    /** `peers` (default) is the peer layer alone. */
    readonly machine?: 'peers' | 'mesh'
  }) {
    this.#utcSeconds = options.utcSeconds
    this.#otherId = options.otherId
    const machineOptions = {
      id: options.ownId,
      idEncoding: 'bytes' as const,
      subnet,
      limits: defaultLimits,
      randomBytes: (count: number): Uint8Array => new Uint8Array(count),
      methods: options.methods,
      extensions: false,
    }
    if (options.machine === 'mesh') {
      const mesh = new MeshMachine(machineOptions)
      this.#handle = (input, now) => mesh.handle(input, now)
    } else {
      const peers = new Peers(machineOptions)
      this.#peers = peers
      this.#handle = (input, now) => peers.handle(input, now)
    }
  }

  /** Opens the link; the other end says nothing yet. */
  connect(): readonly ActedEffect[] {
    const remote = 'tcp://127.0.0.1:50000'
    return this.#give({ type: 'link-open', link, transport: 'tcp', remote, dial: undefined })
  }

  /** Opens the link and plays the handshake of a py2p that offers these methods. */
  open(methods: readonly number[]): readonly ActedEffect[] {
    const opened = this.connect()
    const id = utf8Encode(this.#otherId)
    const protocol = networkId({ subnet, encryption: 'Plaintext' })
    const handshake = [flags.handshake, id, protocol, ['127.0.0.1', 4444], methods]
    return [...opened, ...this.receive(flags.whisper, handshake)]
  }

  /** Plays a message of the other end. */
  receive(type: number, payload: readonly Value[]): readonly ActedEffect[] {
    const sender = utf8Encode(this.#otherId)
    const message = createMessage({ type, sender, time: this.#utcSeconds, payload })
    return this.receiveFrame(encodeFrame(message))
  }

  receiveFrame(bytes: Uint8Array): readonly ActedEffect[] {
    return this.#give({ type: 'link-bytes', link, bytes })
  }

  /** Sends a whisper of ours to the other end; for the peer layer alone. */
  send(payload: readonly Value[]): readonly ActedEffect[] {
    if (this.#peers === undefined) return []
    const sender = this.#peers.wireId
    const time = this.#utcSeconds
    const message = createMessage({ type: flags.whisper, sender, time, payload })
    const peer = this.#otherId
    return this.#peers.handle(
      { type: 'send-message', peer, message, priority: 'own' },
      this.#nextNow(),
    )
  }

  #give(input: ActedInput): readonly ActedEffect[] {
    return this.#handle(input, this.#nextNow())
  }

  #nextNow(): Now {
    this.#monoMs += 1_000
    return { monoMs: this.#monoMs, utcSeconds: this.#utcSeconds }
  }
}

/** The frames among the effects. */
export function framesIn(effects: readonly ActedEffect[]): readonly Uint8Array[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [effect.bytes] : []))
}

/** Codes with which links were closed. */
export function closesIn(effects: readonly ActedEffect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === 'close' ? [effect.reason.code] : []))
}
