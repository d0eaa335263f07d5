/**
 * Network ids and node ids. Source: spec/wire.md §4.3 and §4.4.
 */
import { sha256, sha384 } from '#digest'
import { encodeBase58Integer } from './base58.ts'
import { concatBytes } from './bytes.ts'
import { utf8Decode, utf8Encode } from './text.ts'

/** The version text inside every network id of this protocol. */
export const protocolVersion = '0.7'

/**
 * The id of a network: base58 of SHA-256 over subnet, encryption and version text. Nodes with
 * different ids refuse each other.
 *
 * @param network.encryption `Plaintext`, `SSL`, `ws` or `wss` in the networks of 0.7
 * @param network.version only for reading archives of older protocols
 */
export function networkId(network: {
  readonly subnet: string
  readonly encryption: string
  readonly version?: string
}): string {
  const text = network.subnet + network.encryption + (network.version ?? protocolVersion)
  return encodeBase58Integer(sha256(utf8Encode(text)))
}

/**
 * A node id as the originals derive it: base58 of SHA-384 over address text, network id and salt.
 *
 * Nobody checks how an id was made; it has to be base58 of a number below 2^384 for chord.
 *
 * @param node.addressStyle how the address is written before hashing: py2p takes `('host', port)`,
 *   js2p `(host, port)`; default `py2p`
 * @param node.salt a random text, one per process; the originals take a UUID
 */
export function nodeId(node: {
  readonly host: string
  readonly port: number
  readonly networkId: string
  readonly salt: string | Uint8Array
  readonly addressStyle?: 'py2p' | 'js2p'
}): string {
  const host = node.addressStyle === 'js2p' ? node.host : pythonRepr(node.host)
  const salt = typeof node.salt === 'string' ? utf8Encode(node.salt) : node.salt
  const text = utf8Encode(`(${host}, ${node.port})${node.networkId}`)
  return encodeBase58Integer(sha384(concatBytes(text, salt)))
}

/** A text in quotes as Python prints it; covers what occurs in host names. */
function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`)
  return quote + escaped + quote
}

/**
 * An id, key or base58 text as text, whichever of str and bin it was on the wire; undefined when it
 * is neither, or bytes that are not UTF-8. The originals disagree on the type (spec/wire.md §2.3).
 */
export function idText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return value instanceof Uint8Array ? utf8Decode(value) : undefined
}

/** True when both are the same id, compared by their bytes. False when one is no id at all. */
export function sameId(a: unknown, b: unknown): boolean {
  const text = idText(a)
  return text !== undefined && text === idText(b)
}
