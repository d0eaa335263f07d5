/**
 * Transports that are watched, and that can be broken on purpose: every frame on a link is told, links
 * to one peer or to all can be cut, and a node can stand still as if its process had been stopped.
 *
 * A tap knows who is at the ends of a link from the first frame each way, whose sender it is. It reads
 * along; what passes is never changed. Bytes that are no frames are passed on and not told.
 */
import { P2pError } from '@p2p/base'
import type { Link, LinkEvents, Listener, Transport, TransportName } from '@p2p/base'
import { FrameSplitter, decodeFrame, idText } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'

export interface TappedFrame {
  readonly from: string
  readonly to: string
  readonly frame: Uint8Array
  readonly message: WireMessage
}

/** What a peer of this node is, as far as taps are concerned. */
export interface TapOptions {
  /** Frames that leave are told by the sender; frames that arrive only where this is true. */
  readonly isSeenHere: (sender: string) => boolean
  readonly onFrame: (frame: TappedFrame) => void
}

export class LinkTap {
  readonly transports: readonly Transport[]
  readonly #options: TapOptions
  readonly #links = new Set<TappedLink>()
  readonly #cutPeers = new Set<string>()
  #isIsolated = false
  #isPaused = false

  constructor(transports: readonly Transport[], options: TapOptions) {
    this.#options = options
    this.transports = transports.map((inner) => this.#wrap(inner))
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Nothing arrives and nothing leaves; all of it waits. */
  pause(): void {
    this.#isPaused = true
    for (const link of this.#links) link.freeze()
  }

  resume(): void {
    this.#isPaused = false
    for (const link of this.#links) link.thaw()
  }

  /** Ends links to this peer, and all that come, until `heal`. */
  cut(peer: string): void {
    this.#cutPeers.add(peer)
    this.#enforce()
  }

  /** Ends all links, and all that come, until `heal`. */
  isolate(): void {
    this.#isIsolated = true
    this.#enforce()
  }

  heal(): void {
    this.#isIsolated = false
    this.#cutPeers.clear()
  }

  /** Called by links: whether a link to this peer may be; undefined before it is known. */
  mayPass(peer: string | undefined): boolean {
    return !this.#isIsolated && (peer === undefined || !this.#cutPeers.has(peer))
  }

  /** Called by links. */
  saw(from: string, to: string, frame: Uint8Array, message: WireMessage): void {
    this.#options.onFrame({ from, to, frame, message })
  }

  /** Called by links. */
  isSeenHere(sender: string): boolean {
    return this.#options.isSeenHere(sender)
  }

  forget(link: TappedLink): void {
    this.#links.delete(link)
  }

  #enforce(): void {
    for (const link of this.#links) if (!this.mayPass(link.farId)) link.destroy()
  }

  #wrap(inner: Transport): Transport {
    const { listen } = inner
    const tap = (link: Link): Link => {
      const tapped = new TappedLink(link, this)
      this.#links.add(tapped)
      if (this.#isPaused) tapped.freeze()
      return tapped
    }
    return {
      schemes: inner.schemes,
      dial: async (address, options) => {
        if (this.#isIsolated) throw new P2pError('P2P_CONNECTION_REFUSED', `${address} is cut off`)
        return tap(await inner.dial(address, options))
      },
      ...(listen !== undefined && {
        listen: (address: string, onLink: (link: Link) => void): Promise<Listener> =>
          listen.call(inner, address, (link) => {
            if (this.#isIsolated) link.destroy()
            else onLink(tap(link))
          }),
      }),
    }
  }
}

class TappedLink implements Link {
  readonly #inner: Link
  readonly #tap: LinkTap
  readonly #incoming = new FrameSplitter()
  readonly #outgoing = new FrameSplitter()
  #isReadable = true
  #nearId: string | undefined
  #farId: string | undefined
  #events: LinkEvents | undefined
  #isFrozen = false
  #held: (() => void)[] = []

  constructor(inner: Link, tap: LinkTap) {
    this.#inner = inner
    this.#tap = tap
  }

  get transport(): TransportName {
    return this.#inner.transport
  }
  get remote(): string {
    return this.#inner.remote
  }
  get queuedBytes(): number {
    return this.#inner.queuedBytes
  }
  /** Id of the peer; undefined before its handshake. */
  get farId(): string | undefined {
    return this.#farId
  }

  attach(events: LinkEvents): void {
    this.#events = events
    this.#inner.attach({
      onBytes: (bytes) => this.#orHold(() => this.#receive(bytes)),
      onHeld: (byteCount) => events.onHeld?.(byteCount),
      onDrain: () => events.onDrain(),
      onClose: (error) => {
        this.#tap.forget(this)
        // A process that stands still learns of it when it goes on.
        this.#orHold(() => events.onClose(error))
      },
    })
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isFrozen) {
      this.#held.push(() => void this.send(bytes))
      return true
    }
    this.#read(this.#outgoing, bytes, (frame, message) => {
      this.#nearId ??= idText(message.sender)
      if (this.#nearId !== undefined && this.#farId !== undefined)
        this.#tap.saw(this.#nearId, this.#farId, frame, message)
    })
    return this.#inner.send(bytes)
  }

  pause(): void {
    this.#inner.pause()
  }
  resume(): void {
    if (!this.#isFrozen) this.#inner.resume()
  }
  close(): void {
    this.#inner.close()
  }
  destroy(): void {
    this.#inner.destroy()
  }

  freeze(): void {
    this.#isFrozen = true
    this.#inner.pause()
  }

  thaw(): void {
    this.#isFrozen = false
    this.#inner.resume()
    for (const run of this.#held.splice(0)) run()
  }

  #orHold(run: () => void): void {
    if (this.#isFrozen) this.#held.push(run)
    else run()
  }

  #receive(bytes: Uint8Array): void {
    this.#read(this.#incoming, bytes, (frame, message) => {
      this.#farId ??= idText(message.sender)
      const { farId } = this
      if (this.#nearId !== undefined && farId !== undefined && this.#tap.isSeenHere(farId))
        this.#tap.saw(farId, this.#nearId, frame, message)
    })
    if (this.#tap.mayPass(this.#farId)) this.#events?.onBytes(bytes)
    else this.destroy()
  }

  #read(
    splitter: FrameSplitter,
    bytes: Uint8Array,
    take: (frame: Uint8Array, message: WireMessage) => void,
  ): void {
    if (!this.#isReadable) return
    try {
      for (const frame of splitter.push(bytes)) take(frame, decodeFrame(frame))
    } catch {
      // What the tap cannot read is the node's to judge.
      this.#isReadable = false
    }
  }
}
