/** A transport that is loaded at its first use, so that a node that does not need it starts without it. */
import type { TransportName } from '../protocol/link.ts'
import type { Link, Listener, Transport } from '../transport.ts'

export class LazyTransport implements Transport {
  readonly schemes: readonly TransportName[]
  readonly #load: () => Promise<Transport>
  #loaded: Promise<Transport> | undefined

  constructor(schemes: readonly TransportName[], load: () => Promise<Transport>) {
    this.schemes = schemes
    this.#load = load
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const transport = await this.#transport()
    return transport.dial(address, options)
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const transport = await this.#transport()
    if (transport.listen === undefined) throw new TypeError(`nobody can listen on ${address}`)
    return transport.listen(address, onLink)
  }

  #transport(): Promise<Transport> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }
}
