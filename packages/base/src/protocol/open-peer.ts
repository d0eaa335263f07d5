/** The peer that the layers above see: a view of its connection. */
import { formatAddress, isWildcardHost, parseAddress } from './address.ts'
import type { Address } from './address.ts'
import type { Connection } from './connection.ts'
import type { Handshake } from './handshake.ts'
import type { LinkId, TransportName } from './link.ts'
import type { Peer, PeerKind } from './peers-contract.ts'

export class OpenPeer implements Peer {
  readonly id: string
  /** Replaced when a second link takes the place of the first one (double-links.ts). */
  connection: Connection
  /** The handshake that `#address` was made from: every peers list asks for the address again. */
  #addressedBy: Handshake | undefined
  #address: string | undefined

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
    const { handshake, remote } = this.connection
    if (handshake !== this.#addressedBy) {
      this.#addressedBy = handshake
      this.#address = handshake?.address && dialledAddress(handshake.address, remote)
    }
    return this.#address
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

/** Somebody who listens everywhere and says so is where its link comes from. */
function dialledAddress(named: Address, remote: string): string {
  const seen = isWildcardHost(named.host) ? parseAddress(remote)?.host : undefined
  return formatAddress(seen === undefined ? named : { ...named, host: seen })
}
