/** Who can reach whom, as far as the addresses tell. */
import { isLoopbackHost, parseAddress } from '@p2p/base'

/** What to say when seeds elsewhere are to list a node at addresses that only its own machine can dial. */
export function reachHint(
  addresses: readonly string[],
  seeds: readonly string[],
): string | undefined {
  if (seeds.every(isOnThisMachine) || !addresses.every(isOnThisMachine)) return undefined
  return `only this machine can reach this node: for others, add ${listenForAll}`
}

/** Of a node that others can reach, on a port that happens to be free. */
export const listenForAll = '--listen tcp://0.0.0.0:0'

/** True for addresses that mean another machine on each. */
export function isOnThisMachine(address: string): boolean {
  return isLoopbackHost(parseAddress(address)?.host ?? '')
}
