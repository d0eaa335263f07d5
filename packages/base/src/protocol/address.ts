/**
 * Addresses. Users, events and reports see URLs: `tcp://10.0.0.7:4444`, `wss://example.org/p2p`,
 * `memory://alice`. On the wire protocol 0.7 knows only the pair `[host, port]`; the scheme follows
 * from the link it came over, because a network id covers one transport (spec/wire.md, 4.3).
 *
 * Written by hand, not with the URL class: that one is not a language feature, and it lets far more
 * through than a peer should be able to make us dial.
 */
import { idText, wholeNumber } from '@p2p/serializer'
import type { TransportName } from './link.ts'

export interface Address {
  readonly transport: TransportName
  /** Host name, IPv4, or IPv6 without brackets; for memory the name. */
  readonly host: string
  /** 0 means "any" where we listen; nobody can be dialled there. Always 0 for memory. */
  readonly port: number
  /** Only ws and wss: what follows the port, such as `/p2p`; empty otherwise. Never on the wire. */
  readonly path: string
}

/** `[host, port]` as in a handshake; both nil for a node that nobody can dial. */
export type AddressPair = readonly [host: string | null, port: number | null]

const addressPattern =
  /^(tcp|tls|wss?|memory):\/\/(?:\[([^\]]*)\]|([^/:[\]]*))(?::(\d{1,5}))?(\/.*)?$/
const hostPattern = /^[A-Za-z0-9._-]{1,253}$/
const ipv6Pattern = /^[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?$/
const pathPattern = /^\/[\x21-\x7e]{0,1024}$/
const defaultPorts: ReadonlyMap<string, number> = new Map([
  ['ws', 80],
  ['wss', 443],
])

/** Reads an address URL; undefined when it is not one. */
export function parseAddress(text: string): Address | undefined {
  const match = addressPattern.exec(text)
  if (match === null) return undefined
  const [, scheme, ipv6, name, portText, path = ''] = match
  if (!isTransportName(scheme)) return undefined
  const host = ipv6 ?? name ?? ''
  if (!(ipv6 === undefined ? hostPattern : ipv6Pattern).test(host)) return undefined
  if (scheme === 'memory') {
    const isPlain = portText === undefined && path === '' && ipv6 === undefined
    return isPlain ? { transport: scheme, host, port: 0, path: '' } : undefined
  }
  const port = portText === undefined ? defaultPorts.get(scheme) : Number(portText)
  if (port === undefined || port > 65_535) return undefined
  const isWeb = scheme === 'ws' || scheme === 'wss'
  if (path !== '' && path !== '/' && !(isWeb && pathPattern.test(path))) return undefined
  return { transport: scheme, host, port, path: path === '/' ? '' : path }
}

/** The URL of an address; `parseAddress` reads it back. */
export function formatAddress(address: Address): string {
  if (address.transport === 'memory') return `memory://${address.host}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.transport}://${host}:${address.port}${address.path}`
}

/** What a handshake or peers list says for this address; `[null, null]` for undefined. */
export function addressToPair(address: Address | undefined): AddressPair {
  return address === undefined ? [null, null] : [address.host, address.port]
}

/**
 * The address that a peer named, for the transport of the link it was named on; undefined when
 * nobody can dial it. Takes what old peers send: bytes for text, integral floats, further items.
 */
export function pairToAddress(pair: unknown, transport: TransportName): Address | undefined {
  if (!Array.isArray(pair)) return undefined
  const [rawHost, rawPort] = pair as readonly unknown[]
  const host = idText(rawHost)
  const port = wholeNumber(rawPort)
  if (host === undefined) return undefined
  if (transport === 'memory') {
    return hostPattern.test(host) ? { transport, host, port: 0, path: '' } : undefined
  }
  if (port === undefined || port < 1 || port > 65_535) return undefined
  if (!(host.includes(':') ? ipv6Pattern : hostPattern).test(host)) return undefined
  return { transport, host, port, path: '' }
}

export function isTransportName(text: string | undefined): text is TransportName {
  return /^(tcp|tls|wss?|memory)$/.test(text ?? '')
}

/**
 * The word that stands for the transport in a network id (spec/wire.md, 4.3). Memory links take the
 * word of TCP, so simulated old peers need no special case.
 */
export function transportToEncryption(
  transport: TransportName,
): 'Plaintext' | 'SSL' | 'ws' | 'wss' {
  if (transport === 'tls') return 'SSL'
  return transport === 'ws' || transport === 'wss' ? transport : 'Plaintext'
}

/** True when the host can only be this machine. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** True for the wildcard hosts that one listens on but cannot dial. */
export function isWildcardHost(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/**
 * The part of a host that one owner is likely to hold: /16 of an IPv4 address, /32 of an IPv6
 * address, otherwise the last two labels of the name. Limits and address buckets count by it.
 */
export function hostGroup(host: string): string {
  const ipv4 = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/i.exec(host)
  if (ipv4 !== null) return `${ipv4[1]}.${ipv4[2]}`
  if (host.includes(':')) return host.toLowerCase().split(':').slice(0, 2).join(':')
  return host.toLowerCase().split('.').slice(-2).join('.')
}
