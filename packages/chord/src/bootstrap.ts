/**
 * Finding the first peers of any network through seeds (spec/chord.md §9): chord nodes of the subnet
 * `bootstrap`, which keep, under the network id of each network, a mapping from node id to address. py2p
 * and js2p read and write the same mapping. There are no public seeds: who wants some runs `p2p seed`.
 *
 *   client of the seeds   get(network id) ─▶ { id: [host, port], … } ─▶ set with the own address
 *   node                  dials some of them until it has enough neighbours
 */
import {
  P2pError,
  addressToPair,
  formatAddress,
  pairToAddress,
  parseAddress,
  throwIfCancelled,
  timerDelay,
  transportToEncryption,
} from '@p2p/base'
import type { Address, AddressPair, TransportName, WaitOptions } from '@p2p/base'
import type { Mesh } from '@p2p/mesh'
import { idText, networkId } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { ChordNode } from './chord-node.ts'
import type { ChordNodeOptions } from './chord-node.ts'
import { fieldsOf } from './protocol/fields.ts'

/** The subnet of seeds. */
export const seedSubnet = 'bootstrap'

export interface BootstrapOptions extends WaitOptions {
  /** Addresses of seeds; one that answers is enough. */
  readonly seeds: string | readonly string[]
  /** No more addresses are dialled once the node has so many neighbours; default 5. */
  readonly enoughPeers?: number
  /** Whether to list the node for others, if it listens; default true. */
  readonly announce?: boolean
  /** How to talk with the seeds: limits, logger, transports. */
  readonly client?: Omit<ChordNodeOptions, 'connect' | 'listen' | 'join' | 'subnet'>
}

export interface BootstrapResult {
  /** Nodes that are listed besides this one. */
  readonly listed: number
  /** Neighbours that the node has now. */
  readonly peers: number
}

/** Nodes listed for one network, and read of a list; beyond, some are left out that others have had time to find. */
const maxListed = 256
const parallelDials = 4
/** Of a list of nodes that do not answer, so many are waited for one after the other. */
const silentDials = 6
/** A write may be lost to that of another node. */
const announceTries = 3
const looks = 2
const defaultTimeoutMs = 10_000

/**
 * Lists a node with seeds, and connects it to others of its network that are listed there. Nodes of any
 * network may use the same seeds: mesh, dictionary, hash table.
 *
 * `timeoutMs`, by default 10 s, is for each step: to reach a seed, to read or write the list, to dial a
 * node. The list is read twice, and each time the dials to its nodes end together after six times that.
 * Nobody else listed is no error: others will find this node.
 *
 * Rejects with `P2P_NO_SEED` when no seed answers, and with the errors of `ChordNode.get` and `set`.
 *
 * @throws TypeError for addresses that are none
 * @example
 * const node = await MeshNode.open({ listen: 'tcp://0.0.0.0:4444', advertise: 'tcp://198.51.100.7:4444' })
 * await bootstrap(node, { seeds: 'tcp://seed.example.org:44565' })
 */
export async function bootstrap(node: Mesh, options: BootstrapOptions): Promise<BootstrapResult> {
  const { enoughPeers = 5, announce = true, signal, timeoutMs = defaultTimeoutMs } = options
  const seeds = typeof options.seeds === 'string' ? [options.seeds] : options.seeds
  if (seeds.length === 0) throw new TypeError('at least one seed is needed')
  const transports = new Set(seeds.map((seed) => readAddress(seed).transport))
  const wait = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
  const client = await ChordNode.open({ ...options.client, subnet: seedSubnet })
  const found = new Map<string, string>()
  try {
    await reachSeeds(client, seeds, wait)
    const lists = [...transports].map((transport) => new NodeList(client, node, transport, wait))
    const dialled = new Set<string>()
    // Two that list themselves at one moment write over each other; at the second look it shows, and who the other is.
    for (let look = 0; look < looks; look += 1) {
      for (const list of lists) {
        for (const [id, address] of await list.read(announce)) found.set(id, address)
      }
      found.delete(node.id)
      const fresh = [...found.values()].filter((address) => !dialled.has(address))
      for (const address of fresh) dialled.add(address)
      await dialSome(node, fresh, enoughPeers, wait)
    }
  } finally {
    await client.close()
  }
  return { listed: found.size, peers: node.peers.size }
}

