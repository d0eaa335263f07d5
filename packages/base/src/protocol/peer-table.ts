/** The open peers of a node, found by id, by link, or by an address they can be dialled at. */
import type { Connection } from './connection.ts'
import type { LinkId } from './link.ts'
import { OpenPeer } from './open-peer.ts'

export class PeerTable {
  readonly #byId = new Map<string, OpenPeer>()
  /** Also of links that linger after another took their place. */
  readonly #byLink = new Map<LinkId, OpenPeer>()

  get byId(): ReadonlyMap<string, OpenPeer> {
    return this.#byId
  }

  ofLink(link: LinkId): OpenPeer | undefined {
    return this.#byLink.get(link)
  }

  /** The open peer that a dial to this address, or for this id, would lead to. */
  at(address: string, expectedId: string | undefined): OpenPeer | undefined {
    const expected = expectedId === undefined ? undefined : this.#byId.get(expectedId)
    if (expected !== undefined) return expected
    for (const peer of this.#byId.values()) {
      const { hello, outgoing, remote } = peer.connection
      if (peer.address === address || (outgoing && remote === address)) return peer
      if (hello?.addresses.includes(address)) return peer
    }
    return undefined
  }

  add(id: string, connection: Connection): OpenPeer {
    const peer = new OpenPeer(id, connection)
    this.#byId.set(id, peer)
    this.#byLink.set(connection.link, peer)
    return peer
  }

  /** Gives the peer a further link. */
  join(peer: OpenPeer, link: LinkId): void {
    this.#byLink.set(link, peer)
  }

  /** Forgets a link; returns its peer if that was its only usable link, and so is gone too. */
  removeLink(connection: Connection): OpenPeer | undefined {
    const peer = this.#byLink.get(connection.link)
    this.#byLink.delete(connection.link)
    if (peer === undefined || peer.connection !== connection) return undefined
    this.#byId.delete(peer.id)
    return peer
  }
}
