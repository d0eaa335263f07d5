/**
 * The address of a p2py node: where it listens, as it says itself. It is the identity of a link: p2py
 * keeps one link per address. On the wire it is a tuple (host text, port), because p2py uses it as a
 * dict key; we also take a list.
 */
import { formatAddress, parseAddress } from '@p2p/base'
import { PyTuple, type PyValue } from '../pickle/values.ts'

export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/** Undefined for anything but a pair of a dialable host and a port from 1 to 65535. */
export function readNodeAddress(value: PyValue | undefined): NodeAddress | undefined {
  const pair: readonly PyValue[] | undefined =
    value instanceof PyTuple ? value.items : listOf(value)
  if (pair === undefined || pair.length !== 2) return undefined
  const [host, port] = pair
  return createNodeAddress(host, port)
}

/** The same from two values. */
export function createNodeAddress(
  host: PyValue | undefined,
  port: PyValue | undefined,
): NodeAddress | undefined {
  if (typeof host !== 'string' || typeof port !== 'number') return undefined
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  const address = { host, port }
  return parseAddress(addressToUrl(address)) === undefined ? undefined : address
}

export function addressToTuple(address: NodeAddress): PyTuple {
  return new PyTuple([address.host, address.port])
}

/** `tcp://host:port`, also the key under which addresses are kept in maps. */
export function addressToUrl(address: NodeAddress): string {
  return formatAddress({ transport: 'tcp', host: address.host, port: address.port, path: '' })
}

/** Undefined for what is no TCP address with a port. */
export function urlToAddress(url: string): NodeAddress | undefined {
  const parsed = parseAddress(url)
  if (parsed === undefined || parsed.transport !== 'tcp' || parsed.port === 0) return undefined
  return { host: parsed.host, port: parsed.port }
}

function listOf(value: PyValue | undefined): readonly PyValue[] | undefined {
  return Array.isArray(value) ? (value as readonly PyValue[]) : undefined
}
