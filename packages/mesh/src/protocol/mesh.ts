/**
 * The mesh: an unorganised network in which a broadcast reaches everybody once, and a message to one
 * node finds it.
 *
 * Theory of operation. The machine wraps the peer layer, which owns the links, and sorts what peers
 * say. Each part that has rules of its own is a structure of its own:
 *
 *   seen-cache.ts      which broadcasts are taken: once, and only while they are fresh
 *   twin-messages.ts   broadcasts that an original sent under two ids
 *   tree-dissemination.ts  who gets a copy (a flood, or one tree per sender)
 *   peer-exchange.ts   peers lists
 *   overlay.ts         how many links, and to whom
 *   searches.ts        messages to nodes that are no neighbours
 *   outgoing-stamps.ts what makes two equal messages of ours different
 *
 * A message with a sub-flag that the mesh does not know comes up as `unclaimed`, after it was relayed
 * if it was a broadcast. Sub-flags count only under the main flag they belong to: the originals obey
 * a handshake or a peers list inside a broadcast, so such broadcasts are not passed on to them.
 *
 * The file is long because it is the one place where the parts meet: every rule that can stand alone
 * stands in its part.
 *
 * Source: spec/mesh.md, and the design notes named in the parts.
 */
import {
  P2pError,
  Peers,
  parseAddress,
  type LinkId,
  type LinkInput,
  type Machine,
  type Now,
  type Peer,
  type PeersEffect,
  type PeersInput,
  type RequestId,
  type SendPriority,
} from '@p2p/base'
import {
  createMessage,
  flags,
  idText,
  wholeNumber,
  type Value,
  type WireMessage,
} from '@p2p/serializer'
import {
  defaultMeshPolicy,
  type MeshEffect,
  type MeshInput,
  type MeshMachineOptions,
  type MeshPolicy,
} from './mesh-contract.ts'
import { resolveMeshLimits } from './mesh-limits.ts'
import { OutgoingStamps } from './outgoing-stamps.ts'
import { Overlay } from './overlay.ts'
import { PeerExchange, isRequestAll, readPeersList, requestAllPayload } from './peer-exchange.ts'
import {
  Searches,
  answerableTail,
  answerableWanted,
  peerNotFound,
  searchAnswer,
  searchQuestion,
  type Search,
} from './searches.ts'
import { readSecret, SeenCache } from './seen-cache.ts'
import { treeControlSubFlag, treeFeature } from './tree-control.ts'
import { TreeDissemination, type Copy } from './tree-dissemination.ts'
import { TwinMessages, type HeardMessage } from './twin-messages.ts'

/** Why the peer layer was asked to connect: for the caller, for a search, or to have enough links. */
type Dial = { readonly address: string } & (
  | { readonly type: 'command'; readonly request: RequestId }
  | { readonly type: 'overlay'; readonly id: string }
  | { readonly type: 'search' | 'bootstrap' }
)

/** Broadcasts with these sub-flags would be obeyed by old peers as if their neighbour had whispered them. */
const neverRelayed: ReadonlySet<number | undefined> = new Set([flags.handshake, flags.peers])
/** Among old programs a message that is 60 s old when it comes goes round without end (spec/mesh.md, 4.1). */
const maxAgeForOldSeconds = 58
const background = { timeoutMs: 10_000 }

export class MeshMachine implements Machine<MeshInput, MeshEffect> {
  readonly id: string
  /** As in network ids. */
  readonly subnet: string
  readonly #peers: Peers
  readonly #policy: MeshPolicy
  readonly #seen: SeenCache
  readonly #stamps = new OutgoingStamps()
  readonly #twins = new TwinMessages()
  readonly #dissemination: TreeDissemination
  readonly #exchange: PeerExchange
  readonly #overlay: Overlay
  readonly #searches: Searches
  readonly #open = new Map<string, Peer>()
  readonly #remoteHosts = new Map<LinkId, string>()
  readonly #dials = new Map<RequestId, Dial>()
  #lastDial: RequestId = 0
  #ownAddresses: readonly string[] = []
  #effects: MeshEffect[] = []
  #counters = { delivered: 0, duplicates: 0, expired: 0, early: 0, notRelayed: 0, twins: 0 }

