/**
 * Reaching a node: over a link that is there, by dialling its address, or by searching the network for
 * the address of a UUID. What is to happen then is a task; it comes out with the link or the reason
 * why there is none, exactly once.
 *
 * A search asks the neighbour nearest to the UUID; that one answers or passes the question on to its
 * own nearest neighbour. When nothing comes back in time the next neighbour is asked, three in all.
 * The address that comes back is dialled, and the node there has to say that it is the one.
 *
 * Source: spec p2py, 5; p2py 0.23 p2p.py, connect_to_UUID. @compat p2py refuses every UUID from
 * `network_size` on, which is wrong when UUIDs have gaps; here membership decides (machine.test.ts).
 */
import { P2pError } from '@p2p/base'
import type { PyValue } from '../pickle/values.ts'
import type { CommandId, Target } from './events.ts'
import type { ReadyLink } from './links.ts'
import type { LinkedParts } from './machine-parts.ts'
import { readUuidAddressResponse, uuidAddressRequest } from './membership-messages.ts'
import { encodeMessage, encodeRequest, type Response } from './messages.ts'
import { addressToUrl, type NodeAddress } from './node-address.ts'
import { createRequestId } from './request-id.ts'
import type { TakenRequest } from './requests.ts'
import { areSuccessors } from './successors.ts'

export type Task =
  /**
   * Send a value; `command` is answered when it is handed over. `request` is what it answers or bounces, and is to be
   * put back otherwise.
   */
  | {
      readonly type: 'deliver'
      readonly command: CommandId | undefined
      readonly value: PyValue
      readonly request: TakenRequest | undefined
    }
  /** Send our request of this id. */
  | { readonly type: 'ask'; readonly requestId: string }
  /** Send our join request, for this command. */
  | { readonly type: 'join'; readonly command: CommandId }
  /** Take the node at this address into the network. */
  | { readonly type: 'admit'; readonly joiner: NodeAddress }
  /** Pass somebody's join request on to this member. */
  | { readonly type: 'forward-join'; readonly uuid: number; readonly joiner: NodeAddress }
  /** Only have a link to this member. */
  | { readonly type: 'meet'; readonly uuid: number }
  /** See whether somebody who is said to have left is still there. */
  | { readonly type: 'look'; readonly uuid: number }
  /** See whether a lost neighbour is still there. */
  | { readonly type: 'verify'; readonly uuid: number; readonly attempt: number }

export interface Outcome {
  readonly task: Task
  readonly result: ReadyLink | P2pError
}

interface Waiting {
  readonly task: Task
  /** The UUID that has to answer; undefined when any node at that address will do. */
  readonly uuid: number | undefined
  /** The address is fresh from a search, so another search is of no use. */
  readonly isSearched: boolean
}

interface Search {
  readonly uuid: number
  readonly tasks: Task[]
  readonly tried: Set<number>
  requestId: string
}

const maxAttempts = 3

export class Reach {
  readonly #parts: LinkedParts
  /** Address URL to what waits for a link there. */
  readonly #waiting = new Map<string, Waiting[]>()
  readonly #searches = new Map<number, Search>()
  /** Request id to the UUID that is searched. */
  readonly #searchIds = new Map<string, number>()
  #taskCount = 0
  #outcomes: Outcome[] = []

  constructor(parts: LinkedParts) {
    this.#parts = parts
  }

  /** Outcomes since the last call. */
  takeOutcomes(): readonly Outcome[] {
    const outcomes = this.#outcomes
    this.#outcomes = []
    return outcomes
  }

  begin(target: Target, task: Task): void {
    if ('link' in target) {
      const peer = this.#parts.links.peer(target.link)
      this.#settle(task, peer ?? new P2pError('P2P_LINK_LOST', 'that connection is closed'))
    } else if ('address' in target) {
      this.#beginAddress(target.address, { task, uuid: undefined, isSearched: false })
    } else {
      this.#beginUuid(target.uuid, task)
    }
  }

