/** The peer that the layers above see: a view of its connection. */
import { formatAddress, isWildcardHost, parseAddress } from './address.ts'
import type { Connection } from './connection.ts'
import type { LinkId, TransportName } from './link.ts'
import type { Peer, PeerKind } from './peers-contract.ts'

export class OpenPeer implements Peer {
  readonly id: string
  /** Replaced when a second link takes the place of the first one (double-links.ts). */
  connection: Connection

  constructor(id: string, connection: Connection) {
    this.id = id
    this.connection = connection
  }

  get link(): LinkId {
    return this.connection.link
  }
  get transport(): TransportName {
    return this.connection.transport
  }
  get kind(): PeerKind {
    return this.connection.handshake?.kind ?? 'unknown'
  }
  get outgoing(): boolean {
    return this.connection.outgoing
  }
  get address(): string | undefined {
    const named = this.connection.handshake?.address
    if (named === undefined) return undefined
    // Somebody who listens everywhere and says so is where its link comes from.
    const seen = isWildcardHost(named.host) ? parseAddress(this.connection.remote)?.host : undefined
    return formatAddress(seen === undefined ? named : { ...named, host: seen })
  }
  get addresses(): readonly string[] {
    const addresses = new Set(this.connection.hello?.addresses)
    if (this.address !== undefined) addresses.add(this.address)
    return [...addresses]
  }
  supports(feature: string): boolean {
    return this.connection.supports(feature)
  }
}
