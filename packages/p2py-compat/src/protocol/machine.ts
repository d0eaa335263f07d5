/**
 * One p2py node as a pure machine: inputs and commands in, effects and events out.
 *
 * Theory of operation. `Links` turns bytes into checked units of introduced peers. `Reach` finds a link
 * to whatever a task wants to talk to. On top of both: `Joining` (our way into a network),
 * `Admission` (other nodes' way), `Gossip` (who is there), `Requests`. This file only decides who
 * gets what, and loops until no part has anything left to hand on.
 *
 * A unit from a peer without UUID is dropped unless its type is meant for strangers; an own type that
 * no application handles does no harm (in p2py it kills the thread of the link).
 *
 * Source: spec p2py; p2py 0.23 p2p.py.
 */
import { Deadlines, isP2pError, P2pError } from '@p2p/base'
import type { LinkInput, Machine, Now, RandomBytes } from '@p2p/base'
import type { PyValue } from '../pickle/values.ts'
import { Admission } from './admission.ts'
import type { CommandId, P2pyCommand, Sender } from './events.ts'
import { Gossip } from './gossip.ts'
import { Joining } from './joining.ts'
import { resolveP2pyLimits, type P2pyLimits } from './limits.ts'
import { Links, type LinkEvent, type ReadyLink } from './links.ts'
import {
  messageTypes,
  readUuidAddressRequest,
  testAnswer,
  typesForStrangers,
  uuidAddressResponse,
} from './membership-messages.ts'
import { Membership } from './membership.ts'
import {
  encodeMessage,
  encodeRequest,
  encodeResponse,
  type OutgoingMessage,
  type RequestEnvelope,
  type Response,
} from './messages.ts'
import { addressToUrl, type NodeAddress } from './node-address.ts'
import { frameOf, Outbox, type P2pyEffect } from './outbox.ts'
import { RateLimit } from './rate-limit.ts'
import { Reach, type Outcome, type Task } from './reach.ts'
import { Requests, type AskedRequest } from './requests.ts'

type DeliverTask = Extract<Task, { type: 'deliver' }>

export interface P2pyMachineOptions {
  /** Where others reach this node; it is also its identity. */
  readonly address: NodeAddress
  readonly randomBytes: RandomBytes
  readonly limits?: Partial<P2pyLimits>
}

/** A look at a node, for reports and tests. */
export interface P2pyState {
  readonly uuid: number | null
  readonly networkSize: number
  readonly members: readonly number[]
  readonly freeUuids: readonly number[]
  readonly peerBook: readonly { readonly uuid: number; readonly address: string }[]
  readonly links: number
  readonly pendingRequests: number
}

/**
 * @example
 * const machine = new P2pyMachine({ address: { host: '127.0.0.1', port: 4444 }, randomBytes })
 * machine.handle({ type: 'join', command: 1, addresses: [{ host: '127.0.0.1', port: 4445 }] }, now)
 */
export class P2pyMachine implements Machine<LinkInput | P2pyCommand, P2pyEffect> {
  readonly #limits: P2pyLimits
  readonly #outbox = new Outbox()
  readonly #deadlines = new Deadlines()
  readonly #members: Membership
  readonly #links: Links
  readonly #reach: Reach
  readonly #gossip: Gossip
  readonly #joining: Joining
  readonly #admission: Admission
  readonly #requests: Requests
  /** Dials for answers to those who are not our neighbours. */
  readonly #answerDials: RateLimit