  onReady(peer: ReadyLink, dialled: string | undefined): void {
    const urls = new Set([addressToUrl(peer.address), dialled ?? ''])
    for (const url of urls) {
      for (const waiting of this.#takeWaiting(url)) this.#meet(waiting, peer)
    }
  }

  onUnreachable(dialled: string, error: P2pError): void {
    for (const { task, uuid, isSearched } of this.#takeWaiting(dialled)) {
      if (uuid === undefined || isSearched) this.#settle(task, error)
      else this.#search(uuid, task)
    }
  }

  /** Takes the answer to a search, if it is one. */
  onResponse(requestId: string, message: Response): void {
    const uuid = this.#searchIds.get(requestId)
    const search = uuid === undefined ? undefined : this.#searches.get(uuid)
    if (search === undefined) return
    const answer = readUuidAddressResponse(message)
    if (answer === undefined || answer.uuid !== search.uuid) return
    this.#endSearch(search)
    for (const task of search.tasks) {
      this.#beginAddress(answer.address, { task, uuid: answer.uuid, isSearched: true })
    }
  }

  /** False when the deadline belongs to somebody else. */
  handleDeadline(name: string): boolean {
    const [kind, uuid] = name.split(' ')
    const search = kind === 'search' ? this.#searches.get(Number(uuid)) : undefined
    if (search === undefined) return false
    this.#askNext(search)
    return true
  }

  /** Ends everything that is under way. */
  failAll(error: P2pError): void {
    for (const url of [...this.#waiting.keys()]) {
      for (const { task } of this.#takeWaiting(url)) this.#settle(task, error)
    }
    for (const search of [...this.#searches.values()]) this.#failSearch(search, error)
  }

  /** Ends the delivery of this command if it waits. */
  giveUp(command: CommandId, error: P2pError): void {
    const isIt = (task: Task): boolean => task.type === 'deliver' && task.command === command
    for (const [url, queue] of this.#waiting) {
      const found = queue.findIndex(({ task }) => isIt(task))
      if (found >= 0) this.#settleGivenUp(queue.splice(found, 1), error)
      if (queue.length === 0) this.#waiting.delete(url)
    }
    for (const { tasks } of this.#searches.values()) {
      const found = tasks.findIndex(isIt)
      if (found >= 0)
        this.#settleGivenUp(
          tasks.splice(found, 1).map((task) => ({ task })),
          error,
        )
    }
  }

  #settleGivenUp(given: readonly { readonly task: Task }[], error: P2pError): void {
    this.#taskCount -= given.length
    for (const { task } of given) this.#settle(task, error)
  }

  #beginUuid(uuid: number, task: Task): void {
    const members = this.#parts.members
    if (uuid === members.uuid) {
      this.#settle(task, new P2pError('P2P_SELF', 'that is this node'))
      return
    }
    if (members.uuid === null) {
      this.#settle(task, new P2pError('P2P_NOT_JOINED', 'this node is in no network'))
      return
    }
    if (!members.isMember(uuid) && task.type !== 'look') {
      this.#settle(
        task,
        new P2pError('P2P_UUID_UNKNOWN', `no member has UUID ${uuid}`, { facts: { uuid } }),
      )
      return
    }
    const peer =
      this.#parts.links.peer(members.book.get(uuid)) ?? this.#parts.links.peerWithUuid(uuid)
    const address = members.addressOf(uuid)
    if (peer !== undefined) this.#settle(task, peer)
    else if (address === undefined) this.#search(uuid, task)
    else this.#beginAddress(address, { task, uuid, isSearched: false })
  }

  #beginAddress(address: NodeAddress, waiting: Waiting): void {
    const url = addressToUrl(address)
    const peer = this.#parts.links.peerAt(address)
    if (url === addressToUrl(this.#parts.address)) {
      this.#settle(waiting.task, new P2pError('P2P_SELF', 'that is this node'))
    } else if (peer !== undefined) {
      this.#meet(waiting, peer)
    } else if (this.#taskCount >= this.#parts.limits.maxWaitingTasks) {
      this.#settle(waiting.task, tooManyTasks(this.#parts.limits.maxWaitingTasks))
    } else {
      const queue = this.#waiting.get(url) ?? []
      queue.push(waiting)
      this.#taskCount += 1
      this.#waiting.set(url, queue)
      if (!this.#parts.links.isDialling(address)) this.#parts.links.dial(address)
    }
  }

  /** A node without UUID may be one that does not know yet that it joined. */
  #meet(waiting: Waiting, peer: ReadyLink): void {
    const { task, uuid, isSearched } = waiting
    if (uuid === undefined || peer.uuid === null || peer.uuid === uuid) {
      this.#settle(task, peer)
    } else if (isSearched) {
      this.#settle(
        task,
        new P2pError('P2P_WRONG_PEER', `another node answers at the address of UUID ${uuid}`, {
          facts: { uuid, got: peer.uuid },
        }),
      )
    } else {
      this.#search(uuid, task)
    }
  }

