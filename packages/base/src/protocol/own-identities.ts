/**
 * What this node says about itself, per transport: a node that listens on several presents on each
 * link the network id and the address of that link's transport, and so bridges them.
 */
import { networkId, offeredMethods, utf8Encode } from '@p2p/serializer'
import { parseAddress, transportToEncryption } from './address.ts'
import type { OwnIdentity } from './connection.ts'
import type { TransportName } from './link.ts'

/** Features of the peer layer itself. */
const ownFeatures = ['heartbeat', 'claim']

export class OwnIdentities {
  /** As it goes on the wire. */
  readonly wireId: string | Uint8Array
  readonly #subnet: string
  readonly #methods: readonly number[]
  readonly #features: ReadonlySet<string>
  readonly #extensions: boolean
  readonly #byTransport = new Map<TransportName, OwnIdentity>()
  #addresses: readonly string[] = []

  constructor(options: {
    readonly id: string
    readonly idEncoding?: 'text' | 'bytes'
    readonly subnet: string
    readonly methods?: readonly number[]
    readonly features?: readonly string[]
    readonly extensions?: boolean
  }) {
    const { id, idEncoding = 'text', subnet, methods, features = [], extensions = true } = options
    this.wireId = idEncoding === 'bytes' ? utf8Encode(id) : id
    this.#subnet = subnet
    this.#methods = methods ?? offeredMethods
    this.#features = new Set([...ownFeatures, ...features])
    this.#extensions = extensions
  }

  /** Addresses at which others can dial this node, as URLs. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  setAddresses(addresses: readonly string[]): void {
    this.#addresses = [...addresses]
    this.#byTransport.clear()
  }

  of(transport: TransportName): OwnIdentity {
    const known = this.#byTransport.get(transport)
    if (known !== undefined) return known
    const encryption = transportToEncryption(transport)
    const identity: OwnIdentity = {
      wireId: this.wireId,
      networkId: networkId({ subnet: this.#subnet, encryption }),
      address: this.#addresses
        .map(parseAddress)
        .find((address) => address?.transport === transport),
      addresses: this.#addresses,
      methods: this.#methods,
      features: this.#features,
      extensions: this.#extensions,
    }
    this.#byTransport.set(transport, identity)
    return identity
  }
}
