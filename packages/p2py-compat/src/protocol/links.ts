/**
 * The links of a node, from an open byte channel to a peer with a known address.
 *
 * Theory of operation. On a new link both sides send their info at once, without waiting. Newer p2py
 * nodes then send a bool, "keep this link"; older ones do not, take True for nothing and False for
 * good-bye. So we send info and True in one go, and take the first value after the peer's info for
 * the flag only when it is a bool: that works with all three. A link is ready when the info is in.
 *
 * A link is *temporary* until it stands in the peer book or a Python node asked to keep it; temporary
 * links are closed after some silence. There is one link per address: whoever wants to reach an
 * address gets the link that is there. When two nodes dial each other at once both links stay, since
 * p2py announces a node as gone when either of them ends.
 *
 * Source: spec p2py, 2; p2py 0.23 p2p.py, Connection.__init__ and run.
 */
import { isP2pError, P2pError } from '@p2p/base'
import type { DialId, LinkId, LinkInput } from '@p2p/base'
import { decodePickle } from '../pickle/reader.ts'
import type { PyValue } from '../pickle/values.ts'
import { FrameSplitter } from './frame.ts'
import { FrameWatch } from './frame-watch.ts'
import type { SharedParts } from './machine-parts.ts'
import { killConnection, messageTypes } from './membership-messages.ts'
import { encodeInfo, encodeMessage, readInfo, readUnit, type WireUnit } from './messages.ts'
import { addressToUrl, type NodeAddress } from './node-address.ts'
import { frameOf } from './outbox.ts'
import { RateLimit } from './rate-limit.ts'

/** A link whose peer has introduced itself. */
export interface ReadyLink {
  readonly link: LinkId
  readonly remote: string
  readonly address: NodeAddress
  readonly isOutgoing: boolean
  /** The peer is one of ours, not a Python node. */
  readonly isOurs: boolean
  /** UUID that we told the peer when the link began: a Python node believes that one for ever. */
  readonly announcedUuid: number | null
  readonly announcements: RateLimit
  /** Dials to where this peer, as a neighbour, wants answers to be sent. */
  readonly answerDials: RateLimit
  /** UUID of the peer; set from outside when the peer gets one while the link lives. */
  uuid: number | null
  /** In the peer book: never closed for silence. */
  isConstant: boolean
}

export type LinkEvent =
  | { readonly type: 'ready'; readonly peer: ReadyLink; readonly dialled: string | undefined }
  | {
      readonly type: 'unit'
      readonly peer: ReadyLink
      readonly unit: Exclude<WireUnit, { readonly kind: 'flag' }>
      /** Of its pickle. */
      readonly byteCount: number
    }
  | {
      readonly type: 'gone'
      readonly peer: ReadyLink
      /** The peer said good-bye, so it is not to be looked for. */
      readonly saidGoodbye: boolean
    }
  | { readonly type: 'unreachable'; readonly dialled: string; readonly error: P2pError }

interface LinkState {
  readonly link: LinkId
  readonly remote: string
  readonly isOutgoing: boolean
  readonly announcedUuid: number | null
  readonly splitter: FrameSplitter
  readonly dialled: string | undefined
  readonly openedMs: number
  peer: ReadyLink | undefined
  unitCount: number
  isClosing: boolean
  saidGoodbye: boolean
}

/** Time in which an info comes over any usable line: Python nodes send theirs at once. */
const infoGraceMs = 500

export class Links {
  readonly #parts: SharedParts
  readonly #frames: FrameWatch
  readonly #states = new Map<LinkId, LinkState>()
  /** Address URL to its newest ready link. */
  readonly #byAddress = new Map<string, LinkId>()
  readonly #dials = new Map<DialId, string>()
  #nextDial: DialId = 1
  #events: LinkEvent[] = []

  constructor(parts: SharedParts) {
    this.#parts = parts
    this.#frames = new FrameWatch(parts.deadlines, parts.limits)
  }

  /** What happened since the last call, oldest first. */
  takeEvents(): readonly LinkEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  get ownAddress(): NodeAddress {
    return this.#parts.address
  }

