/**
 * The handshake of protocol 0.7, the first message in each direction of a link:
 *
 *   whisper [5, node id, network id, [host, port], [compression methods]]
 *
 * Exactly five items; old peers ignore anything else. A marker at the end of the methods tells new
 * peers apart without old ones noticing.
 *
 * Source: spec/mesh.md 3.3, spec/wire.md 2.3, spec/capabilities.md 3.1 and 3.6.
 */
import { compressionMethods, flags, idText, wholeNumber } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { addressToPair, pairToAddress } from './address.ts'
import type { Address } from './address.ts'
import { P2pError } from './errors.ts'
import type { TransportName } from './link.ts'
import type { PeerKind } from './peers-contract.ts'

/** Last entry of the method list of a node that understands the hello (spec/capabilities.md, 3.1). */
export const extensionMarker = 0x7032_0001

/** Longest id that is believed; a chord position of 512 bits has 88 characters. */
const maxIdCharacters = 128
const idPattern = /^[1-9A-HJ-NP-Za-km-z]+$/
/** The originals list five methods; more is somebody filling our memory. */
const maxMethods = 64
/** Methods that js2p knows; whoever offers others is no js2p. */
const js2pMethods: readonly unknown[] = [
  compressionMethods.snappy,
  compressionMethods.zlib,
  compressionMethods.gzip,
]

/** What a peer said about itself. */
export interface Handshake {
  readonly id: string
  readonly networkId: string
  /** Undefined for a node that nobody can dial. */
  readonly address: Address | undefined
  readonly methods: readonly Value[]
  readonly hasMarker: boolean
  readonly kind: PeerKind
}

export function isHandshake(message: WireMessage): boolean {
  const { type, payload } = message
  return (
    type === flags.whisper && payload.length === 5 && wholeNumber(payload[0]) === flags.handshake
  )
}

export function createHandshakePayload(own: {
  readonly id: string | Uint8Array
  readonly networkId: string
  readonly address: Address | undefined
  readonly methods: readonly number[]
  readonly extensions: boolean
}): readonly Value[] {
  const methods = own.extensions ? [...own.methods, extensionMarker] : own.methods
  return [flags.handshake, own.id, own.networkId, addressToPair(own.address), methods]
}

/** Reads a message for which `isHandshake` holds; an error value when a field is unusable. */
export function parseHandshake(
  message: WireMessage,
  transport: TransportName,
): Handshake | P2pError {
  const [, wireId, wireNetworkId, pair, methods] = message.payload
  const id = idText(wireId)
  if (id === undefined || id.length > maxIdCharacters || !idPattern.test(id)) {
    return invalid('id')
  }
  const networkId = idText(wireNetworkId)
  if (networkId === undefined || networkId.length > maxIdCharacters) return invalid('network id')
  if (!Array.isArray(pair) || pair.length < 2) return invalid('address')
  if (!Array.isArray(methods) || methods.length > maxMethods) return invalid('method list')
  const offered = methods as readonly Value[]
  const hasMarker = offered.includes(extensionMarker)
  return {
    id,
    networkId,
    address: pairToAddress(pair, transport),
    methods: offered,
    hasMarker,
    kind: recognise(wireId, offered, hasMarker),
  }
}

/** Which program this is, by its habits (spec/capabilities.md, 3.6). */
function recognise(wireId: unknown, methods: readonly Value[], hasMarker: boolean): PeerKind {
  if (hasMarker) return 'ours'
  const { bz2, lzma } = compressionMethods
  if (wireId instanceof Uint8Array || methods.includes(bz2) || methods.includes(lzma)) return 'py2p'
  return methods.every((method) => js2pMethods.includes(method)) ? 'js2p' : 'unknown'
}

function invalid(field: string): P2pError {
  return new P2pError('P2P_BAD_HANDSHAKE', `handshake with an unusable ${field}`, {
    facts: { field },
  })
}
