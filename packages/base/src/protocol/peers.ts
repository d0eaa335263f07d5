/**
 * Every link of a node, from the dial to the end: the machine behind peers-contract.ts.
 *
 *   link-open ─ our handshake goes out ─▶ awaiting handshake ─▶ (our kind: awaiting hello) ─▶ open
 *                                              │                        │
 *                 wrong network, own id, time-out, garbage      id already open: contest (below)
 *
 * Both ends send their handshake at once; nothing else is sent before the peer's has come. A peer
 * with the marker is open once its hello came, or when it turns out not to send one; a hello that
 * comes later all the same is told as an update. Messages go up only from open peers.
 *
 * Contest: a second link under the id of an open peer waits until it is known which one stays; the
 * rules are in double-links.ts. What it sends meanwhile is kept and handed up if it wins. When both
 * links are genuine and the newcomer stays, the peer stays open, and the old link is still read for a
 * moment, so nothing in flight is lost.
 *
 * Every connect request ends in exactly one `connected` or `connect-failed`, except a cancelled one.
 *
 * Longer than other files, because every step of a link's life changes the same few tables; what can be
 * decided without them has its own file (contests, connect-requests, accept-gate, heartbeats, …).
 *
 * Source: spec/mesh.md 3, spec/observed.md 4.9-4.20, spec/capabilities.md 3; the limits are ours.
 */
import type { WireMessage } from '@p2p/serializer'
import { AcceptGate } from './accept-gate.ts'
import { formatAddress, parseAddress } from './address.ts'
import { ConnectRequests } from './connect-requests.ts'
import type { Abandoned } from './connect-requests.ts'
import { Connection } from './connection.ts'
import type { Arrival } from './connection.ts'
import { Contests } from './contests.ts'
import type { Contest } from './contests.ts'
import { Deadlines } from './deadlines.ts'
import { hasLinkTo, isCrossing, questionAbout, survivorOf } from './double-links.ts'
import { P2pError } from './errors.ts'
import { FrameCache } from './frame-cache.ts'
import { FrameWatch } from './frame-watch.ts'
import type { Handshake } from './handshake.ts'
import { Heartbeats } from './heartbeats.ts'
import { nonceBytes, nonceText } from './hello.ts'
import type { Control } from './hello.ts'
import { LinkTotals } from './link-totals.ts'
import type { NodeLimits } from './limits.ts'
import type { LinkEffect, LinkId, LinkInput, SendPriority } from './link.ts'
import type { Machine, Now } from './machine.ts'
import { OwnIdentities } from './own-identities.ts'
import type { OpenPeer } from './open-peer.ts'
import {
  abandonedError,
  brokenDialError,
  crossedLinksError,
  duplicateLinkError,
  handshakeTimeoutError,
  idMismatchError,
  selfError,
  silentPeerError,
  wrongNetworkError,
} from './peer-errors.ts'
import { PeerTable } from './peer-table.ts'
import type {
  Peer,
  PeersCounters,
  PeersEffect,
  PeersInput,
  PeersOptions,
} from './peers-contract.ts'

/** A node of ours sends its hello together with its first answer; whoever takes longer is none. */
const helloTimeoutMs = 2_000
/** How long a link that lost against its twin is still read. */
const lingerMs = 2_000
/** Links are numbered from 1. */
const noLink: LinkId = 0

export class Peers implements Machine<PeersInput, PeersEffect> {
  readonly id: string
  readonly #options: PeersOptions
  readonly #limits: NodeLimits
  readonly #own: OwnIdentities
  readonly #deadlines = new Deadlines()
  readonly #frames: FrameCache
  readonly #gate: AcceptGate
  readonly #requests: ConnectRequests
  readonly #contests: Contests
  readonly #connections = new Map<LinkId, Connection>()
  readonly #table = new PeerTable()
  readonly #totals = new LinkTotals()
  readonly #heartbeats: Heartbeats
  readonly #frameWatch: FrameWatch
  #effects: PeersEffect[] = []
  #now: Now = { monoMs: 0, utcSeconds: 0 }

  constructor(options: PeersOptions) {
    this.#options = options
    this.id = options.id
    this.#limits = options.limits
    this.#own = new OwnIdentities(options)
    this.#frames = new FrameCache(options.limits)
    this.#heartbeats = new Heartbeats(this.#deadlines, options.limits)
    this.#frameWatch = new FrameWatch(this.#deadlines, options.limits)
    this.#gate = new AcceptGate(options.limits)
    this.#contests = new Contests(this.#deadlines)
    this.#requests = new ConnectRequests(this.#deadlines, (effect) => this.#emit(effect))
  }

