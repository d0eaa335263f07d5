/**
 * Handing out UUIDs to newcomers.
 *
 * A join request climbs to the member with the highest UUID: each node passes it on to the highest
 * entry of its peer book, unless it is the highest itself. That one dials the newcomer if need be,
 * gives it the UUID of somebody who left, or the next one, and announces it. Requests are taken one
 * at a time, those of one link no sooner again than those of the others: somebody may ask for many, each at an
 * address where nobody answers. A freed UUID is used again only when its last owner was seen to be gone, or was looked
 * for in vain after a while: p2py nodes announce departures that never were.
 *
 * Source: spec p2py, 4 and 13; p2py 0.23 p2p.py, handle_join_request.
 * @compat p2py uses a free UUID at once, also that of a living node (admission.test.ts).
 */
import { isP2pError, P2pError } from '@p2p/base'
import type { LinkId } from '@p2p/base'
import type { ReadyLink } from './links.ts'
import type { GossipingParts } from './machine-parts.ts'
import { joinFinalized, joinRequest, newPeer, readJoinRequest } from './membership-messages.ts'
import { encodeMessage, maxUuid, type Response } from './messages.ts'
import { addressToUrl, type NodeAddress } from './node-address.ts'
import { frameOf } from './outbox.ts'

interface WaitingJoin {
  readonly joiner: NodeAddress
  readonly link: LinkId
  readonly askedMs: number
  /** The link began before this node had a UUID. */
  readonly isBeforeUs: boolean
}

/** A newcomer that asks again within this time gets the same answer again. */
const repeatMs = 30_000
const maxRemembered = 256

export class Admission {
  readonly #parts: GossipingParts
  #waiting: WaitingJoin[] = []
  /** Links whose turn it has been, the latest last, while requests wait. */
  readonly #served = new Set<LinkId>()
  /** Address URL to what we gave it, oldest first. */
  readonly #admitted = new Map<string, { readonly uuid: number; readonly atMs: number }>()
  /** The request that is being worked on. */
  #current: WaitingJoin | undefined
  #wasJoining = false

  constructor(parts: GossipingParts) {
    this.#parts = parts
  }

  onJoinRequest(peer: ReadyLink, message: Response): void {
    const joiner = readJoinRequest(message)
    if (joiner === undefined) {
      this.#reject(peer.remote, new P2pError('P2P_BAD_MESSAGE', 'a join request without address'))
    } else {
      const askedMs = this.#parts.outbox.now.monoMs
      const isBeforeUs = peer.announcedUuid === null
      this.#waiting.push({ joiner, link: peer.link, askedMs, isBeforeUs })
      if (this.#waiting.length > this.#parts.limits.maxWaitingJoins) this.#dropOne()
    }
  }

  /** Whether a request of the node at this address waits. */
  isAskedBy(address: NodeAddress): boolean {
    const url = addressToUrl(address)
    return this.#waiting.some(({ joiner }) => addressToUrl(joiner) === url)
  }

  /** The node at this address will find its way without us. */
  drop(address: NodeAddress): void {
    const url = addressToUrl(address)
    this.#waiting = this.#waiting.filter(({ joiner }) => addressToUrl(joiner) !== url)
  }

  /** The newest request of the link with most of them. */
  #dropOne(): void {
    const counts = new Map<LinkId, number>()
    for (const { link } of this.#waiting) counts.set(link, (counts.get(link) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const at = this.#waiting.findLastIndex(({ link }) => counts.get(link) === most)
    const [dropped] = this.#waiting.splice(at, 1)
    if (dropped === undefined) return
    const error = new P2pError('P2P_TOO_BUSY', 'too many nodes want to join')
    this.#reject(
      this.#parts.links.peer(dropped.link)?.remote ?? addressToUrl(dropped.joiner),
      error,
    )
  }

