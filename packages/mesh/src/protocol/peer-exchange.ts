/**
 * Peers lists: who is told about whom, and what is believed.
 *
 * A list is `[7, [[[host, port], id], …]]`. It names no transport: an address is for the transport
 * of the link the list came on, so a peer is only told addresses of its own transport. What may be
 * in a list depends on who gets it, because both originals break on lists that are well formed:
 *
 * - js2p drops the link over which it learns of a peer it would dial while it still waits for the
 *   handshake of another one that it was told of: one entry at most, and the same one in every list
 *   until it must have got through or failed.
 * - py2p that dials an entry which hangs up before its handshake floods its neighbours for ever: only
 *   peers that we dialled ourselves at that address, or whose connection came from that very host.
 * - py2p keeps a link under the id it was told and under the one in the handshake. When one is text and
 *   the other is bytes they are two, of which it forgets one when the link ends, and floods its
 *   neighbours as above: it is told an id in the form that the peer itself uses.
 * - Each entry has exactly two elements and an array for an address; `[nil, nil]` is never listed.
 *
 * An old peer dials the first few that it is told of, so it is told of other old ones first: joined to one
 * another they flood to one another, and one copy of ours serves them all. py2p best goes to js2p, as
 * two py2p lose their link when a third leaves one of them (spec/mesh.md, 5.2).
 *
 * Source: spec/mesh.md, 3.6, 5.1, 5.2; spec/observed.md, 2 and 4.16.
 */
import {
  addressToPair,
  isLoopbackHost,
  pairToAddress,
  parseAddress,
  formatAddress,
  type Now,
  type Peer,
  type PeerKind,
  type RandomBytes,
  type TransportName,
} from '@p2p/base'
import { flags, idText, utf8Encode, type Value } from '@p2p/serializer'
import { shuffle } from './shuffle.ts'

/** Entries in a list to one of our own nodes. */
const maxListedPeers = 64
/** Entries read from a list; the rest is ignored. A full py2p table is far smaller. */
const maxReadPeers = 256
/** A neighbour that asks for the list more often than this is not answered: py2p can ask thousands of times a second. */
const answerPauseMs = 1_000
/** How long js2p is told of one and the same peer: it waits as long as its system tries to connect. */
const sameEntryMs = 150_000
/** Longest id text that is taken; the originals' ids have 66 characters. */
const maxIdLength = 128

export interface HeardPeer {
  readonly id: string
  /** Address URL. */
  readonly address: string
}

/** One to be listed; `kind` is known of neighbours. */
type Candidate = HeardPeer & { readonly kind?: PeerKind }

/** What is known about a neighbour beyond what it says of itself. */
interface NeighbourOrigin {
  readonly peer: Peer
  /** Host that the transport saw at the other end. */
  readonly remoteHost: string | undefined
}

/** The one peer that a js2p neighbour was told of. */
interface OnlyEntry {
  readonly id: string
  readonly toldMs: number
}

export class PeerExchange {
  readonly #random: RandomBytes
  readonly #answeredMs = new Map<string, number>()
  readonly #onlyEntries = new Map<string, OnlyEntry>()
  #ignoredRequests = 0

  constructor(random: RandomBytes) {
    this.#random = random
  }

  /** Requests that were not answered because they came too fast. */
  get ignoredRequests(): number {
    return this.#ignoredRequests
  }

