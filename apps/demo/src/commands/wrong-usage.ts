/** Mistakes of who types a command: told in one line, answered with status 2. */
import { parseAddress } from '@p2p/base'

export class WrongUsage extends Error {
  override readonly name = 'WrongUsage'
}

/**
 * Before anything is opened.
 *
 * @param addressesByOption such as { '--listen': ['tcp://127.0.0.1:4444'] }
 * @throws WrongUsage for the first that is no address
 */
export function checkAddresses(
  addressesByOption: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [option, addresses] of Object.entries(addressesByOption))
    for (const address of addresses)
      if (parseAddress(address) === undefined) {
        const hint = 'such as tcp://127.0.0.1:4444'
        throw new WrongUsage(`${option} has "${address}", which is no address ${hint}`)
      }
}
