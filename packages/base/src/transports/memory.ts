/**
 * Links inside one process: `memory://name`. For tests, and for several nodes in one program.
 *
 * What is sent is copied and handed over later, never in the same call: no object is shared, and a
 * machine never sees an answer while it still speaks. Back-pressure works as on a socket: above
 * `highWaterBytes` under way `send` says so, and `onDrain` follows when the other end took all.
 */
import { parseAddress } from '../protocol/address.ts'
import { throwIfCancelled } from '../cancellation.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Link, LinkEvents, Listener, Transport } from '../transport.ts'

type OnLink = (link: Link) => void

const highWaterBytes = 65_536

/** The names that are listened on: what the table of ports is for TCP. */
export class MemoryNetwork {
  readonly #listeners = new Map<string, OnLink>()

  listen(name: string, onLink: OnLink): void {
    if (this.#listeners.has(name)) {
      throw new P2pError('P2P_ADDRESS_IN_USE', `memory://${name} is listened on already`)
    }
    this.#listeners.set(name, onLink)
  }

  unlisten(name: string): void {
    this.#listeners.delete(name)
  }

  dial(name: string): Link {
    const onLink = this.#listeners.get(name)
    if (onLink === undefined) {
      throw new P2pError('P2P_CONNECTION_REFUSED', `nobody listens on memory://${name}`)
    }
    const near = new MemoryLink(`memory://${name}`)
    const far = new MemoryLink('memory://dialler')
    near.join(far)
    far.join(near)
    queueMicrotask(() => {
      onLink(far)
    })
    return near
  }
}

/** The network that nodes of one process share when none is passed, as they share its ports. */
const processNetwork = new MemoryNetwork()

export class MemoryTransport implements Transport {
  readonly schemes = ['memory'] as const
  readonly #network: MemoryNetwork

  constructor(network: MemoryNetwork = processNetwork) {
    this.#network = network
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const name = nameOf(address)
    await Promise.resolve()
    throwIfCancelled(options.signal)
    return this.#network.dial(name)
  }

  async listen(address: string, onLink: OnLink): Promise<Listener> {
    const name = nameOf(address)
    await Promise.resolve()
    this.#network.listen(name, onLink)
    return {
      address,
      close: async () => {
        this.#network.unlisten(name)
        await Promise.resolve()
      },
    }
  }
}

function nameOf(address: string): string {
  const parsed = parseAddress(address)
  if (parsed?.transport !== 'memory') {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no memory address`)
  }
  return parsed.host
}

class MemoryLink implements Link {
  readonly transport = 'memory' as const
  readonly remote: string
  #other: MemoryLink | undefined
  #events: LinkEvents | undefined
  /** What came in and was not taken yet. */
  #inbox: Uint8Array[] = []
  #inboxBytes = 0
  #isPaused = false
  #isScheduled = false
  /** No more bytes will be put into the inbox. */
  #hasEnded = false
  #isClosed = false
  #owesDrain = false

  constructor(remote: string) {
    this.remote = remote
  }

  join(other: MemoryLink): void {
    this.#other = other
  }

  get queuedBytes(): number {
    return this.#other === undefined ? 0 : this.#other.#inboxBytes
  }

  attach(events: LinkEvents): void {
    this.#events = events
    this.#schedule()
  }

  send(bytes: Uint8Array): boolean {
    const other = this.#other
    if (this.#isClosed || other === undefined || other.#hasEnded) return true
    other.#inbox.push(bytes.slice())
    other.#inboxBytes += bytes.length
    other.#schedule()
    this.#owesDrain = other.#inboxBytes > highWaterBytes
    return !this.#owesDrain
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#schedule()
  }

  close(): void {
    this.#end()
    this.#close()
  }

  destroy(): void {
    const other = this.#other
    if (other !== undefined) {
      other.#inbox = []
      other.#inboxBytes = 0
    }
    this.#end()
    this.#close()
  }

  #end(): void {
    const other = this.#other
    if (other === undefined || other.#hasEnded) return
    other.#hasEnded = true
    other.#schedule()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#inbox = []
    this.#inboxBytes = 0
    queueMicrotask(() => this.#events?.onClose(undefined))
  }

  #schedule(): void {
    if (this.#isScheduled || this.#events === undefined) return
    this.#isScheduled = true
    // A turn of its own, so that two chatty nodes cannot keep everything else from running.
    setTimeout(() => {
      this.#isScheduled = false
      this.#deliver()
    }, 0)
  }

  #deliver(): void {
    while (!this.#isPaused && !this.#isClosed) {
      const bytes = this.#inbox.shift()
      if (bytes === undefined) break
      this.#inboxBytes -= bytes.length
      this.#events?.onBytes(bytes)
    }
    if (this.#isClosed || this.#inbox.length > 0) return
    const other = this.#other
    if (other !== undefined && other.#owesDrain && !other.#isClosed) {
      other.#owesDrain = false
      other.#events?.onDrain()
    }
    if (this.#hasEnded) {
      this.#end()
      this.#close()
    }
  }
}
