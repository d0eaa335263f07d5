/** What a listener on all interfaces tells others: the first address of this machine that is not loopback. */
import { networkInterfaces } from 'node:os'
import { formatAddress, isWildcardHost } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'

export function advertisedAddress(bound: Address): {
  readonly address: string
  readonly advertised: string
} {
  const address = formatAddress(bound)
  if (!isWildcardHost(bound.host)) return { address, advertised: address }
  return { address, advertised: formatAddress({ ...bound, host: ownHost(bound.host) }) }
}

/** As the originals do it: the address in the local network, loopback when there is none. */
function ownHost(wildcard: string): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const outward = all.filter((address) => !address.internal)
  const ipv4 = outward.find((address) => address.family === 'IPv4')
  if (ipv4 !== undefined) return ipv4.address
  const isLinkLocal = (host: string): boolean => host.toLowerCase().startsWith('fe80:')
  const ipv6 = outward.find(({ family, address }) => family === 'IPv6' && !isLinkLocal(address))
  if (wildcard === '::' && ipv6 !== undefined) return ipv6.address
  return '127.0.0.1'
}