  /** Open peers by id. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#table.byId
  }

  /** The own id as it goes on the wire, for whoever composes messages. */
  get wireId(): string | Uint8Array {
    return this.#own.wireId
  }

  counters(): PeersCounters {
    const connections = [...this.#connections.values()]
    return {
      links: connections.length,
      pendingLinks: this.#gate.pendingCount,
      dials: this.#requests.size,
      receivingBytes: connections.reduce((sum, { receivingBytes }) => sum + receivingBytes, 0),
      refusedLinks: this.#gate.refusedCount,
      ...this.#totals.with(connections),
    }
  }

  nextDeadline(): number {
    return this.#deadlines.next()
  }

  handle(input: PeersInput, now: Now): readonly PeersEffect[] {
    this.#effects = []
    this.#now = now
    switch (input.type) {
      case 'listening':
        this.#own.setAddresses(input.addresses)
        break
      case 'connect':
        this.#onConnect(input)
        break
      case 'cancel-connect':
        this.#closeAbandoned(this.#requests.cancel(input.request))
        break
      case 'disconnect':
        this.#onDisconnect(input.peer, input.reason)
        break
      case 'send-message': {
        const effect = this.send(input.peer, input.message, input.priority, now)
        if (effect !== undefined) this.#emit(effect)
        break
      }
      default:
        this.#onLinkInput(input)
    }
    return this.#effects
  }

  #onLinkInput(input: LinkInput): void {
    switch (input.type) {
      case 'link-open':
        this.#onLinkOpen(input)
        break
      case 'link-bytes':
        this.#onLinkBytes(input.link, input.bytes)
        break
      case 'link-held':
        this.#onLinkHeld(input.link, input.byteCount)
        break
      case 'link-closed':
        this.#onLinkClosed(input.link, input.reason)
        break
      case 'dial-failed': {
        const attempt = this.#requests.ofDial(input.dial)
        if (attempt !== undefined) this.#requests.dialFailed(attempt, input.error, this.#now)
        break
      }
      case 'deadline':
        this.#onDeadline()
    }
  }

  #onConnect(input: Extract<PeersInput, { type: 'connect' }>): void {
    const { request, expectedId } = input
    const parsed = parseAddress(input.address)
    const address = parsed === undefined ? undefined : formatAddress(parsed)
    let error: P2pError | undefined
    if (address === undefined) {
      error = new P2pError('P2P_BAD_ADDRESS', `"${input.address}" is no address`)
    } else if (this.#own.addresses.includes(address)) error = selfError(address)
    else {
      const peer = this.#table.at(address, expectedId)
      if (peer === undefined) {
        this.#requests.request({ ...input, address }, this.#now)
        return
      }
      if (expectedId === undefined || expectedId === peer.id) {
        this.#emit({ type: 'connected', request, peer })
        return
      }
      error = idMismatchError(expectedId, peer.id)
    }
    this.#emit({ type: 'connect-failed', request, error })
  }