  #search(uuid: number, task: Task): void {
    if (this.#taskCount >= this.#parts.limits.maxWaitingTasks) {
      this.#settle(task, tooManyTasks(this.#parts.limits.maxWaitingTasks))
      return
    }
    this.#taskCount += 1
    const running = this.#searches.get(uuid)
    if (running !== undefined) {
      running.tasks.push(task)
      return
    }
    const search: Search = { uuid, tasks: [task], tried: new Set(), requestId: '' }
    this.#searches.set(uuid, search)
    this.#askNext(search)
  }

  #askNext(search: Search): void {
    this.#searchIds.delete(search.requestId)
    const route = search.tried.size < maxAttempts ? this.#route(search) : undefined
    if (route === undefined || route.uuid === null) {
      const facts = { uuid: search.uuid, asked: search.tried.size }
      const message = `nobody knows the address of UUID ${search.uuid}`
      this.#failSearch(search, new P2pError('P2P_UUID_UNREACHABLE', message, { facts }))
      return
    }
    search.tried.add(route.uuid)
    search.requestId = createRequestId(this.#parts.randomBytes)
    this.#searchIds.set(search.requestId, search.uuid)
    const request = encodeRequest({
      callbackAddress: this.#parts.address,
      requestId: search.requestId,
      contents: encodeMessage(uuidAddressRequest(search.uuid, this.#parts.address)),
    })
    this.#parts.links.send(route, request)
    const deadline = this.#parts.outbox.now.monoMs + this.#parts.limits.searchTimeoutMs
    this.#parts.deadlines.set(`search ${search.uuid}`, deadline)
  }

  /**
   * Python nodes answer only whom they have in their own peer book, so those come last. A question about
   * nobody they would pass to and fro for ever.
   */
  #route(search: Search): ReadyLink | undefined {
    const own = this.#parts.members.uuid ?? 0
    const isMember = this.#parts.members.isMember(search.uuid)
    let lastResort: ReadyLink | undefined
    for (const uuid of this.#parts.members.bookByDistance(search.uuid)) {
      const peer = this.#parts.links.peer(this.#parts.members.book.get(uuid))
      if (peer === undefined || search.tried.has(uuid) || uuid === search.uuid) continue
      if (!isMember && !peer.isOurs) continue
      if (peer.isOurs || areSuccessors(own, uuid)) return peer
      lastResort ??= peer
    }
    return lastResort
  }

  #endSearch(search: Search): void {
    this.#searches.delete(search.uuid)
    this.#searchIds.delete(search.requestId)
    this.#parts.deadlines.delete(`search ${search.uuid}`)
    this.#taskCount -= search.tasks.length
  }

  #failSearch(search: Search, error: P2pError): void {
    this.#endSearch(search)
    for (const task of search.tasks) this.#settle(task, error)
  }

  #takeWaiting(url: string): readonly Waiting[] {
    const queue = this.#waiting.get(url) ?? []
    this.#waiting.delete(url)
    this.#taskCount -= queue.length
    return queue
  }

  #settle(task: Task, result: ReadyLink | P2pError): void {
    this.#outcomes.push({ task, result })
  }
}

function tooManyTasks(limit: number): P2pError {
  return new P2pError('P2P_TOO_BUSY', `${limit} operations wait for connections already`, {
    facts: { limit },
  })
}
