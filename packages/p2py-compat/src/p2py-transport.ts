/**
 * The transport of a p2py node: TCP, bound before the node exists (its address is its identity, so the
 * port has to be known first), and with a rendezvous server a way through NATs when a dial fails.
 */
import { P2pError } from '@p2p/base'
import type { Link, Listener, Transport } from '@p2p/base'
import { TcpTransport } from '@p2p/base/tcp'
import { addressToUrl, urlToAddress, type NodeAddress } from './protocol/node-address.ts'
import { RendezvousClient } from './punch/rendezvous-client.ts'

/**
 * A direct dial that takes longer gets company: the way through the rendezvous server. Whoever has a
 * private address is near and answers at once, or is behind a NAT and never does.
 */
const headStartMs = { public: 300, private: 50 } as const
/** RFC 1918, RFC 6598, RFC 3927; and those of IPv6: RFC 4193, RFC 4291. */
const privateHost =
  /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i

export class P2pyTransport implements Transport {
  readonly schemes = ['tcp'] as const
  readonly #tcp = new TcpTransport()
  /** Links that came in before the node listened. */
  readonly #early: Link[] = []
  #onLink: ((link: Link) => void) | undefined
  #listener: Listener | undefined
  #rendezvous: RendezvousClient | undefined

  /** Listens at once, keeps what comes in until `listen` is called, and returns the port. */
  async bind(options: { readonly host: string; readonly port: number }): Promise<number> {
    const accept = (link: Link): void => {
      this.#accept(link)
    }
    this.#listener = await this.#tcp.listen(addressToUrl(options), accept)
    return urlToAddress(this.#listener.address)?.port ?? options.port
  }

  /** Hands over what was bound; the address is what `bind` was called with. */
  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    this.#onLink = onLink
    for (const link of this.#early.splice(0)) onLink(link)
    return this.#listener ?? this.#tcp.listen(address, onLink)
  }

  /** Registers with a rendezvous server; from then on failed dials go through it. */
  async useRendezvous(options: {
    readonly server: NodeAddress
    readonly own: NodeAddress
    readonly signal: AbortSignal | undefined
  }): Promise<void> {
    this.#rendezvous = await RendezvousClient.open({
      ...options,
      onLink: (link) => {
        this.#accept(link)
      },
    })
  }

  get rendezvousState(): string {
    return this.#rendezvous?.state ?? 'none'
  }

  get rendezvousLinks(): { readonly punched: number; readonly relayed: number } {
    return this.#rendezvous?.linkCounts ?? { punched: 0, relayed: 0 }
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const rendezvous = this.#rendezvous
    const target = urlToAddress(address)
    if (rendezvous === undefined || target === undefined) return this.#tcp.dial(address, options)
    const direct = this.#tcp.dial(address, options)
    const cancel = new AbortController()
    const around = startLater(
      { first: direct, waitMs: headStartMs[isPrivate(target.host) ? 'private' : 'public'] },
      cancel.signal,
      (cause) => {
        if (options.signal?.aborted === true) throw cause
        return rendezvous.reach(target, cause)
      },
    )
    try {
      const link = await Promise.any([direct, around])
      cancel.abort()
      for (const other of [direct, around]) void destroyUnless(link, other)
      return link
    } catch (error) {
      const [first, second]: unknown[] = error instanceof AggregateError ? error.errors : [error]
      throw second ?? first
    }
  }

  /** Ends the registration; the listener belongs to the runtime. */
  async close(): Promise<void> {
    await this.#rendezvous?.close()
  }

  #accept(link: Link): void {
    if (this.#onLink === undefined) this.#early.push(link)
    else this.#onLink(link)
  }
}

/** An address that means another machine in every network. Names and loopback are not. */
export function isPrivate(host: string): boolean {
  return privateHost.test(host)
}

/** Starts the second way when the first has failed, or takes longer than `waitMs`. */
async function startLater(
  { first, waitMs }: { readonly first: Promise<Link>; readonly waitMs: number },
  signal: AbortSignal,
  start: (cause: unknown) => Promise<Link>,
): Promise<Link> {
  let cause: unknown
  let isReached = false
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs)
    const skip = (): void => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', skip, { once: true })
    first.then(
      () => {
        isReached = true
        skip()
      },
      (error: unknown) => {
        cause = error
        skip()
      },
    )
  })
  if (isReached || signal.aborted)
    throw new P2pError('P2P_CANCELLED', 'there is a direct connection')
  return start(cause)
}

/** A link that comes in although another one is used already is not needed. */
async function destroyUnless(used: Link, pending: Promise<Link>): Promise<void> {
  try {
    const link = await pending
    if (link !== used) link.destroy()
  } catch {
    // That way did not work; the other one did.
  }
}