  /** The oldest request of the link whose turn it has not been for longest. */
  #takeNext(): WaitingJoin | undefined {
    const turns = [...this.#served]
    const turnOf = ({ link }: WaitingJoin): number => turns.indexOf(link)
    const [first] = [...this.#waiting].sort((a, b) => turnOf(a) - turnOf(b))
    if (first === undefined) {
      this.#served.clear()
      return undefined
    }
    this.#waiting.splice(this.#waiting.indexOf(first), 1)
    this.#served.delete(first.link)
    this.#served.add(first.link)
    return first
  }

  /**
   * Works on what waits, unless we ourselves are on the way into a network. When that comes to nothing, what has
   * waited for long is dropped: whoever asked is about to give up, too, and each would be the first of a network of one.
   */
  advance(isJoining: boolean): void {
    if (this.#wasJoining && !isJoining && this.#parts.members.uuid === null) {
      const sinceMs = this.#parts.outbox.now.monoMs - this.#parts.limits.joinTimeoutMs / 2
      this.#waiting = this.#waiting.filter(({ askedMs }) => askedMs >= sinceMs)
    }
    this.#wasJoining = isJoining
    while (this.#current === undefined && !isJoining) {
      this.#current = this.#takeNext()
      if (this.#current === undefined) return
      this.#work(this.#current)
    }
  }

  reset(): void {
    this.#waiting = []
    this.#served.clear()
    this.#current = undefined
    this.#admitted.clear()
  }

  onReached(joiner: NodeAddress, result: ReadyLink | P2pError): void {
    if (this.#current?.joiner !== joiner) return
    this.#current = undefined
    if (isP2pError(result)) this.#reject(addressToUrl(joiner), result)
    else this.#admit(joiner, result)
  }

  /** The end of passing a request on to a member that is not in our peer book. */
  onForwarded(uuid: number, joiner: NodeAddress, result: ReadyLink | P2pError): void {
    const join = this.#current
    if (join?.joiner !== joiner) return
    this.#current = undefined
    if (isP2pError(result) && result.code === 'P2P_TOO_BUSY') {
      this.#reject(addressToUrl(joiner), result) // tells nothing about that member
    } else if (isP2pError(result)) {
      this.#parts.gossip.giveUp(uuid)
      this.#served.delete(join.link)
      this.#waiting.unshift(join)
    } else {
      this.#parts.links.send(result, encodeMessage(joinRequest(joiner)))
      this.#dismiss(join)
    }
  }

  /** Nobody waits for it any more, or it was asked by a node that has let us into its own network since. */
  #isOutdated({ joiner, askedMs, isBeforeUs }: WaitingJoin): boolean {
    if (this.#parts.outbox.now.monoMs - askedMs >= this.#parts.limits.joinTimeoutMs) return true
    const url = addressToUrl(joiner)
    if (!isBeforeUs || this.#admitted.has(url)) return false
    return this.#parts.links
      .ready()
      .some(
        ({ address, isConstant, uuid }) =>
          isConstant && uuid !== null && addressToUrl(address) === url,
      )
  }

  #work(join: WaitingJoin): void {
    if (this.#isOutdated(join)) {
      this.#current = undefined
      return
    }
    if (this.#parts.members.uuid === null) this.#parts.gossip.beginNetwork()
    const { joiner } = join
    const own = this.#parts.members.uuid ?? 0
    const top = Math.max(-1, ...this.#parts.members.book.keys())
    const next = this.#parts.links.peer(this.#parts.members.book.get(top))
    const { highest } = this.#parts.members
    // Who asks again may be the highest himself by now.
    const isAgain = this.#admitted.get(addressToUrl(joiner))?.uuid === highest
    if (highest <= own || isAgain) {
      this.#parts.reach.begin({ address: joiner }, { type: 'admit', joiner })
    } else if (top > own && next !== undefined) {
      this.#dismiss(join)
      this.#parts.links.send(next, encodeMessage(joinRequest(joiner)))
      this.#current = undefined
    } else {
      this.#parts.reach.begin({ uuid: highest }, { type: 'forward-join', uuid: highest, joiner })
    }
  }

  /** The newcomer will be dialled by somebody else; p2py closes the link it asked on. */
  #dismiss(join: WaitingJoin): void {
    const peer = this.#parts.links.peer(join.link)
    if (peer === undefined || peer.isConstant) return
    this.#parts.links.endPolitely(
      peer,
      new P2pError('P2P_JOIN_FORWARDED', 'another member will answer'),
    )
  }

  #admit(joiner: NodeAddress, peer: ReadyLink): void {
    const own = this.#parts.members.uuid
    if (own === null) return
    const nowMs = this.#parts.outbox.now.monoMs
    const url = addressToUrl(joiner)
    const before = this.#admitted.get(url)
    const isRepeated =
      before !== undefined &&
      nowMs - before.atMs < repeatMs &&
      this.#parts.members.book.get(before.uuid) === peer.link
    const isMember = peer.uuid !== null && this.#parts.members.book.get(peer.uuid) === peer.link
    if (isMember && !isRepeated) this.#parts.gossip.giveUp(peer.uuid ?? own) // it begins a new life
    const uuid = isRepeated ? before.uuid : this.#chooseUuid()
    const welcome = this.#welcome(peer, { uuid, own })
    if (isP2pError(welcome)) {
      this.#reject(url, welcome)
      return
    }
    this.#remember(url, uuid, nowMs)
    this.#parts.gossip.learn(uuid, joiner)
    this.#parts.gossip.addToBook(uuid, peer)
    this.#parts.links.sendFrame(peer, welcome)
    if (!isRepeated) this.#parts.gossip.announce(newPeer(uuid, joiner), [uuid])
  }

  /** The frame for a newcomer with this UUID; an error when it could not read who is there. */
  #welcome(
    newcomer: ReadyLink,
    { uuid, own }: { readonly uuid: number; readonly own: number },
  ): Uint8Array | P2pError {
    const { active, highest } = this.#parts.members
    const members = new Set([...active, uuid, own])
    if (members.size > this.#parts.limits.maxMembers) {
      return new P2pError('P2P_TOO_BUSY', 'no room for another member')
    }
    const endUuid = Math.min(Math.max(uuid, highest) + 1, maxUuid) // p2py reaches no UUID from there on
    const message = joinFinalized({
      joinerUuid: uuid,
      adderUuid: own,
      networkSize: Math.max(members.size, endUuid),
      activePeers: [...members],
    })
    const frame = frameOf(encodeMessage(message))
    return this.#parts.links.tooLarge(newcomer, frame) ?? frame
  }

  #chooseUuid(): number {
    const freed = [...this.#parts.members.free.keys()]
    const reusable = freed.findLast((uuid) => this.#parts.members.isReusable(uuid))
    // Above those that are not to be used yet, too.
    const top = freed.reduce((one, other) => Math.max(one, other), this.#parts.members.highest)
    return reusable ?? (top < maxUuid ? top + 1 : this.#lowestUnused())
  }

  /** For when somebody has announced the last UUID there is. Those above ours come first. */
  #lowestUnused(): number {
    const { highest, free } = this.#parts.members
    let uuid = highest < maxUuid ? highest + 1 : 0
    while (free.has(uuid) || this.#parts.members.isMember(uuid)) uuid += 1
    return uuid
  }

  #remember(url: string, uuid: number, atMs: number): void {
    this.#admitted.delete(url)
    this.#admitted.set(url, { uuid, atMs })
    for (const oldest of this.#admitted.keys()) {
      if (this.#admitted.size <= maxRemembered) break
      this.#admitted.delete(oldest)
    }
  }

  #reject(remote: string, error: P2pError): void {
    this.#parts.outbox.push({ type: 'rejected', remote, error })
  }
}
