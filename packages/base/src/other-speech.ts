/**
 * Recognises what speaks at the other end of a link when it is not protocol 0.7: from its first bytes,
 * or from the network id in a handshake that is otherwise well formed.
 */
import { networkId } from '@p2p/serializer'
import { transportToEncryption } from './protocol/address.ts'
import { P2pError } from './protocol/errors.ts'
import type { TransportName } from './protocol/link.ts'

/** Content type of a TLS alert or handshake record, and the major version behind it (RFC 8446, 5.1). */
const tlsContentTypes: readonly unknown[] = [0x15, 0x16]
const tlsMajorVersion = 3
const httpStart = 'HTTP/'
/** Versions that wrote their handshake as 0.7 does, but for the network id (spec/wire.md, 11.1). */
const olderVersions = ['0.6']
const legacyVersions = ['0.5', '0.4', '0.3', '0.2'] as const

/** The error that says what it is; undefined for bytes that are nothing known. */
export async function recogniseAnswer(bytes: Uint8Array): Promise<P2pError | undefined> {
  if (tlsContentTypes.includes(bytes[0]) && bytes[1] === tlsMajorVersion) {
    return tlsThereError()
  }
  if (startsWith(bytes, httpStart)) {
    const text = 'the other end speaks HTTP: dial it as ws:// (or wss://)'
    return new P2pError('P2P_WEBSOCKET_THERE', text)
  }
  // Loaded on demand: nobody else has use for formats of another decade.
  const { decodeLegacyFrame } = await import('@p2p/serializer/legacy')
  for (const version of legacyVersions) {
    try {
      decodeLegacyFrame(firstFrame(bytes), { version })
    } catch {
      continue
    }
    return olderVersionError(version)
  }
  return undefined
}

/** An error when the id is the one that this subnet had in an older version. */
export function recogniseOlderNetwork(
  got: string,
  { subnet, transport }: { readonly subnet: string; readonly transport: TransportName },
): P2pError | undefined {
  const encryption = transportToEncryption(transport)
  const version = [...olderVersions, ...legacyVersions].find(
    (candidate) => networkId({ subnet, encryption, version: candidate }) === got,
  )
  return version === undefined ? undefined : olderVersionError(version)
}

export function tlsThereError(): P2pError {
  return new P2pError('P2P_TLS_THERE', 'the other end speaks TLS: dial it as tls:// (or wss://)')
}

function olderVersionError(version: string): P2pError {
  const text = `the other end speaks version ${version}, this one 0.7: update it`
  return new P2pError('P2P_OLDER_VERSION', text, { facts: { version } })
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return [...text].every((letter, index) => bytes[index] === letter.charCodeAt(0))
}

/** The bytes up to the end of the first frame. */
function firstFrame(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.subarray(0, 4 + view.getUint32(0))
}