  constructor({ address, randomBytes, limits }: P2pyMachineOptions) {
    this.#limits = resolveP2pyLimits(limits)
    this.#members = new Membership(this.#limits)
    const shared = {
      limits: this.#limits,
      outbox: this.#outbox,
      deadlines: this.#deadlines,
      members: this.#members,
      address,
      randomBytes,
    }
    this.#links = new Links(shared)
    const linked = { ...shared, links: this.#links }
    this.#reach = new Reach(linked)
    const reaching = { ...linked, reach: this.#reach }
    this.#gossip = new Gossip(reaching)
    this.#joining = new Joining({ ...reaching, gossip: this.#gossip })
    this.#admission = new Admission({ ...reaching, gossip: this.#gossip })
    this.#requests = new Requests(shared)
    this.#answerDials = new RateLimit(this.#limits.maxPeerDialsPerSecond)
  }

  get state(): P2pyState {
    const peerBook: { uuid: number; address: string }[] = []
    for (const [uuid, link] of this.#members.book) {
      const peer = this.#links.peer(link)
      if (peer !== undefined) peerBook.push({ uuid, address: addressToUrl(peer.address) })
    }
    return {
      uuid: this.#members.uuid,
      networkSize: this.#members.networkSize,
      members: [...this.#members.active],
      freeUuids: [...this.#members.free.keys()],
      peerBook,
      links: this.#links.size,
      pendingRequests: this.#requests.pendingCount,
    }
  }

  handle(input: LinkInput | P2pyCommand, now: Now): readonly P2pyEffect[] {
    this.#outbox.now = now
    switch (input.type) {
      case 'link-open':
      case 'link-bytes':
      case 'link-closed':
      case 'dial-failed':
        this.#links.handle(input)
        break
      case 'link-held':
        // Only WebSockets hold bytes back, and p2py has none.
        break
      case 'deadline':
        this.#passDeadlines(now)
        break
      default:
        this.#command(input)
    }
    this.#settle()
    return this.#outbox.take()
  }

  nextDeadline(): number {
    return this.#deadlines.next()
  }

  /** Lets the parts hand on to each other until nothing is left. */
  #settle(): void {
    for (;;) {
      this.#admission.advance(this.#joining.isUnderWay)
      const events = this.#links.takeEvents()
      const outcomes = this.#reach.takeOutcomes()
      if (events.length === 0 && outcomes.length === 0) return
      for (const event of events) this.#onLinkEvent(event)
      for (const outcome of outcomes) this.#onOutcome(outcome)
    }
  }

  #passDeadlines(now: Now): void {
    for (;;) {
      const name = this.#deadlines.takeDue(now.monoMs)
      if (name === undefined) return
      const expired = this.#requests.expired(name)
      if (expired !== undefined) {
        this.#failRequest(expired, new P2pError('P2P_REQUEST_TIMEOUT', 'no answer in time'))
      } else if (!this.#links.handleDeadline(name) && !this.#reach.handleDeadline(name)) {
        if (!this.#joining.handleDeadline(name)) this.#gossip.handleDeadline(name)
      }
    }
  }

  // Commands of the application

  #command(command: P2pyCommand): void {
    switch (command.type) {
      case 'join':
        this.#leave()
        this.#joining.start(command.command, command.addresses)
        break
      case 'leave':
        this.#leave()
        this.#done(command.command, undefined)
        break
      case 'send-message':
        this.#reach.begin(command.target, {
          type: 'deliver',
          command: command.command,
          value: command.fields,
          request: undefined,
        })
        break
      case 'send-to-book':
        this.#sendToBook(command)
        break
      case 'request':
        this.#startRequest(command)
        break
      case 'respond':
        this.#respond(command)
        break
      case 'bounce':
        this.#bounce(command)
        break
      case 'drop-request':
        this.#requests.take(command.request)
        break
      case 'cancel':
        this.#cancel(command.command)
        break
    }
  }

  #leave(): void {
    const reason = new P2pError('P2P_LEFT', 'this node left the network')
    const wasJoined = this.#members.uuid !== null
    this.#joining.cancel(reason)
    this.#reach.failAll(reason)
    for (const requestId of this.#requests.pendingIds()) this.#failRequest(requestId, reason)
    this.#admission.reset()
    this.#members.leave()
    this.#gossip.reset()
    this.#links.closeAll(reason)
    if (wasJoined) this.#outbox.push({ type: 'left' })
  }

  /** To all or to none: what one of them cannot read must not seem to have arrived. */
  #sendToBook({ command, fields, exclude }: Extract<P2pyCommand, { type: 'send-to-book' }>): void {
    const frame = frameOf(fields)
    const peers = [...this.#members.book]
      .filter(([uuid]) => !exclude.includes(uuid))
      .flatMap(([, link]) => this.#links.peer(link) ?? [])
    for (const peer of peers) {
      const error = this.#links.tooLarge(peer, frame)
      if (error === undefined) continue
      this.#failed(command, error)
      return
    }
    for (const peer of peers) this.#links.sendFrame(peer, frame)
    this.#done(command, undefined)
  }

  #cancel(command: CommandId): void {
    const error = new P2pError('P2P_CANCELLED', 'nobody waits for it any more')
    this.#joining.giveUp(command, error)
    this.#reach.giveUp(command, error)
    const requestId = this.#requests.idOf(command)
    if (requestId !== undefined) this.#failRequest(requestId, error)
  }