  constructor(options: MeshMachineOptions) {
    const limits = resolveMeshLimits(options.meshLimits)
    const usesTree = options.dissemination !== 'flood' && options.extensions !== false
    const features = [...(options.features ?? []), ...(usesTree ? [treeFeature] : [])]
    this.id = options.id
    this.subnet = options.subnet
    this.#peers = new Peers({ ...options, features })
    this.#policy = options.policy ?? defaultMeshPolicy
    this.#seen = new SeenCache({
      maxIds: limits.maxSeenIds,
      secret: readSecret(options.randomBytes),
    })
    this.#exchange = new PeerExchange(options.randomBytes)
    this.#overlay = new Overlay({
      ownId: options.id,
      random: options.randomBytes,
      limits,
      bootstrap: options.bootstrap ?? [],
    })
    this.#searches = new Searches(options.randomBytes)
    this.#dissemination = new TreeDissemination({
      ownId: options.id,
      random: options.randomBytes,
      compose: (payload, now) => this.#whisper(payload, now),
      wasSeen: (id, offset) => this.#seen.has(id, offset),
      limits,
      floods: !usesTree,
    })
  }

  /** The own id as it goes on the wire. */
  get wireId(): string | Uint8Array {
    return this.#peers.wireId
  }

  /** The neighbours, by id. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#open
  }

  handle(input: MeshInput, now: Now): readonly MeshEffect[] {
    this.#effects = []
    switch (input.type) {
      case 'link-open':
      case 'link-closed':
        this.#noteRemote(input)
        this.#tellPeers(input, now)
        break
      case 'link-bytes':
      case 'link-held':
      case 'dial-failed':
        this.#tellPeers(input, now)
        break
      case 'disconnect':
        this.#overlay.shun(input.peer)
        this.#tellPeers(input, now)
        break
      case 'let-go':
        this.#tellPeers({ ...input, type: 'disconnect' }, now)
        break
      case 'deadline':
        this.#onDeadline(now)
        break
      case 'listening':
        this.#ownAddresses = input.addresses
        this.#tellPeers(input, now)
        break
      case 'connect':
        this.#overlay.noteDial(input.address, now)
        this.#dial({ type: 'command', request: input.request, address: input.address }, input, now)
        break
      case 'cancel':
        this.#cancel(input.request, now)
        break
      case 'broadcast':
        this.#broadcast(input, now)
        break
      case 'spread':
        this.#spread(input, now)
        break
      case 'pass':
        this.#sendTo(input.peer, input.message, input.priority, now)
        break
      case 'deliver':
        this.#deliver(input, now)
        break
      case 'request-peers':
        for (const peer of this.#open.values()) this.#whisperTo(peer, requestAllPayload(), now)
        break
      case 'list-peers':
        this.#listPeers(input.peer, now, input.without)
        break
    }
    return this.#effects
  }

  nextDeadline(): number {
    return Math.min(
      this.#peers.nextDeadline(),
      this.#dissemination.nextDeadline(),
      this.#searches.nextDeadline(),
      this.#policy.dialsKnownPeers ? this.#overlay.nextDeadline() : Infinity,
    )
  }

  /** Counters and table sizes, for reports; closed links by cause as `closed:P2P_…`. */
  counters(): Readonly<Record<string, number>> {
    const { closedByCode, ...peerCounters } = this.#peers.counters()
    return {
      ...peerCounters,
      ...Object.fromEntries(
        Object.entries(closedByCode).map(([code, count]) => [`closed:${code}`, count]),
      ),
      ...this.#counters,
      ...this.#dissemination.counters(),
      seenIds: this.#seen.size,
      knownPeers: this.#overlay.knownCount,
      openSearches: this.#searches.count,
      ignoredPeersRequests: this.#exchange.ignoredRequests,
    }
  }

  #onDeadline(now: Now): void {
    if (this.#peers.nextDeadline() <= now.monoMs) this.#tellPeers({ type: 'deadline' }, now)
    this.#sendCopies(this.#dissemination.handleDeadline(now), now)
    this.#onSearchDeadline(now)
    if (this.#policy.dialsKnownPeers && this.#overlay.nextDeadline() <= now.monoMs) {
      this.#keepDegree(now)
    }
  }

  #keepDegree(now: Now): void {
    const surplus = this.#overlay.takeSurplus(now)
    if (surplus !== undefined) {
      const reason = new P2pError('P2P_TOO_MANY_NEIGHBOURS', 'the node has enough links')
      this.#tellPeers({ type: 'disconnect', peer: surplus.id, reason }, now)
    }
    for (const { id, address } of this.#overlay.takeDials(now)) {
      this.#dial({ type: 'overlay', id, address }, background, now)
    }
    for (const address of this.#overlay.takeBootstraps(now)) {
      this.#dial({ type: 'bootstrap', address }, background, now)
    }
  }

  // ---- the peer layer

  #tellPeers(input: PeersInput, now: Now): void {
    for (const effect of this.#peers.handle(input, now)) this.#onPeersEffect(effect, now)
  }

  #onPeersEffect(effect: PeersEffect, now: Now): void {
    switch (effect.type) {
      case 'peer-open':
        this.#onPeerOpen(effect.peer, now)
        break
      case 'peer-closed':
        this.#onPeerClosed(effect.peer, effect.reason, now)
        break
      case 'peer-updated':
        // An old peer expects a list after each of its handshakes.
        if (this.#policy.listsPeersAfterHandshake) this.#listPeers(effect.peer.id, now)
        this.#effects.push(effect)
        break
      case 'peer-message':
        this.#onMessage(effect.message, effect.peer, now)
        break
      case 'connected':
        this.#onConnected(effect.request, effect.peer, now)
        break
      case 'connect-failed':
        this.#onConnectFailed(effect.request, effect.error, now)
        break
      default:
        this.#effects.push(effect)
    }
  }

  #noteRemote(input: Extract<LinkInput, { type: 'link-open' | 'link-closed' }>): void {
    if (input.type === 'link-closed') {
      this.#remoteHosts.delete(input.link)
      return
    }
    const host = parseAddress(input.remote)?.host
    if (host !== undefined) this.#remoteHosts.set(input.link, host)
  }

  #onPeerOpen(peer: Peer, now: Now): void {
    this.#open.set(peer.id, peer)
    this.#overlay.peerOpened(peer, now)
    this.#twins.addNeighbour(peer, now)
    if (this.#policy.listsPeersAfterHandshake) this.#listPeers(peer.id, now)
    this.#effects.push({ type: 'peer-join', peer })
    this.#sendCopies(this.#dissemination.addNeighbour(peer, now), now)
    for (const search of this.#searches.takeFound(peer.id)) {
      this.#handOver(search.request, peer, search.message, now)
    }
  }

  #onPeerClosed(peer: Peer, reason: P2pError, now: Now): void {
    this.#open.delete(peer.id)
    this.#overlay.peerClosed(peer, now)
    this.#exchange.forget(peer)
    this.#dissemination.removeNeighbour(peer)
    this.#noteLate(this.#twins.removeNeighbour(peer))
    this.#effects.push({ type: 'peer-leave', peer, reason })
  }

  #dial(
    dial: Dial,
    target: { readonly expectedId?: string | undefined; readonly timeoutMs: number },
    now: Now,
  ): void {
    this.#lastDial += 1
    this.#dials.set(this.#lastDial, dial)
    const { expectedId, timeoutMs } = target
    this.#tellPeers(
      { type: 'connect', request: this.#lastDial, address: dial.address, expectedId, timeoutMs },
      now,
    )
  }

  #onConnected(request: RequestId, peer: Peer, now: Now): void {
    const dial = this.#dials.get(request)
    this.#dials.delete(request)
    if (dial === undefined) return
    this.#overlay.noteAnswer(dial.address, peer, dial.type === 'command', now)
    if (dial.type === 'overlay') this.#overlay.dialSucceeded(dial.id, peer)
    if (dial.type === 'command') {
      this.#effects.push({ type: 'connected', request: dial.request, peer })
    }
  }

  #onConnectFailed(request: RequestId, error: P2pError, now: Now): void {
    const dial = this.#dials.get(request)
    this.#dials.delete(request)
    if (dial?.type === 'overlay') this.#overlay.dialFailed(dial.id, now)
    if (dial?.type === 'command') {
      this.#effects.push({ type: 'connect-failed', request: dial.request, error })
    }
  }

  #cancel(request: RequestId, now: Now): void {
    this.#searches.takeRequest(request)
    for (const [own, dial] of this.#dials) {
      if (dial.type !== 'command' || dial.request !== request) continue
      this.#dials.delete(own)
      this.#tellPeers({ type: 'cancel-connect', request: own }, now)
    }
  }

  // ---- what we send

  #broadcast(command: Extract<MeshInput, { type: 'broadcast' }>, now: Now): void {
    const { request, payload } = command
    const message = this.#createBroadcast(payload, now, command)
    this.#effects.push({ type: 'sent', request, message })
    const copies = this.#dissemination.spread(message, undefined, now, { standsAlone: true })
    this.#sendCopies(copies, now)
  }

  #spread(command: Extract<MeshInput, { type: 'spread' }>, now: Now): void {
    const { message, from } = command
    if (this.#seen.check(message.id, message.time, now) !== 'new') return
    this.#sendCopies(this.#dissemination.spread(message, from, now, command), now)
  }

  #createBroadcast(
    payload: readonly Value[],
    now: Now,
    { tail }: { readonly tail?: ReadonlyMap<number, Uint8Array> } = {},
  ): WireMessage {
    const outgoing = { sender: this.wireId, payload, ...(tail !== undefined && { tail }) }
    const message = this.#stamps.create(outgoing, now.utcSeconds)
    this.#seen.check(message.id, message.time, now)
    return message
  }

  #deliver(command: Extract<MeshInput, { type: 'deliver' }>, now: Now): void {
    const { request, message, timeoutMs } = command
    const peer = this.#open.get(command.peer)
    if (peer !== undefined) {
      this.#handOver(request, peer, message, now)
      return
    }
    if (command.peer === this.id) {
      const error = new P2pError('P2P_SELF', 'to the node itself')
      this.#effects.push({ type: 'send-failed', request, error })
      return
    }
    const search = this.#searches.open(command.peer, message, { request, timeoutMs }, now)
    if (search === undefined) {
      const error = new P2pError('P2P_TOO_MANY_SEARCHES', 'too many searches at once')
      this.#effects.push({ type: 'send-failed', request, error })
      return
    }
    const known = this.#overlay.addressOf(command.peer)
    if (known !== undefined) this.#dialForSearch(search.wanted, known, now)
    this.#ask(search, 'text', now)
  }

  #ask(search: Search, form: 'text' | 'bytes', now: Now): void {
    const question = this.#createBroadcast(searchQuestion(search, form), now, {
      tail: answerableTail,
    })
    this.#sendCopies(this.#dissemination.spread(question, undefined, now), now)
  }

  #dialForSearch(wanted: string, address: string, now: Now): void {
    this.#dial({ type: 'search', address }, { ...background, expectedId: wanted }, now)
  }

  #onSearchDeadline(now: Now): void {
    for (const search of this.#searches.takeExpired(now)) {
      const { request } = search
      this.#effects.push({ type: 'send-failed', request, error: peerNotFound(search) })
    }
    for (const search of this.#searches.takeSecondForms(now)) this.#ask(search, 'bytes', now)
  }

  #handOver(request: RequestId, peer: Peer, message: WireMessage, now: Now): void {
    this.#sendTo(peer.id, message, 'own', now)
    this.#effects.push({ type: 'sent', request, message })
  }

  #whisper(payload: readonly Value[], now: Now): WireMessage {
    const time = Math.floor(now.utcSeconds)
    return createMessage({ type: flags.whisper, sender: this.wireId, time, payload })
  }

  #whisperTo(peer: Peer, payload: readonly Value[], now: Now): void {
    this.#sendTo(peer.id, this.#whisper(payload, now), 'control', now)
  }

  #sendCopies(copies: readonly Copy[], now: Now): void {
    for (const { peer, message, priority } of copies) {
      const to = this.#open.get(peer)
      if (to !== undefined && this.#mayPass(message, to, now)) {
        this.#sendTo(peer, message, priority, now)
      }
    }
  }

  #mayPass(message: WireMessage, to: Peer, now: Now): boolean {
    if (message.type !== flags.broadcast) return true
    const isFresh = message.time >= now.utcSeconds - maxAgeForOldSeconds
    return (isFresh || to.kind === 'ours') && this.#policy.mayPass?.(message, to) !== false
  }

  #sendTo(peer: string, message: WireMessage, priority: SendPriority, now: Now): void {
    const effect = this.#peers.send(peer, message, priority, now)
    if (effect !== undefined) this.#effects.push(effect)
  }

  #listPeers(peerId: string, now: Now, without?: ReadonlySet<string>): void {
    const recipient = this.#open.get(peerId)
    if (recipient === undefined) return
    const neighbours = [...this.#open.values()]
      .filter(({ id }) => without?.has(id) !== true)
      .map((peer) => ({ peer, remoteHost: this.#remoteHosts.get(peer.link) }))
    const list = this.#exchange.listFor(recipient, neighbours, this.#overlay.proven(), now)
    this.#whisperTo(recipient, list, now)
  }

  // ---- what we hear

  #onMessage(message: WireMessage, from: Peer, now: Now): void {
    this.#sendCopies(this.#dissemination.noteFeatures(from, now), now)
    const subFlag = wholeNumber(message.payload[0])
    if (message.type === flags.broadcast) this.#onBroadcast(message, subFlag, from, now)
    else if (message.type === flags.whisper) this.#onWhisper(message, subFlag, from, now)
  }

  #onBroadcast(message: WireMessage, subFlag: number | undefined, from: Peer, now: Now): void {
    if (neverRelayed.has(subFlag)) {
      this.#counters.notRelayed += 1
      return
    }
    const verdict = this.#seen.check(message.id, message.time, now)
    switch (verdict) {
      case 'expired':
      case 'early':
        this.#counters[verdict] += 1
        return
      case 'seen':
        this.#counters.duplicates += 1
        this.#sendCopies(this.#dissemination.noteDuplicate(message, from, now), now)
        this.#noteLate(this.#twins.noteDuplicate(message, from))
        return
      case 'new':
        this.#sendCopies(this.#dissemination.spread(message, from, now), now)
        this.#useBroadcast(message, subFlag, from, now)
    }
  }

  #useBroadcast(message: WireMessage, subFlag: number | undefined, from: Peer, now: Now): void {
    if (subFlag === flags.broadcast || subFlag === flags.whisper) {
      if (this.#twins.check(message, from, now)) this.#counters.twins += 1
      else this.#noteMessage(message, from)
      this.#noteLate(this.#twins.takeReleased())
    } else if (subFlag === flags.request && message.payload.length === 3) {
      this.#onSearchQuestion(message, from, now)
    } else if (subFlag === flags.response) {
      const answer = this.#searches.takeAnswer(message.payload, from.transport)
      if (answer !== undefined) this.#dialForSearch(answer.search.wanted, answer.address, now)
    } else {
      this.#effects.push({ type: 'unclaimed', message, from })
    }
  }

  #noteLate(held: readonly HeardMessage[]): void {
    for (const { message, from } of held) this.#noteMessage(message, from)
  }

  #noteMessage(message: WireMessage, from: Peer): void {
    this.#counters.delivered += 1
    const isPrivate = message.type === flags.whisper
    this.#effects.push({ type: 'message', message, from, isPrivate })
  }

  /** Answers when the wanted node is a neighbour, or this one. The answer floods from the asking neighbour. */
  #onSearchQuestion(message: WireMessage, from: Peer, now: Now): void {
    const wanted = answerableWanted(message)
    const isFromJs2p = from.kind === 'js2p' && idText(message.sender) === from.id
    if (wanted === undefined || isFromJs2p || wanted === from.id) return
    const own = { id: this.id, addresses: this.#ownAddresses }
    const found = wanted === this.id ? own : this.#open.get(wanted)
    if (found === undefined) return
    const payload = searchAnswer(message.payload, found, from.transport)
    if (payload !== undefined) {
      this.#sendTo(from.id, this.#createBroadcast(payload, now), 'control', now)
    }
  }

  #onWhisper(message: WireMessage, subFlag: number | undefined, from: Peer, now: Now): void {
    const { payload } = message
    if (subFlag === flags.broadcast || subFlag === flags.whisper) {
      this.#noteMessage(message, from)
    } else if (subFlag === flags.peers) {
      this.#onPeersList(payload, from, now)
    } else if (subFlag === flags.request && isRequestAll(payload)) {
      if (this.#exchange.mayAnswer(from, now)) this.#listPeers(from.id, now)
    } else if (subFlag === treeControlSubFlag) {
      this.#sendCopies(this.#dissemination.handleControl(message, from, now), now)
    } else {
      this.#effects.push({ type: 'unclaimed', message, from })
    }
  }

  #onPeersList(payload: readonly Value[], from: Peer, now: Now): void {
    const heard = readPeersList(payload, from.transport).filter(({ id }) => id !== this.id)
    this.#overlay.hear(heard, from.id, now)
  }
}
