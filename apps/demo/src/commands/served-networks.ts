/** The networks whose nodes a seed lists, as it tells them. */

const maxNetworks = 10_000
/** Anybody can write any key; those of networks are short and in base58. */
const networkId = /^[1-9A-HJ-NP-Za-km-z]{1,64}$/

export class ServedNetworks {
  readonly #ids = new Set<string>()

  get size(): number {
    return this.#ids.size
  }

  /** The network of this key when it is a new one. The oldest is forgotten when there are too many. */
  add(key: string | Uint8Array): string | undefined {
    if (typeof key !== 'string' || !networkId.test(key) || this.#ids.has(key)) return undefined
    this.#ids.add(key)
    const [oldest] = this.#ids
    if (this.#ids.size > maxNetworks && oldest !== undefined) this.#ids.delete(oldest)
    return key
  }

  delete(key: string | Uint8Array): void {
    if (typeof key === 'string') this.#ids.delete(key)
  }
}