/** The nodes that are listed for the network of one node, over one transport. */
class NodeList {
  readonly #client: ChordNode
  readonly #wait: WaitOptions
  readonly #transport: TransportName
  readonly #key: string
  readonly #id: string
  /** Where others can dial the node over this transport, `[host, port]`. */
  readonly #own: AddressPair | undefined

  constructor(client: ChordNode, node: Mesh, transport: TransportName, wait: WaitOptions) {
    this.#client = client
    this.#wait = wait
    this.#transport = transport
    const { id, subnet, addresses } = node.report()
    this.#key = networkId({ subnet, encryption: transportToEncryption(transport) })
    this.#id = id
    const own = addresses.map(readAddress).find((address) => address.transport === transport)
    this.#own = own && addressToPair(own)
  }

  /** Id → address of all that can be dialled, after the node has been listed if it wants to. */
  async read(announces: boolean): Promise<ReadonlyMap<string, string>> {
    const own = announces ? this.#own : undefined
    for (let tries = announceTries; ; tries -= 1) {
      const value = await this.#client.get(this.#key, undefined, this.#wait)
      // What somebody else wrote there may be anything.
      const mapping = fieldsOf(value ?? null) ?? new Map<Value, Value>()
      const entries = this.#entries(mapping)
      const isListed = own === undefined || entries.get(this.#id) === this.#urlOf(own)
      if (isListed || tries === 0) return new Map(shuffled([...entries]).slice(0, maxListed))
      const others = shuffled([...mapping].filter(([id]) => idText(id) !== this.#id))
      const kept = others.slice(0, maxListed - 1)
      await this.#client.set(this.#key, new Map([...kept, [this.#id, own]]), this.#wait)
    }
  }

  #entries(mapping: ReadonlyMap<Value, Value>): ReadonlyMap<string, string> {
    const entries = new Map<string, string>()
    for (const [wireId, pair] of mapping) {
      const id = idText(wireId)
      const address = this.#urlOf(pair)
      if (id !== undefined && address !== undefined) entries.set(id, address)
    }
    return entries
  }

  #urlOf(pair: unknown): string | undefined {
    const address = pairToAddress(pair, this.#transport)
    return address && formatAddress(address)
  }
}

async function reachSeeds(
  client: ChordNode,
  seeds: readonly string[],
  wait: WaitOptions,
): Promise<void> {
  try {
    await Promise.any(seeds.map((seed) => client.connect(seed, wait)))
  } catch (cause) {
    throwIfCancelled(wait.signal)
    const text = `no seed answers at ${seeds.join(', ')}; a seed is a ChordNode of subnet "bootstrap" that has joined`
    throw new P2pError('P2P_NO_SEED', text, { cause })
  }
}

/** Those listed may be gone long ago: some are tried at a time, until enough have answered. */
async function dialSome(
  node: Mesh,
  addresses: readonly string[],
  enoughPeers: number,
  wait: WaitOptions,
): Promise<void> {
  const waiting = shuffled(addresses)
  const { timeoutMs = defaultTimeoutMs } = wait
  const end = AbortSignal.timeout(timerDelay(timeoutMs * silentDials))
  const signal = wait.signal === undefined ? end : AbortSignal.any([wait.signal, end])
  const dial = async (): Promise<void> => {
    while (node.peers.size < enoughPeers && !signal.aborted) {
      const address = waiting.pop()
      if (address === undefined) return
      await node.connect(address, { timeoutMs, signal }).catch(() => undefined)
    }
  }
  await Promise.all(Array.from({ length: parallelDials }, dial))
  throwIfCancelled(wait.signal)
}

function readAddress(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`"${text}" is no address`)
  return address
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
