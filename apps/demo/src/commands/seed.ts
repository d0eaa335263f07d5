/**
 * `p2p seed`: one of the nodes through which those of any network find each other. py2p and js2p have the
 * same command, and seeds of all three make one hash table.
 *
 *   p2p seed --advertise tcp://198.51.100.7:44565
 *   p2p chat tea --seed tcp://198.51.100.7:44565 --listen tcp://0.0.0.0:0
 */
import { once } from 'node:events'
import { ChordNode, seedSubnet } from '@p2p/chord'
import { describeFailure } from '../node/line-error.ts'
import { invocation } from './invocation.ts'
import { printable } from './printable.ts'
import { withProgress } from './progress.ts'
import { isOnThisMachine, listenForAll } from './reach.ts'
import { ServedNetworks } from './served-networks.ts'
import { checkAddresses } from './wrong-usage.ts'

export interface SeedOptions {
  readonly listen: readonly string[]
  readonly connect: readonly string[]
  readonly advertise: readonly string[]
  readonly json: boolean
}

type SeedEvent =
  | { readonly ev: 'open'; readonly id: string; readonly addresses: readonly string[] }
  | { readonly ev: 'error'; readonly code: string; readonly error: string }
  | { readonly ev: 'network'; readonly network: string; readonly networks: number }
  | { readonly ev: 'seeds'; readonly seeds: number }

/** The port of py2p's seeds. */
const defaultListen = 'tcp://0.0.0.0:44565'

export async function runSeed(options: SeedOptions): Promise<void> {
  const { listen, connect, advertise, json } = options
  checkAddresses({ '--listen': listen, '--connect': connect, '--advertise': advertise })
  const opening = ChordNode.open({
    subnet: seedSubnet,
    listen: listen.length > 0 ? listen : defaultListen,
    connect,
    ...(advertise.length > 0 && { advertise }),
  })
  const show = (event: SeedEvent): void => {
    process.stdout.write(`${json ? JSON.stringify(event) : describe(event)}\n`)
  }
  const node = await withProgress('joining', opening)
  // Joins afterwards: what is wrong with the other seeds is told to those who listen by then.
  node.on('error', ({ code, message }) => show({ ev: 'error', code, error: message }))
  try {
    await withProgress('joining', node.join())
  } catch (error) {
    // One that could not join the others serves all the same.
    show({ ev: 'error', ...describeFailure(error) })
  }
  // Before anything is shown: who sees it may press Ctrl-C at once.
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  show({ ev: 'open', id: node.id, addresses: node.addresses })
  const networks = new ServedNetworks()
  const onNetwork = (key: string | Uint8Array): void => {
    const network = networks.add(key)
    if (network !== undefined) show({ ev: 'network', network, networks: networks.size })
  }
  node.on('add', ({ key }) => onNetwork(key))
  node.on('delete', ({ key }) => networks.delete(key))
  node.on('ring', ({ size }) => show({ ev: 'seeds', seeds: size }))
  for await (const key of node.keys()) onNetwork(key)
  try {
    await interrupted
  } finally {
    await withProgress('handing over to other seeds', node.close())
  }
}

/** A chat that others find, too: on this machine, or from anywhere. */
function chatThrough(seed: string): string {
  const line = `${invocation} chat tea --seed ${seed}`
  return isOnThisMachine(seed) ? line : `${line} ${listenForAll}`
}

function describe(event: SeedEvent): string {
  switch (event.ev) {
    case 'open':
      return event.addresses
        .map((address) => `* seed; nodes find each other with: ${chatThrough(address)}`)
        .join('\n')
    case 'error':
      return `* ${event.code}: ${printable(event.error)}`
    case 'network':
      return `* a network is served: ${printable(event.network)} (${event.networks} in all)`
    case 'seeds':
      return `* seeds: ${event.seeds}`
  }
}
