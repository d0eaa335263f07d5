/**
 * Our own way into a network: ask one address after the other, until somebody tells us our UUID.
 *
 * The node we ask either answers itself, or ends the link and passes the request on; then the answer
 * comes from a node that dials us. So the answer is taken from any link, but only while we wait, and
 * only from a node that calls itself the adder (or has not named a UUID: the first node of a network
 * gets its UUID by our very question).
 *
 * Two nodes that ask each other would wait for ever. The one with the smaller address does not wait: it asks the
 * others on its list, and when nobody is left it becomes the first node of a network and lets the other one in.
 *
 * Source: spec p2py, 4; p2py 0.23 p2p.py, join_network and handle_join_request_finalized.
 */
import { isP2pError, P2pError } from '@p2p/base'
import type { LinkId } from '@p2p/base'
import type { CommandId } from './events.ts'
import type { ReadyLink } from './links.ts'
import type { GossipingParts } from './machine-parts.ts'
import { joinRequest, readJoinFinalized } from './membership-messages.ts'
import { encodeMessage, type Response } from './messages.ts'
import { addressToUrl, type NodeAddress } from './node-address.ts'

interface Candidate {
  readonly address: NodeAddress
  readonly askedBefore: number
  /** It asked us meanwhile, and waits for us. */
  readonly isWaitingForUs: boolean
}

interface Attempt {
  readonly command: CommandId
  readonly addressCount: number
  /** Addresses to ask, in order. One that was merely too busy comes back at the end. */
  readonly queue: Candidate[]
  current: Candidate | undefined
  /** The link on which we asked that one. */
  asking: ReadyLink | undefined
  /** Links on which we asked: who passes the question on ends them, and that may come after the answer. */
  readonly asked: Set<LinkId>
  lastError: P2pError | undefined
}

/** How often one address is asked when it hangs up on us. */
const maxAsks = 3
const askAgainMs = 500

export class Joining {
  readonly #parts: GossipingParts
  #attempt: Attempt | undefined

  constructor(parts: GossipingParts) {
    this.#parts = parts
  }

  get isUnderWay(): boolean {
    return this.#attempt !== undefined
  }

  /** To be called in no network and without links. */
  start(command: CommandId, addresses: readonly NodeAddress[]): void {
    const queue = addresses.map((address) => ({ address, askedBefore: 0, isWaitingForUs: false }))
    const addressCount = addresses.length
    this.#attempt = {
      command,
      addressCount,
      queue,
      current: undefined,
      asking: undefined,
      asked: new Set(),
      lastError: undefined,
    }
    this.#tryNext(this.#attempt)
  }

  cancel(error: P2pError): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#end()
    this.#parts.outbox.push({ type: 'failed', command: attempt.command, error })
  }

  /** Ends the attempt of this command; whoever was asked hears that we went. */
  giveUp(command: CommandId, error: P2pError): void {
    const attempt = this.#attempt
    if (attempt?.command !== command) return
    this.cancel(error)
    for (const link of attempt.asked) {
      const peer = this.#parts.links.peer(link)
      if (peer !== undefined) this.#parts.links.endPolitely(peer, error)
    }
  }

  onReached(command: CommandId, result: ReadyLink | P2pError): void {
    const attempt = this.#attempt
    if (attempt?.command !== command) return // of an attempt that is over
    if (isP2pError(result)) {
      attempt.lastError = result
      const { current } = attempt
      if (result.code === 'P2P_LINK_LOST' && current !== undefined) {
        const askedBefore = current.askedBefore + 1
        if (askedBefore < maxAsks) attempt.queue.push({ ...current, askedBefore })
      }
      this.#tryNext(attempt)
      return
    }
    attempt.asking = result
    attempt.asked.add(result.link)
    this.#parts.links.send(result, encodeMessage(joinRequest(this.#parts.address)))
  }

  /**
   * The node at this address waits for us to let it in. True when we wait for the same from it, and it is our turn
   * to wait.
   */
  onAsked(address: NodeAddress): boolean {
    const attempt = this.#attempt
    const url = addressToUrl(address)
    if (attempt?.current === undefined || attempt.asking === undefined) return false
    if (!attempt.asking.isOurs || addressToUrl(attempt.asking.address) !== url) return false
    if (url < addressToUrl(this.#parts.address)) return true
    attempt.queue.push({ ...attempt.current, isWaitingForUs: true })
    this.#tryNext(attempt)
    return false
  }

  /** False when the deadline belongs to somebody else. */
  handleDeadline(name: string): boolean {
    const attempt = this.#attempt
    if (name !== 'join' || attempt === undefined) return false
    if (attempt.current === undefined) {
      this.#ask(attempt)
      return true
    }
    attempt.lastError = new P2pError('P2P_JOIN_TIMEOUT', 'no member answered the join request')
    this.#tryNext(attempt)
    return true
  }

  onFinalized(peer: ReadyLink, message: Response): void {
    const attempt = this.#attempt
    const values = readJoinFinalized(message, this.#parts.limits.maxMembers)
    if (attempt === undefined || values === undefined) return
    if (peer.uuid !== null && peer.uuid !== values.adderUuid) return
    this.#end()
    const members = this.#parts.members
    members.enter(values.joinerUuid)
    for (const uuid of [values.adderUuid, ...values.activePeers]) members.addMember(uuid)
    this.#parts.gossip.addToBook(values.adderUuid, peer)
    // Members that dialled us before we knew our UUID stand in our peer book from now on.
    // The good-bye on a link on which we asked is not the departure of that member.
    for (const other of this.#parts.links.ready()) {
      if (!attempt.asked.has(other.link)) this.#parts.gossip.onReady(other)
    }
    this.#parts.gossip.startRepairs()
    const { networkSize } = members
    this.#parts.outbox.push({ type: 'joined', uuid: values.joinerUuid, networkSize })
    this.#parts.outbox.push({ type: 'done', command: attempt.command, response: undefined })
  }

  #tryNext(attempt: Attempt): void {
    attempt.current = undefined
    attempt.asking = undefined
    const [next] = attempt.queue
    if (next !== undefined && attempt.queue.every(({ isWaitingForUs }) => isWaitingForUs)) {
      this.#end()
      this.#parts.gossip.beginNetwork()
      this.#parts.outbox.push({ type: 'done', command: attempt.command, response: undefined })
    } else if (next === undefined) {
      const reason = attempt.lastError
      const error = new P2pError(
        'P2P_JOIN_FAILED',
        `none of ${attempt.addressCount} addresses let this node into a network`,
        reason === undefined ? {} : { cause: reason, facts: { lastCode: reason.code } },
      )
      this.cancel(error)
    } else if (next.askedBefore > 0) {
      const delayMs =
        askAgainMs * next.askedBefore * (1 + (this.#parts.randomBytes(1)[0] ?? 0) / 255)
      this.#parts.deadlines.set('join', this.#parts.outbox.now.monoMs + delayMs)
    } else {
      this.#ask(attempt)
    }
  }

  #ask(attempt: Attempt): void {
    attempt.current = attempt.queue.shift()
    if (attempt.current === undefined) return
    this.#parts.deadlines.set(
      'join',
      this.#parts.outbox.now.monoMs + this.#parts.limits.joinTimeoutMs,
    )
    const { command } = attempt
    this.#parts.reach.begin({ address: attempt.current.address }, { type: 'join', command })
  }

  #end(): void {
    this.#attempt = undefined
    this.#parts.deadlines.delete('join')
  }
}
