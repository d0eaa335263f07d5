/**
 * The introductions by which a rendezvous server relays: a token and the two links that it was given
 * to, oldest first.
 */
import type { LinkId } from '@p2p/base'

type Pair = readonly [requester: LinkId, target: LinkId]

export class RelaySessions {
  readonly #pairs = new Map<string, Pair>()
  /** How many of them each link asked for. */
  readonly #asked = new Map<LinkId, number>()

  get size(): number {
    return this.#pairs.size
  }

  open(token: string, pair: Pair): void {
    const [requester] = pair
    this.#pairs.set(token, pair)
    this.#asked.set(requester, (this.#asked.get(requester) ?? 0) + 1)
  }

  /** The other end of a session; undefined when the link has no part in it. */
  other(token: string, link: LinkId): LinkId | undefined {
    const [requester, target] = this.#pairs.get(token) ?? []
    if (link === requester) return target
    return link === target ? requester : undefined
  }

  tokensOf(link: LinkId): readonly string[] {
    return [...this.#pairs].filter(([, pair]) => pair.includes(link)).map(([token]) => token)
  }

  /** The oldest session of the link that asked for most: whoever asks on and on ends no one else's. */
  mostAskedFor(): string | undefined {
    let chosen: string | undefined
    let most = 0
    for (const [token, [requester]] of this.#pairs) {
      const count = this.#asked.get(requester) ?? 0
      if (count <= most) continue
      chosen = token
      most = count
    }
    return chosen
  }

  /** Whose it was. */
  forget(token: string): readonly LinkId[] {
    const pair = this.#pairs.get(token)
    if (pair === undefined) return []
    const [requester] = pair
    this.#pairs.delete(token)
    const left = (this.#asked.get(requester) ?? 0) - 1
    if (left > 0) this.#asked.set(requester, left)
    else this.#asked.delete(requester)
    return pair
  }
}