  #startRequest(command: Extract<P2pyCommand, { type: 'request' }>): void {
    const started = this.#requests.begin(command.command, command.fields, command.timeoutMs)
    if (isP2pError(started)) this.#failed(command.command, started)
    else this.#reach.begin(command.target, { type: 'ask', requestId: started })
  }

  #respond(command: Extract<P2pyCommand, { type: 'respond' }>): void {
    const request = this.#requests.take(command.request)
    if (request === undefined) {
      this.#failed(command.command, requestGone())
      return
    }
    const { envelope } = request
    const value = encodeResponse(command.fields, envelope.requestId)
    const task = { type: 'deliver', command: command.command, value, request } as const
    const error = this.#answer(request, task)
    if (error !== undefined) this.#deliver(task, error)
  }

  #bounce(command: Extract<P2pyCommand, { type: 'bounce' }>): void {
    const request = this.#requests.take(command.request)
    if (request === undefined) {
      this.#failed(command.command, requestGone())
      return
    }
    const value = requestOf(request.envelope)
    const task = { type: 'deliver', command: command.command, value, request } as const
    this.#reach.begin(command.target, task)
  }

  // Peers

  #onLinkEvent(event: LinkEvent): void {
    switch (event.type) {
      case 'ready':
        this.#gossip.onReady(event.peer)
        this.#reach.onReady(event.peer, event.dialled)
        break
      case 'gone':
        this.#gossip.onGone(event.peer, event.saidGoodbye)
        break
      case 'unreachable':
        this.#reach.onUnreachable(event.dialled, event.error)
        break
      case 'unit':
        this.#onUnit(event)
        break
    }
  }

  #onUnit({ peer, unit, byteCount }: Extract<LinkEvent, { type: 'unit' }>): void {
    switch (unit.kind) {
      case 'meaningless': {
        const error = new P2pError('P2P_BAD_MESSAGE', `a message that means nothing: ${unit.why}`)
        this.#outbox.push({ type: 'rejected', remote: peer.remote, error })
        break
      }
      case 'message':
        if (unit.requestId === undefined) this.#onMessage(peer, unit.message)
        else this.#takeResponse(unit.requestId, unit.message)
        break
      case 'request':
        if (this.#mayTalk(peer, unit.envelope.contents.type)) {
          this.#onRequest({ envelope: unit.envelope, link: peer.link, byteCount }, peer)
        }
        break
    }
  }

  /** An answer nobody waits for (any more) is dropped; p2py takes it for a message. */
  #takeResponse(requestId: string, message: Response): void {
    const fields = new Map(message.fields)
    fields.delete('request_id')
    const response = { ...message, fields }
    const command = this.#requests.end(requestId)
    if (command === undefined) this.#reach.onResponse(requestId, response)
    else this.#done(command, response)
  }

  #onMessage(peer: ReadyLink, message: Response): void {
    const { type } = message
    if (type === undefined || !this.#mayTalk(peer, type)) return
    switch (type) {
      case messageTypes.joinRequest:
        this.#admission.onJoinRequest(peer, message)
        this.#resolveCrossing(peer.address)
        break
      case messageTypes.joinFinalized:
        this.#joining.onFinalized(peer, message)
        break
      case messageTypes.newPeer:
        if (this.#gossip.onNewPeer(peer, message)) this.#leave()
        break
      case messageTypes.peerLeft:
        this.#gossip.onPeerLeft(peer, message)
        break
      default:
        this.#outbox.push({
          type: 'message',
          from: senderOf(peer),
          message: { type, data: message.data, fields: message.fields },
        })
    }
  }

  /** Of two nodes that ask each other to be let in, one has to wait for the other. */
  #resolveCrossing(address: NodeAddress): void {
    if (!this.#admission.isAskedBy(address)) return
    if (this.#joining.onAsked(address)) this.#admission.drop(address)
  }

  #onRequest(asked: AskedRequest, peer: ReadyLink): void {
    const { envelope } = asked
    switch (envelope.contents.type) {
      case messageTypes.test:
        this.#answerAlone(asked, testAnswer)
        break
      case messageTypes.uuidAddressRequest:
        this.#onAddressRequest(asked, peer)
        break
      default:
        this.#outbox.push({
          type: 'request-received',
          from: senderOf(peer),
          request: this.#requests.keep(asked),
          requestId: envelope.requestId,
          callbackAddress: envelope.callbackAddress,
          message: envelope.contents,
        })
    }
  }

  /** Answers from the peer book, or passes on to the neighbour nearest to the UUID, each one once. */
  #onAddressRequest(asked: AskedRequest, peer: ReadyLink): void {
    const { envelope } = asked
    const uuid = readUuidAddressRequest(envelope.contents)
    if (uuid === undefined || peer.uuid === null || !this.#members.book.has(peer.uuid)) return
    const known = this.#links.peer(this.#members.book.get(uuid))
    if (uuid === this.#members.uuid || known !== undefined) {
      const address = known?.address ?? this.#links.ownAddress
      this.#answerAlone(asked, uuidAddressResponse(uuid, address))
      return
    }
    const trail = this.#requests.searchTrail(envelope.requestId)
    trail.add(peer.uuid)
    for (const next of this.#members.bookByDistance(uuid)) {
      const route = this.#links.peer(this.#members.book.get(next))
      if (route === undefined || trail.has(next)) continue
      // Python nodes would pass it to and fro for ever.
      if (!route.isOurs && !this.#members.isMember(uuid)) continue
      trail.add(next)
      this.#links.send(route, requestOf(envelope))
      return
    }
  }

  /** An answer that the node gives by itself. */
  #answerAlone(asked: AskedRequest, message: OutgoingMessage): void {
    const { callbackAddress, requestId } = asked.envelope
    const value = encodeResponse(encodeMessage(message), requestId)
    const task = { type: 'deliver', command: undefined, value, request: undefined } as const
    const error = this.#answer(asked, task)
    if (error !== undefined) this.#reject(addressToUrl(callbackAddress), error)
  }

  /** Sends to the callback address, over a link to it when there is one. Why nothing was begun, if so. */
  #answer({ envelope, link }: AskedRequest, task: DeliverTask): P2pError | undefined {
    const address = envelope.callbackAddress
    if (this.#links.peerAt(address) === undefined) {
      const asking = this.#links.peer(link)
      const isNeighbour = asking !== undefined && this.#members.book.get(asking.uuid ?? -1) === link
      const dials = isNeighbour ? asking.answerDials : this.#answerDials
      if (!dials.take(this.#outbox.now.monoMs)) {
        return new P2pError('P2P_TOO_BUSY', 'too many answers to unknown addresses')
      }
    }
    this.#reach.begin({ address }, task)
    return undefined
  }

  #mayTalk(peer: ReadyLink, type: string): boolean {
    return peer.uuid !== null || typesForStrangers.has(type)
  }

  // Tasks that have found their link, or not

  #onOutcome({ task, result: found }: Outcome): void {
    // A peer may say good-bye in the same piece in which it introduces itself.
    const isThere = isP2pError(found) || this.#links.peer(found.link) !== undefined
    const result = isThere ? found : new P2pError('P2P_LINK_LOST', 'the connection ended at once')
    switch (task.type) {
      case 'deliver':
        this.#deliver(task, result)
        break
      case 'ask':
        this.#ask(task.requestId, result)
        break
      case 'join':
        this.#joining.onReached(task.command, result)
        if (!isP2pError(result)) this.#resolveCrossing(result.address)
        break
      case 'admit':
        this.#admission.onReached(task.joiner, result)
        break
      case 'forward-join':
        this.#admission.onForwarded(task.uuid, task.joiner, result)
        break
      case 'meet':
        this.#gossip.onMet(task.uuid, result)
        break
      case 'look':
        this.#gossip.onLooked(task.uuid, result)
        break
      case 'verify':
        this.#gossip.onVerified(task.uuid, task.attempt, result)
        break
    }
  }

  #deliver({ command, value, request }: DeliverTask, result: ReadyLink | P2pError): void {
    const error = isP2pError(result) ? result : this.#links.send(result, value)
    // For a smaller answer, or a later one, or another node.
    if (error !== undefined && request !== undefined) this.#requests.putBack(request)
    if (command === undefined) return
    if (error === undefined) this.#done(command, undefined)
    else this.#failed(command, error)
  }

  #ask(requestId: string, result: ReadyLink | P2pError): void {
    const value = this.#requests.valueOf(requestId)
    if (value === undefined) return // its time was over before a link was found
    const error = isP2pError(result) ? result : this.#links.send(result, value)
    if (error !== undefined) this.#failRequest(requestId, error)
  }

  #failRequest(requestId: string, error: P2pError): void {
    const command = this.#requests.end(requestId)
    if (command !== undefined) this.#failed(command, error)
  }

  #done(command: number, response: Response | undefined): void {
    this.#outbox.push({ type: 'done', command, response })
  }

  #failed(command: number, error: P2pError): void {
    this.#outbox.push({ type: 'failed', command, error })
  }

  #reject(remote: string, error: P2pError): void {
    this.#outbox.push({ type: 'rejected', remote, error })
  }
}

function senderOf(peer: ReadyLink): Sender {
  return { link: peer.link, address: peer.address, uuid: peer.uuid }
}

function requestOf(envelope: RequestEnvelope): PyValue {
  return encodeRequest({
    callbackAddress: envelope.callbackAddress,
    requestId: envelope.requestId,
    contents: envelope.contents.fields,
  })
}

function requestGone(): P2pError {
  return new P2pError('P2P_REQUEST_GONE', 'that request was answered or forgotten already')
}
