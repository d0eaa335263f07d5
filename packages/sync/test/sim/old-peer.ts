/** An old node beside ours in the simulator: it says what the test lets it say, and notes what it hears. */
import type { LinkId } from '@p2p/base'
import { scriptedPeer } from '@p2p/base/sim'
import {
  createMessage,
  decodeFrame,
  encodeFrame,
  flags,
  FrameSplitter,
  networkId,
  utf8Encode,
  type Value,
  type WireMessage,
} from '@p2p/serializer'
import type { SyncNetwork, SyncSimNode } from './sync-network.ts'

const lookEveryMs = 50

export class OldPeer {
  readonly id: string
  /** Messages about the dictionary, oldest first. */
  readonly heard: WireMessage[] = []
  readonly #kind: 'py2p' | 'js2p'
  readonly #network: SyncNetwork
  readonly #toSay: Uint8Array[] = []

  /** Dials this node at once; py2p writes ids as bytes, js2p as text. */
  constructor(network: SyncNetwork, kind: 'py2p' | 'js2p', to: SyncSimNode, id: string = kind) {
    this.id = id
    this.#kind = kind
    this.#network = network
    const splitter = new FrameSplitter()
    let link: LinkId | undefined
    this.introduce()
    network.sim.addNode(
      scriptedPeer({
        onStart: (hands) => hands.dial(to.sim.addresses[0] ?? ''),
        onOpen: (opened, hands) => {
          link = opened
          hands.wakeAfter(0)
        },
        onWake: (hands) => {
          if (link === undefined) return
          for (const bytes of this.#toSay.splice(0)) hands.send(link, bytes)
          hands.wakeAfter(lookEveryMs)
        },
        onBytes: (_link, bytes) => {
          for (const frame of splitter.push(bytes)) {
            const message = decodeFrame(frame)
            const [flag] = message.payload
            if (flag === flags.store || flag === flags.delta) this.heard.push(message)
          }
        },
        onClosed: () => {
          link = undefined
        },
      }),
    )
  }

  /** The id as this program writes it. */
  get wireId(): string | Uint8Array {
    return this.#kind === 'py2p' ? utf8Encode(this.id) : this.id
  }

  introduce(): void {
    const network = networkId({ subnet: 'sync1', encryption: 'Plaintext' })
    this.say(flags.whisper, [flags.handshake, this.wireId, network, ['10.0.0.1', 4444], []])
  }

  /** Says this within the next moment; `sender` and `time` are its own and now unless given. */
  say(
    type: number,
    payload: readonly Value[],
    {
      sender = this.wireId,
      time = Math.floor(this.#network.sim.utcSeconds),
    }: { readonly sender?: string | Uint8Array; readonly time?: number } = {},
  ): void {
    this.#toSay.push(encodeFrame(createMessage({ type, sender, time, payload })))
  }

  /** Writes a key, as a broadcast. */
  write(key: string, value: Value, time?: number): void {
    const payload = [flags.store, utf8Encode(key), value]
    this.say(flags.broadcast, payload, time === undefined ? {} : { time })
  }

  /** Shows what it holds of a key: in whose name, and since when. */
  show(key: string, value: Value, owner: string | Uint8Array, time: number): void {
    this.say(flags.whisper, [flags.store, utf8Encode(key), value, owner, time])
  }

  /** What it heard since the last call. */
  take(): readonly WireMessage[] {
    return this.heard.splice(0)
  }
}