  /**
   * The peers list for one neighbour. `known` are further addresses that answered lately; only our
   * own nodes are told of them.
   */
  listFor(
    recipient: Peer,
    neighbours: Iterable<NeighbourOrigin>,
    known: Iterable<HeardPeer>,
    now: Now,
  ): Value[] {
    const heard: Candidate[] = []
    for (const origin of neighbours) {
      const { id, address, kind } = origin.peer
      if (id === recipient.id || address === undefined) continue
      if (recipient.kind !== 'ours' && !isCertain(origin)) continue
      heard.push({ id, address, kind })
    }
    if (recipient.kind === 'ours') {
      const neighbourIds = new Set(heard.map(({ id }) => id))
      for (const entry of known) {
        if (entry.id !== recipient.id && !neighbourIds.has(entry.id)) heard.push(entry)
      }
    }
    const candidates = shuffle(heard, this.#random)
    if (recipient.kind !== 'ours') {
      candidates.sort((a, b) => usefulness(b, recipient) - usefulness(a, recipient))
    }
    const listed = listable(candidates, recipient)
    const allowed = tellsOnlyOne(recipient) ? this.#onlyOne(listed, recipient, now) : listed
    return [flags.peers, allowed.map(({ entry }) => entry)]
  }

  /** The peer that this neighbour was told of before, or a new one when that was long ago. */
  #onlyOne<Listed extends { readonly id: string }>(
    listed: readonly Listed[],
    recipient: Peer,
    now: Now,
  ): readonly Listed[] {
    const before = this.#onlyEntries.get(recipient.id)
    if (before !== undefined && now.monoMs - before.toldMs < sameEntryMs) {
      return listed.filter(({ id }) => id === before.id)
    }
    const [only] = listed
    if (only === undefined) return []
    this.#onlyEntries.set(recipient.id, { id: only.id, toldMs: now.monoMs })
    return [only]
  }

  /** Whether this neighbour's request for the list is to be answered now. */
  mayAnswer(peer: Peer, now: Now): boolean {
    const answeredMs = this.#answeredMs.get(peer.id) ?? -Infinity
    if (now.monoMs - answeredMs < answerPauseMs) {
      this.#ignoredRequests += 1
      return false
    }
    this.#answeredMs.set(peer.id, now.monoMs)
    return true
  }

  forget(peer: Peer): void {
    this.#answeredMs.delete(peer.id)
    this.#onlyEntries.delete(peer.id)
  }
}

/** The payload that asks a neighbour for its list: as bytes, since py2p knows no other form. */
export function requestAllPayload(): Value[] {
  return [flags.request, utf8Encode('*')]
}

/** True for a request for the peers list, in either form. */
export function isRequestAll(payload: readonly unknown[]): boolean {
  return payload.length === 2 && idText(payload[1]) === '*'
}

/** The peers in a list that can be used; entries that cannot be are skipped. */
export function readPeersList(payload: readonly unknown[], transport: TransportName): HeardPeer[] {
  const list = payload[1]
  if (!Array.isArray(list)) return []
  const heard: HeardPeer[] = []
  for (const entry of list.slice(0, maxReadPeers) as unknown[]) {
    if (!Array.isArray(entry)) continue
    const [pair, idValue] = entry as unknown[]
    const id = idText(idValue)
    const address = pairToAddress(pair, transport)
    if (id === undefined || id.length > maxIdLength || address === undefined) continue
    heard.push({ id, address: formatAddress(address) })
  }
  return heard
}

/** js2p; and whoever may be one. */
function tellsOnlyOne({ kind }: Peer): boolean {
  return kind !== 'ours' && kind !== 'py2p'
}

/** How useful a peer is to an old one: most if it is another original, least if it is one of ours. */
function usefulness({ kind }: Candidate, recipient: Peer): number {
  if (kind === 'ours') return 0
  return kind === recipient.kind ? 1 : 2
}

/** True when the address is more than the peer's own claim. */
function isCertain({ peer, remoteHost }: NeighbourOrigin): boolean {
  if (peer.outgoing) return true
  return peer.address !== undefined && parseAddress(peer.address)?.host === remoteHost
}

/** The first of these that the recipient could dial, each with its `[[host, port], id]`. */
function listable(
  heard: readonly Candidate[],
  recipient: Peer,
): { readonly id: string; readonly entry: Value[] }[] {
  const recipientHost = parseAddress(recipient.address ?? '')?.host
  const isLocal = recipientHost === undefined || isLoopbackHost(recipientHost)
  const { transport } = recipient
  // A peer that is told of only one must be told of the same one, wherever that stands.
  const maxCount = tellsOnlyOne(recipient) ? heard.length : maxListedPeers
  const listed: { readonly id: string; readonly entry: Value[] }[] = []
  for (const { id, address: text, kind } of heard) {
    if (listed.length >= maxCount) break
    const address = parseAddress(text)
    if (address?.transport !== transport) continue
    if (isLoopbackHost(address.host) && !isLocal) continue
    const wireId = recipient.kind === 'py2p' && kind === 'py2p' ? utf8Encode(id) : id
    listed.push({ id, entry: [[...addressToPair(address)], wireId] })
  }
  return listed
}