  /** Open links; those being closed do not count. */
  get size(): number {
    let count = 0
    for (const { isClosing } of this.#states.values()) if (!isClosing) count += 1
    return count
  }

  ready(): readonly ReadyLink[] {
    const peers: ReadyLink[] = []
    for (const { peer, isClosing } of this.#states.values()) {
      if (peer !== undefined && !isClosing) peers.push(peer)
    }
    return peers
  }

  peer(link: LinkId | undefined): ReadyLink | undefined {
    const state = link === undefined ? undefined : this.#states.get(link)
    return state === undefined || state.isClosing ? undefined : state.peer
  }

  peerAt(address: NodeAddress): ReadyLink | undefined {
    return this.peer(this.#byAddress.get(addressToUrl(address)))
  }

  peerWithUuid(uuid: number): ReadyLink | undefined {
    return this.ready().find((peer) => peer.uuid === uuid)
  }

  /** True until the node there has introduced itself. */
  isDialling(address: NodeAddress): boolean {
    const url = addressToUrl(address)
    if ([...this.#dials.values()].includes(url)) return true
    return [...this.#states.values()].some(
      ({ dialled, peer, isClosing }) => dialled === url && peer === undefined && !isClosing,
    )
  }

  dial(address: NodeAddress): void {
    const url = addressToUrl(address)
    const dial = this.#nextDial++
    this.#dials.set(dial, url)
    this.#parts.outbox.push({
      type: 'dial',
      dial,
      address: url,
      timeoutMs: this.#parts.limits.dialTimeoutMs,
    })
  }

  handle(input: Exclude<LinkInput, { type: 'deadline' | 'link-held' }>): void {
    switch (input.type) {
      case 'link-open':
        this.#open(input)
        break
      case 'link-bytes':
        this.#receive(input.link, input.bytes)
        break
      case 'link-closed':
        this.#forget(input.link)
        break
      case 'dial-failed': {
        const dialled = this.#dials.get(input.dial)
        this.#dials.delete(input.dial)
        if (dialled !== undefined) {
          this.#events.push({ type: 'unreachable', dialled, error: input.error })
        }
        break
      }
    }
  }

  /** Handles the deadlines of links; false when the name belongs to somebody else. */
  handleDeadline(name: string): boolean {
    const match = /^link-(info|idle|slow) (\d+)$/.exec(name)
    const state = this.#states.get(Number(match?.[2]))
    if (state === undefined) return false
    if (match?.[1] === 'info') {
      this.#reject(state, new P2pError('P2P_INFO_TIMEOUT', 'the peer never introduced itself'))
    } else if (match?.[1] === 'idle') {
      this.#endSilent(state)
    } else {
      const tooSlow = this.#frames.onDue(state.link, this.#parts.outbox.now.monoMs)
      if (tooSlow !== undefined) this.#reject(state, tooSlow)
    }
    return true
  }

  /** Sends one value; undefined when done, or why it cannot be sent on this link. */
  send(peer: ReadyLink, value: PyValue): P2pError | undefined {
    const frame = frameOf(value)
    const error = this.tooLarge(peer, frame)
    if (error === undefined) this.sendFrame(peer, frame)
    return error
  }

  tooLarge(peer: ReadyLink, frame: Uint8Array): P2pError | undefined {
    const limit = peer.isOurs
      ? this.#parts.limits.maxFrameBytes
      : this.#parts.limits.maxFrameBytesToPython
    if (frame.length <= limit) return undefined
    return new P2pError(
      'P2P_MESSAGE_TOO_LARGE',
      `frame of ${frame.length} bytes, this peer takes ${limit}`,
      { facts: { limit, got: frame.length } },
    )
  }

  /** A frame that goes to several peers is built once. */
  sendFrame(peer: ReadyLink, frame: Uint8Array): void {
    this.#parts.outbox.sendFrame(peer.link, frame)
    this.#touch(peer)
  }

  /** Says good-bye, as p2py does, and closes. */
  endPolitely(peer: ReadyLink, reason: P2pError): void {
    const state = this.#states.get(peer.link)
    if (state === undefined || state.isClosing) return
    this.#parts.outbox.sendFrame(peer.link, frameOf(encodeMessage(killConnection)))
    state.saidGoodbye = true
    this.#close(state, reason)
  }

  closeAll(reason: P2pError): void {
    for (const dial of this.#dials.keys()) this.#parts.outbox.push({ type: 'cancel-dial', dial })
    this.#dials.clear()
    for (const state of [...this.#states.values()]) {
      if (state.peer === undefined) this.#close(state, reason)
      else this.endPolitely(state.peer, reason)
    }
  }

  #open(input: Extract<LinkInput, { type: 'link-open' }>): void {
    const dialled = input.dial === undefined ? undefined : this.#dials.get(input.dial)
    if (input.dial !== undefined) this.#dials.delete(input.dial)
    const { uuid } = this.#parts.members
    const state: LinkState = {
      link: input.link,
      remote: input.remote,
      isOutgoing: input.dial !== undefined,
      announcedUuid: uuid,
      splitter: new FrameSplitter({ maxFrameBytes: this.#parts.limits.maxFrameBytes }),
      dialled,
      openedMs: this.#parts.outbox.now.monoMs,
      peer: undefined,
      unitCount: 0,
      isClosing: false,
      saidGoodbye: false,
    }
    this.#states.set(input.link, state)
    if (!state.isOutgoing && !this.#hasRoom()) {
      this.#close(state, new P2pError('P2P_TOO_MANY_LINKS', 'no room for another link'))
      return
    }
    this.#parts.outbox.sendFrame(
      input.link,
      frameOf(encodeInfo({ address: this.#parts.address, uuid, isOurs: true })),
    )
    this.#parts.outbox.sendFrame(input.link, frameOf(true))
    this.#parts.deadlines.set(
      `link-info ${input.link}`,
      this.#inMs(this.#parts.limits.infoTimeoutMs),
    )
  }

  /** The link that has been silent for longest gives way, so that a few of them do not keep everybody out. */
  #hasRoom(): boolean {
    const { maxLinks, maxPendingLinks } = this.#parts.limits
    if (this.#states.size > maxLinks) return false
    const pending = [...this.#states.values()].filter(
      ({ peer, isClosing }) => peer === undefined && !isClosing,
    )
    if (pending.length <= maxPendingLinks) return true
    const silent = pending.find(({ isOutgoing }) => !isOutgoing)
    if (silent === undefined || silent.openedMs > this.#parts.outbox.now.monoMs - infoGraceMs)
      return false
    this.#close(silent, new P2pError('P2P_INFO_TIMEOUT', 'others needed the room of a silent link'))
    return true
  }

  #receive(link: LinkId, bytes: Uint8Array): void {
    const state = this.#states.get(link)
    if (state === undefined || state.isClosing) return
    let isNew = false
    try {
      for (const pickle of state.splitter.pickles(bytes)) {
        if (state.isClosing) return
        isNew = true
        this.#takeValue(state, this.#decode(pickle), pickle.length)
      }
    } catch (error) {
      if (!isP2pError(error)) throw error
      this.#reject(state, error)
      return
    }
    if (state.isClosing) return
    const { bufferedBytes } = state.splitter
    const received = { byteCount: bytes.length, bufferedBytes, isNew }
    const victim = this.#frames.onBytes(link, received, this.#parts.outbox.now.monoMs)
    const slowest = victim === undefined ? undefined : this.#states.get(victim.link)
    if (victim !== undefined && slowest !== undefined) this.#reject(slowest, victim.reason)
  }

  #decode(pickle: Uint8Array): PyValue {
    const { maxFrameBytes, maxValues, maxDepth } = this.#parts.limits
    return decodePickle(pickle, { maxPickleBytes: maxFrameBytes, maxValues, maxDepth })
  }

  #takeValue(state: LinkState, value: PyValue, byteCount: number): void {
    if (state.peer === undefined) {
      this.#introduce(state, value)
      return
    }
    state.unitCount += 1
    this.#touch(state.peer)
    const unit = readUnit(value)
    if (unit.kind === 'flag') {
      this.#takeFlag(state, state.peer, unit.value)
    } else if (unit.kind === 'message' && unit.message.type === messageTypes.killConnection) {
      state.saidGoodbye = true
      this.#close(state, new P2pError('P2P_PEER_GOODBYE', 'the peer ended the connection'))
    } else {
      this.#events.push({ type: 'unit', peer: state.peer, unit, byteCount })
    }
  }

  #introduce(state: LinkState, value: PyValue): void {
    const info = readInfo(value)
    if (info === undefined) {
      this.#reject(state, new P2pError('P2P_BAD_INFO', 'the first message is no p2py info'))
      return
    }
    const own = addressToUrl(this.#parts.address)
    if (addressToUrl(info.address) === own) {
      // The dial went out under another name, or somebody else has the wrong `host`.
      this.#close(state, new P2pError('P2P_SELF', `who is there calls itself ${own}, as this node`))
      return
    }
    this.#parts.deadlines.delete(`link-info ${state.link}`)
    state.peer = {
      link: state.link,
      remote: state.remote,
      address: info.address,
      isOutgoing: state.isOutgoing,
      isOurs: info.isOurs,
      announcedUuid: state.announcedUuid,
      announcements: new RateLimit(this.#parts.limits.maxAnnouncementsPerSecond),
      answerDials: new RateLimit(this.#parts.limits.maxPeerDialsPerSecond),
      uuid: info.uuid,
      isConstant: false,
    }
    this.#byAddress.set(addressToUrl(info.address), state.link)
    if (state.dialled !== undefined) this.#byAddress.set(state.dialled, state.link)
    this.#touch(state.peer)
    this.#events.push({ type: 'ready', peer: state.peer, dialled: state.dialled })
  }

  /** Right behind the info True means "keep this link"; ours always say it, so it tells nothing then. */
  #takeFlag(state: LinkState, peer: ReadyLink, value: boolean): void {
    if (state.unitCount === 1) {
      if (value && !peer.isOurs) peer.isConstant = true
      return
    }
    if (value) return
    state.saidGoodbye = true
    this.#close(state, new P2pError('P2P_PEER_GOODBYE', 'the peer ended the connection'))
  }

  #touch(peer: ReadyLink): void {
    const { temporaryLinkMs, acceptedLinkMs } = this.#parts.limits
    const silenceMs = peer.isOutgoing ? temporaryLinkMs : acceptedLinkMs
    this.#parts.deadlines.set(`link-idle ${peer.link}`, this.#inMs(silenceMs))
  }

  #endSilent(state: LinkState): void {
    const { peer } = state
    if (peer === undefined || peer.isConstant || this.#isTwin(peer)) return
    this.endPolitely(peer, new P2pError('P2P_LINK_IDLE', 'temporary connection, not used any more'))
  }

  /** A second link to somebody in the peer book: its end would be taken for his departure. */
  #isTwin(peer: ReadyLink): boolean {
    const url = addressToUrl(peer.address)
    return this.ready().some((other) => other.isConstant && addressToUrl(other.address) === url)
  }

  #reject(state: LinkState, error: P2pError): void {
    this.#parts.outbox.push({ type: 'rejected', remote: state.remote, error })
    this.#close(state, error)
  }

  /** From here on the link does not exist for the rest of the machine. */
  #close(state: LinkState, reason: P2pError): void {
    if (state.isClosing) return
    state.isClosing = true
    this.#parts.outbox.push({ type: 'close', link: state.link, reason })
    this.#leaveTables(state, reason)
  }

  #forget(link: LinkId): void {
    const state = this.#states.get(link)
    if (state === undefined) return
    this.#states.delete(link)
    if (!state.isClosing) {
      state.isClosing = true
      this.#leaveTables(state, new P2pError('P2P_LINK_LOST', 'the connection was lost'))
    }
  }

  #leaveTables(state: LinkState, reason: P2pError): void {
    for (const kind of ['info', 'idle']) this.#parts.deadlines.delete(`link-${kind} ${state.link}`)
    this.#frames.forget(state.link)
    if (state.peer === undefined) {
      if (state.dialled !== undefined) {
        this.#events.push({ type: 'unreachable', dialled: state.dialled, error: reason })
      }
      return
    }
    const urls = [addressToUrl(state.peer.address), state.dialled ?? '']
    for (const url of urls) {
      if (this.#byAddress.get(url) === state.link) this.#byAddress.delete(url)
    }
    const { peer, saidGoodbye } = state
    this.#events.push({ type: 'gone', peer, saidGoodbye })
  }

  #inMs(durationMs: number): number {
    return this.#parts.outbox.now.monoMs + durationMs
  }
}
