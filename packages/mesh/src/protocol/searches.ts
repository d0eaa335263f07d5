/**
 * Reaching a node that is no neighbour: flood a question for its address, dial the answer, hand the
 * message over.
 *
 * Theory of operation. `[8, search id, wanted id]` goes out as a broadcast. Whoever has the wanted
 * node for a neighbour, or is it, answers the neighbour the question came from with the broadcast
 * `[10, search id, [address, id]]`, which floods back. The first answer that leads to a peer with the
 * wanted id ends the search.
 *
 * An address on the wire is host and port, and who gets it takes it for one of the transport of the link
 * that brought it. So the answer names an address of the transport of the link that it leaves on, or there is none.
 *
 * Old programs compare ids with their type, so an id that some of them know as text and some as bytes is asked for
 * in one form first and, after `secondFormAfterMs`, in the other.
 *
 * Answering has a trap: js2p asks, and drops the link over which the answer comes. So questions that
 * look like its own (its search ids are 384-bit numbers in base58) and carry no mark of ours are
 * passed on but not answered.
 *
 * Source: spec/mesh.md, 5.3; spec/observed.md, 4.24. No original completes a search.
 */
import {
  P2pError,
  addressToPair,
  formatAddress,
  pairToAddress,
  parseAddress,
  type Now,
  type Peer,
  type RandomBytes,
  type RequestId,
  type TransportName,
} from '@p2p/base'
import {
  encodeBase58Integer,
  flags,
  idText,
  utf8Encode,
  type Value,
  type WireMessage,
} from '@p2p/serializer'
import { decodeTail, tailItems } from './message-tail.ts'

/** Searches of ours under way; more are refused. */
const maxSearches = 1_024
const secondFormAfterMs = 1_000
/** Addresses dialled for one search: an answer is hearsay, and must not make us dial at will. */
const maxDialsPerSearch = 3
const searchIdBytes = 16
/** A base58 text at least this long may be a 384-bit number, as in js2p's search ids. */
const js2pSearchIdLength = 60

export interface Search {
  readonly request: RequestId
  readonly wanted: string
  /** What is handed over once the peer is there. */
  readonly message: WireMessage
  readonly searchId: string
  readonly deadlineMs: number
  secondFormMs: number
  /** The answered addresses that were dialled. */
  readonly dialled: Set<string>
}

export class Searches {
  readonly #random: RandomBytes
  readonly #byId = new Map<string, Search>()

  constructor(random: RandomBytes) {
    this.#random = random
  }

  get count(): number {
    return this.#byId.size
  }

  /** Opens a search; undefined when too many are open. The caller floods `question(search)`. */
  open(
    wanted: string,
    message: WireMessage,
    options: { readonly request: RequestId; readonly timeoutMs: number },
    now: Now,
  ): Search | undefined {
    if (this.#byId.size >= maxSearches) return undefined
    const search: Search = {
      request: options.request,
      wanted,
      message,
      searchId: encodeBase58Integer(this.#random(searchIdBytes)),
      deadlineMs: now.monoMs + options.timeoutMs,
      secondFormMs: now.monoMs + secondFormAfterMs,
      dialled: new Set(),
    }
    this.#byId.set(search.searchId, search)
    return search
  }

  /** Where to dial because of this answer; undefined when it is not for us or of no use. */
  takeAnswer(
    payload: readonly unknown[],
    transport: TransportName,
  ): { readonly search: Search; readonly address: string } | undefined {
    const search = this.#byId.get(idText(payload[1]) ?? '')
    const found = payload[2]
    if (search === undefined || !Array.isArray(found)) return undefined
    const [pair, id] = found as unknown[]
    const parsed = pairToAddress(pair, transport)
    if (idText(id) !== search.wanted || parsed === undefined) return undefined
    const address = formatAddress(parsed)
    // All neighbours of the wanted node answer.
    if (search.dialled.has(address) || search.dialled.size >= maxDialsPerSearch) return undefined
    search.dialled.add(address)
    return { search, address }
  }

  /** Takes out the searches that a new neighbour ends. */
  takeFound(peerId: string): Search[] {
    return this.#take((search) => search.wanted === peerId)
  }

  takeRequest(request: RequestId): Search | undefined {
    return this.#take((search) => search.request === request)[0]
  }

  /** Takes out the searches whose time is up. */
  takeExpired(now: Now): Search[] {
    return this.#take((search) => search.deadlineMs <= now.monoMs)
  }

  /** The searches that are now to be asked in the other form of the id. */
  takeSecondForms(now: Now): Search[] {
    const due: Search[] = []
    for (const search of this.#byId.values()) {
      if (search.secondFormMs > now.monoMs) continue
      search.secondFormMs = Infinity
      due.push(search)
    }
    return due
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { deadlineMs, secondFormMs } of this.#byId.values()) {
      next = Math.min(next, deadlineMs, secondFormMs)
    }
    return next
  }

  #take(matches: (search: Search) => boolean): Search[] {
    const taken: Search[] = []
    for (const search of this.#byId.values()) {
      if (!matches(search)) continue
      this.#byId.delete(search.searchId)
      taken.push(search)
    }
    return taken
  }
}

/** The payload that asks for a node; `form` is the type of the wanted id on the wire. */
export function searchQuestion(search: Search, form: 'text' | 'bytes'): Value[] {
  const wanted = form === 'text' ? search.wanted : utf8Encode(search.wanted)
  return [flags.request, search.searchId, wanted]
}

/** The mark that tells our own nodes that an answer is welcome. */
export const answerableTail: ReadonlyMap<number, Uint8Array> = new Map([
  [tailItems.answerable, new Uint8Array(0)],
])

/** The id a question asks for, when it may be answered. */
export function answerableWanted(message: WireMessage): string | undefined {
  const [, searchId, wanted] = message.payload
  const searchText = idText(searchId)
  if (searchText === undefined) return undefined
  const isMarked = decodeTail(message.tail)?.has(tailItems.answerable) === true
  if (!isMarked && searchText.length >= js2pSearchIdLength) return undefined
  return idText(wanted)
}

/** The answer to a question about this node; undefined when nobody could dial it over this transport. */
export function searchAnswer(
  question: readonly Value[],
  found: Pick<Peer, 'id' | 'addresses'> & Partial<Pick<Peer, 'address'>>,
  transport: TransportName,
): Value[] | undefined {
  const [, searchId] = question
  const { id, address: ofLink = '', addresses } = found
  const address = [ofLink, ...addresses]
    .map(parseAddress)
    .find((one) => one?.transport === transport)
  if (searchId === undefined || address === undefined) return undefined
  return [flags.response, searchId, [[...addressToPair(address)], id]]
}

export function peerNotFound(search: Search): P2pError {
  const how =
    search.dialled.size === 0 ? 'nobody knows its address' : 'the addresses did not lead to it'
  return new P2pError('P2P_PEER_NOT_FOUND', `peer ${search.wanted} was not found: ${how}`, {
    facts: { dials: search.dialled.size },
  })
}