  #closeAbandoned(attempt: Abandoned | undefined): void {
    const connection = this.#connections.get(attempt?.link ?? noLink)
    if (connection !== undefined) this.#close(connection, abandonedError())
  }

  /** Every link to this peer ends, also one that waits for its place. */
  #onDisconnect(id: string, reason: P2pError): void {
    for (const connection of [...this.#connections.values()].reverse()) {
      if (connection.handshake?.id === id) this.#close(connection, reason)
    }
  }

  #onLinkOpen(input: Extract<LinkInput, { type: 'link-open' }>): void {
    const { link, transport, remote, dial } = input
    const { monoMs } = this.#now
    const attempt = this.#requests.ofDial(dial)
    let refusal: P2pError | undefined
    if (dial === undefined) refusal = this.#refuseIncoming(link, remote)
    else if (attempt === undefined) refusal = abandonedError()
    if (refusal !== undefined) {
      this.#emit({ type: 'close', link, reason: refusal })
      return
    }
    if (attempt !== undefined) attempt.link = link
    const connection = new Connection({
      link,
      transport,
      remote,
      dial,
      own: this.#own.of(transport),
      nonce: this.#options.randomBytes(nonceBytes),
      limits: this.#limits,
      frames: this.#frames,
      openedMs: monoMs,
    })
    this.#connections.set(link, connection)
    this.#deadlines.set(`handshake ${link}`, monoMs + this.#limits.handshakeTimeoutMs)
    this.#send(connection, connection.handshakeFrame(this.#now))
  }

  #refuseIncoming(link: LinkId, remote: string): P2pError | undefined {
    const refusal =
      this.#gate.refusePeer(this.peers.size) ?? this.#gate.enter(link, remote, this.#now.monoMs)
    this.#deadlines.set('trim', this.#gate.nextTrimMs())
    return refusal
  }

  #onLinkBytes(link: LinkId, bytes: Uint8Array): void {
    const connection = this.#connections.get(link)
    if (connection === undefined) return
    connection.receive(bytes, this.#now, (arrival) => {
      this.#onArrival(connection, arrival)
      return this.#connections.has(link) ? 'go-on' : 'closed'
    })
    if (!this.#connections.has(link)) return
    this.#settleContestByLife(connection)
    this.#watchFrame(connection)
  }

  #onLinkHeld(link: LinkId, byteCount: number): void {
    const connection = this.#connections.get(link)
    if (connection === undefined) return
    const failed = connection.hold(byteCount, this.#now)
    if (failed === undefined) this.#watchFrame(connection)
    else this.#close(connection, failed)
  }

  #watchFrame(connection: Connection): void {
    const victim = this.#frameWatch.observe(connection, this.#connections.values())
    if (victim !== undefined) this.#close(victim.connection, victim.reason)
  }

  #onArrival(connection: Connection, arrival: Arrival): void {
    switch (arrival.type) {
      case 'handshake':
        this.#onHandshake(connection, arrival.handshake)
        break
      case 'hello':
        if (this.#deadlines.delete(`hello ${connection.link}`)) this.#admit(connection)
        else this.#onUpdated(connection)
        break
      case 'refresh':
        this.#onUpdated(connection)
        break
      case 'control':
        this.#onControl(connection, arrival.control)
        break
      case 'answer':
        this.#send(connection, arrival.frame)
        break
      case 'message':
        this.#onMessage(connection, arrival.message)
        break
      case 'failed':
        this.#close(connection, arrival.error)
    }
  }

  #onUpdated({ link }: Connection): void {
    const peer = this.#table.ofLink(link)
    if (peer !== undefined) this.#emit({ type: 'peer-updated', peer })
  }

  #onHandshake(connection: Connection, handshake: Handshake): void {
    const { link } = connection
    this.#deadlines.delete(`handshake ${link}`)
    if (handshake.id === this.id) {
      this.#close(connection, selfError(connection.remote))
      return
    }
    const expected = this.#own.of(connection.transport).networkId
    if (handshake.networkId !== expected) {
      this.#close(connection, wrongNetworkError(expected, handshake.networkId))
      return
    }
    const attempt = this.#requests.ofDial(connection.dial)
    if (attempt !== undefined && !this.#requests.wants(attempt, handshake.id)) {
      const [waiter] = attempt.waiters.values()
      this.#close(connection, idMismatchError(waiter?.expectedId, handshake.id))
      return
    }
    this.#gate.leave(link)
    if (!connection.awaitsHello) {
      this.#admit(connection)
      return
    }
    this.#send(connection, connection.helloFrame(this.#now))
    this.#deadlines.set(`hello ${link}`, this.#now.monoMs + helloTimeoutMs)
  }

  /** Handshake and hello are done: the peer opens, unless its id is open already. */
  #admit(connection: Connection): void {
    const id = connection.handshake?.id ?? ''
    const incumbent = this.#table.byId.get(id)
    if (incumbent === undefined) {
      const refusal = connection.outgoing ? undefined : this.#gate.refusePeer(this.peers.size)
      if (refusal === undefined) this.#open(connection, id)
      else this.#close(connection, refusal)
    } else if (this.#contests.ofId(id) !== undefined) this.#close(connection, duplicateLinkError())
    else this.#contest(incumbent, connection)
  }

  #open(connection: Connection, id: string): void {
    const peer = this.#table.add(id, connection)
    this.#emit({ type: 'peer-open', peer })
    this.#resolveAttempt(connection, peer)
    this.#heartbeats.watch(this.#connections.values())
    for (const message of connection.takeEarlyMessages()) {
      this.#emit({ type: 'peer-message', peer, message })
    }
  }

  #resolveAttempt(connection: Connection, peer: OpenPeer): void {
    const attempt = this.#requests.ofDial(connection.dial)
    if (attempt !== undefined) this.#requests.succeed(attempt, peer)
  }

  #onMessage(connection: Connection, message: WireMessage): void {
    const { link } = connection
    let peer = this.#table.ofLink(link)
    // A message instead of the hello: the marker was not meant, so this is an old peer.
    if (peer === undefined && this.#deadlines.delete(`hello ${link}`)) {
      this.#admit(connection)
      if (!this.#connections.has(link)) return
      peer = this.#table.ofLink(link)
    }
    if (peer !== undefined) {
      this.#emit({ type: 'peer-message', peer, message })
      return
    }
    this.#contests.keep(connection, message)
  }

  /** What sends a message to a peer: `send-message` for a mesh, which does it for each copy. */
  send(id: string, message: WireMessage, priority: SendPriority, now: Now): LinkEffect | undefined {
    const connection = this.#table.byId.get(id)?.connection
    if (connection === undefined) return undefined
    const isAnswer = priority === 'control'
    if (isAnswer && !connection.chargeReply(message.body.length, now)) return undefined
    return connection.send(connection.encode(message, priority), priority)
  }

  #send(connection: Connection, bytes: Uint8Array): void {
    this.#emit(connection.send(bytes, 'control'))
  }

  #contest(peer: OpenPeer, newcomer: Connection): void {
    const { monoMs } = this.#now
    const incumbent = peer.connection
    if (!incumbent.supports('claim') && isCrossing({ incumbent, newcomer }, monoMs)) {
      this.#giveUpBoth(incumbent, newcomer)
      return
    }
    const { isByClaim, frame } = questionAbout({ incumbent, newcomer }, this.wireId, this.#now)
    this.#contests.begin({ peer, newcomer, isByClaim }, monoMs + this.#limits.heartbeatTimeoutMs)
    this.#send(incumbent, frame)
  }

  /**
   * Something came over the established link of a peer that was asked for a sign of life: it stays.
   * How it was asked counts, not what could be asked now: a newcomer may send its hello later.
   */
  #settleContestByLife(connection: Connection): void {
    const contest = this.#contests.ofIncumbent(connection)
    if (contest?.isByClaim === false) this.#endContest(contest, 'incumbent')
  }

  #onControl(connection: Connection, control: Control): void {
    const answer = (verb: Control['verb']): void => {
      const frame = connection.controlFrame({ verb, nonce: control.nonce }, this.#now)
      this.#send(connection, frame)
    }
    const id = connection.handshake?.id
    switch (control.verb) {
      case 'ping':
        answer('pong')
        break
      case 'pong':
        break
      case 'claim':
        answer(hasLinkTo(id, control.nonce, this.#connections) ? 'claimed' : 'unclaimed')
        break
      case 'claimed':
      case 'unclaimed': {
        const contest = this.#contests.ofIncumbent(connection)
        if (contest?.newcomer.hello?.nonce !== nonceText(control.nonce)) return
        if (control.verb === 'unclaimed') this.#endContest(contest, 'incumbent')
        else this.#endContest(contest, 'both-genuine')
      }
    }
  }

  #endContest(contest: Contest, outcome: 'incumbent' | 'newcomer' | 'both-genuine'): void {
    const { peer, newcomer } = contest
    const incumbent = peer.connection
    this.#contests.end(contest)
    if (outcome === 'incumbent') {
      this.#resolveAttempt(newcomer, peer)
      this.#close(newcomer, duplicateLinkError())
      return
    }
    if (outcome === 'newcomer') {
      this.#close(incumbent, silentPeerError())
      this.#open(newcomer, peer.id)
    } else {
      this.#resolveAttempt(newcomer, peer)
      const survivor = survivorOf(this.id, { incumbent, newcomer })
      const loser = survivor === newcomer ? incumbent : newcomer
      peer.connection = survivor
      this.#table.join(peer, newcomer.link)
      this.#deadlines.set(`linger ${loser.link}`, this.#now.monoMs + lingerMs)
    }
    this.#handUpKept(contest)
  }

  /** An old peer and we dialled each other: its rule may kill either link, so a fresh one is needed. */
  #giveUpBoth(incumbent: Connection, newcomer: Connection): void {
    const attempt = this.#requests.ofDial(newcomer.dial ?? incumbent.dial)
    const reason = crossedLinksError()
    if (attempt !== undefined) {
      const [random = 0] = this.#options.randomBytes(1)
      this.#requests.retryAt(attempt, this.#now.monoMs + 500 + 4 * random)
    }
    this.#close(incumbent, reason)
    this.#close(newcomer, reason)
  }

  #onBeats(): void {
    for (const connection of this.#heartbeats.due(this.#connections.values(), this.#now.monoMs)) {
      if (connection.owesAnswer) this.#close(connection, silentPeerError())
      else this.#send(connection, connection.pingFrame(this.#now))
    }
    this.#heartbeats.watch(this.#connections.values())
  }

  #onDeadline(): void {
    const { monoMs } = this.#now
    for (
      let name = this.#deadlines.takeDue(monoMs);
      name !== undefined;
      name = this.#deadlines.takeDue(monoMs)
    ) {
      const [kind = '', subject = ''] = name.split(' ')
      this.#onDue(kind, subject)
    }
  }

  #onDue(kind: string, subject: string): void {
    switch (kind) {
      case 'request':
        this.#closeAbandoned(this.#requests.timeOut(Number(subject)))
        return
      case 'retry':
        this.#requests.retry(Number(subject))
        return
      case 'contest': {
        const contest = this.#contests.ofId(subject)
        if (contest !== undefined) this.#endContest(contest, 'newcomer')
        return
      }
      case 'trim':
        this.#trim()
        return
      case 'beat':
        this.#onBeats()
        return
      default: {
        const connection = this.#connections.get(Number(subject))
        if (connection !== undefined) this.#onLinkDue(kind, connection)
      }
    }
  }

  #onLinkDue(kind: string, connection: Connection): void {
    switch (kind) {
      case 'handshake':
        this.#close(connection, handshakeTimeoutError())
        return
      case 'hello':
        this.#admit(connection)
        return
      case 'linger':
        this.#close(connection, duplicateLinkError())
        return
      case 'frame': {
        const reason = this.#frameWatch.onDue(connection, this.#now.monoMs)
        if (reason !== undefined) this.#close(connection, reason)
      }
    }
  }

  #trim(): void {
    for (const { link, reason } of this.#gate.trim(this.#now.monoMs)) {
      const connection = this.#connections.get(link)
      if (connection !== undefined) this.#close(connection, reason)
    }
    this.#deadlines.set('trim', this.#gate.nextTrimMs())
  }

  // The end of a link

  #close(connection: Connection, reason: P2pError): void {
    this.#emit({ type: 'close', link: connection.link, reason })
    this.#drop(connection, reason)
  }

  #onLinkClosed(link: LinkId, reason: P2pError): void {
    const connection = this.#connections.get(link)
    if (connection !== undefined) this.#drop(connection, reason)
  }

  /** Forgets a link, tells who depended on it. */
  #drop(connection: Connection, reason: P2pError): void {
    const { link } = connection
    this.#connections.delete(link)
    this.#totals.onGone(connection, reason)
    this.#gate.leave(link)
    for (const kind of ['handshake', 'hello', 'linger', 'frame']) {
      this.#deadlines.delete(`${kind} ${link}`)
    }
    const asIncumbent = this.#contests.ofIncumbent(connection)
    const peer = this.#table.removeLink(connection)
    const attempt = this.#requests.ofDial(connection.dial)
    if (attempt !== undefined) {
      const sawHandshake = connection.handshake !== undefined
      this.#requests.fail(attempt, brokenDialError(reason, sawHandshake))
    }
    const asNewcomer = this.#contests.ofNewcomer(connection)
    if (asNewcomer !== undefined) this.#contests.end(asNewcomer)
    if (peer === undefined) return
    this.#emit({ type: 'peer-closed', peer, reason })
    if (asIncumbent !== undefined) this.#inherit(asIncumbent)
  }

  /** The established link is gone while its place was contested: the newcomer gets it. */
  #inherit(contest: Contest): void {
    this.#contests.end(contest)
    this.#open(contest.newcomer, contest.peer.id)
    this.#handUpKept(contest)
  }

  #handUpKept(contest: Contest): void {
    const peer = this.#table.byId.get(contest.peer.id)
    if (peer === undefined) return
    for (const message of contest.kept) this.#emit({ type: 'peer-message', peer, message })
  }

  #emit(effect: PeersEffect): void {
    this.#effects.push(effect)
  }
}
