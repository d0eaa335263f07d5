/** Addresses and targets as applications write them. */
import type { Target } from './protocol/events.ts'
import { isUuid, maxUuid } from './protocol/messages.ts'
import { createNodeAddress, urlToAddress, type NodeAddress } from './protocol/node-address.ts'
import type { Connection } from './received.ts'

/** `['127.0.0.1', 4444]` as in p2py, or `tcp://127.0.0.1:4444`. */
export type AddressLike = readonly [host: string, port: number] | string

/** Whom to ask: a member by UUID, any node by address, or the other end of a connection. */
export type TargetLike =
  | { readonly uuid: number }
  | { readonly address: AddressLike }
  | { readonly connection: Connection }

/** p2py's default port. */
export const defaultPort = 10_000

/** @throws RangeError for what is no address that one can dial. */
export function readAddress(address: AddressLike): NodeAddress {
  const read =
    typeof address === 'string' ? urlToAddress(address) : createNodeAddress(address[0], address[1])
  if (read === undefined) {
    const forms = "['127.0.0.1', 4444] or 'tcp://127.0.0.1:4444'"
    throw new RangeError(`not an address: ${String(address)}, expected such as ${forms}`)
  }
  return read
}

/** @throws RangeError for what is no address, and for a UUID that nobody can have. */
export function readTarget(target: TargetLike): Target {
  if ('uuid' in target) {
    if (isUuid(target.uuid)) return target
    throw new RangeError(`a UUID is a whole number from 0 to ${maxUuid}, got ${target.uuid}`)
  }
  if ('address' in target) return { address: readAddress(target.address) }
  return { link: target.connection.id }
}
