/** What networks of 0.7 run over, by the names that they themselves have for it, and as URLs. */
import { formatAddress, parseAddress, transportToEncryption } from '@p2p/base'

export const encryptions = ['Plaintext', 'SSL', 'ws', 'wss'] as const
export type Encryption = (typeof encryptions)[number]

const schemes = { Plaintext: 'tcp', SSL: 'tls', ws: 'ws', wss: 'wss' } as const

/** The URL of a host and a port. An IPv6 address may come with its brackets or without. */
export function addressAt(host: string, port: number, encryption: Encryption): string {
  return formatAddress({ transport: schemes[encryption], host: bareHost(host), port, path: '' })
}

/** What the URL says it runs over; undefined for none, and for what is no address. */
export function encryptionOf(url: string | undefined): Encryption | undefined {
  const address = parseAddress(url ?? '')
  return address === undefined ? undefined : transportToEncryption(address.transport)
}

/** Without the brackets that an IPv6 address has in URLs only. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
