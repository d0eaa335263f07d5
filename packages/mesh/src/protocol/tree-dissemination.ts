/**
 * Everybody gets a broadcast, each of our own nodes exactly one copy of it.
 *
 * Theory of operation. Between our own nodes a link is eager or lazy, per sender (sender-trees.ts).
 * The first copy of a message goes out whole on the eager links and as a 16-byte announcement on the
 * lazy ones. A second copy makes the link it came on lazy. The other end is told so (a prune), unless our
 * own copy went to it: there that one is a second copy and says the same. An announced message that does
 * not come within a short while is asked for (missing-messages.ts), which makes that link eager; if it does not come from there
 * either, the next announcer is asked. An announcer that did not deliver is asked last from then
 * on. Announcements wait a little so that many share one frame, longer at the end of the link that
 * was dialled: what the other end announced meanwhile need not be announced back, so a lazy link
 * carries most ids in one direction only.
 *
 * Old neighbours know none of this and send everything to everyone. A copy for one of them is held
 * for a while and dropped when it delivers the message itself first (held-copies.ts). Our own
 * messages go to them at once.
 *
 * A new neighbour is asked what it saw since we were last alone, a minute at most: whatever passed
 * while a link was down or the network was in two parts is caught up with.
 *
 * Every payload stays a plain 0.7 broadcast; only the steering is new (tree-control.ts).
 *
 * Source: research/reliability.md, 3.4; J. Leitão et al., Epidemic Broadcast Trees (SRDS 2007). Its
 * rule for optimising paths is left out: it costs copies and gains no time (same place, 3.2).
 */
import type { Now, Peer, RandomBytes } from '@p2p/base'
import { encodeFrame, idText, type Value, type WireMessage } from '@p2p/serializer'
import type { Copy, Dissemination } from './dissemination.ts'
import { HeldCopies } from './held-copies.ts'
import { HolderSet, type Placed } from './holder-set.ts'
import { joinKeys, messageKey, shortIdBytes, type MessageKey } from './message-key.ts'
import { MissingMessages, notMissing } from './missing-messages.ts'
import { joinIds, keptMessage, RecentMessages, type RecentMessage } from './recent-messages.ts'
import {
  SenderTrees,
  isEager,
  noteFirstCopy,
  pruneAfterDuplicate,
  type Tree,
} from './sender-trees.ts'
import {
  decodeTreeControl,
  encodeTreeControl,
  maxIdsPerControl,
  treeFeature,
} from './tree-control.ts'

/**
 * How long an announcement may wait for others to share its frame: at the end that dialled, and at the
 * other one, which leaves it the time to cross the link.
 */
const announceAfterMs = { dialler: 40, dialled: 140 }
/** A batch of this many leaves at once: more than come in that time, or both ends announce everything. */
const maxAnnouncementBatch = 1_024
/** What a new neighbour is asked for at most: older broadcasts are not taken any more. */
const maxCatchUpMs = 60_000

export interface TreeLimits {
  /** Senders with a tree of their own; 0 leaves all on the shared one. */
  readonly maxSenderTrees: number
  /** Broadcasts kept to serve neighbours that lack them … */
  readonly maxRecentMessages: number
  /** … and their bytes. */
  readonly maxRecentBytes: number
  /** Announced messages that we wait for; more are ignored until some came. */
  readonly maxMissingMessages: number
  /**
   * Links without payload on which messages are announced, on average; of more, some are drawn by lot.
   * What is announced costs every node in proportion to its links, and a few announcers find every gap.
   */
  readonly maxLazyLinks: number
}

export const defaultTreeLimits: TreeLimits = {
  maxSenderTrees: 256,
  maxRecentMessages: 8_192,
  maxRecentBytes: 8 * 1_048_576,
  maxMissingMessages: 8_192,
  maxLazyLinks: 32,
}

/** A neighbour and what waits to be told to it. */
export interface TreeNeighbour extends Placed {
  readonly peer: Peer
  announced: Recent[]
  wanted: MessageKey[]
  pruned: Recent[]
  /** When the waiting announcements leave; Infinity when there are none. */
  announceAtMs: number
  /** True once we asked it what we missed. */
  hasCaughtUp: boolean
  /** Grafts it did not answer, minus those it did. */
  penalty: number
  /** 0 to 1, the same at both ends of the link: below the share of links that announce, it does. */
  readonly lot: number
}

const noCopies: readonly Copy[] = []
const noIds: readonly string[] = []

type Recent = RecentMessage<TreeNeighbour, Tree<TreeNeighbour>>

interface TreeDisseminationOptions {
  readonly ownId: string
  readonly random: RandomBytes
  /** Makes a whisper of ours. */
  readonly compose: (payload: readonly Value[], now: Now) => WireMessage
  /** True for a broadcast that was here, also when it is no longer kept; its id begins at `offset`. */
  readonly wasSeen: (id: Uint8Array, offset: number) => boolean
  /** Keeps ids from being made to fall into one chain of the recent messages. */
  readonly secret?: number
  readonly limits?: Partial<TreeLimits>
}

export class TreeDissemination implements Dissemination {
  readonly #neighbours = new Map<string, TreeNeighbour>()
  readonly #trees: SenderTrees<TreeNeighbour>
  readonly #recent: RecentMessages<TreeNeighbour, Tree<TreeNeighbour>>
  readonly #missing: MissingMessages
  readonly #held: HeldCopies
  /** When the first waiting announcement of all neighbours leaves; undefined after a change. */
  #announceAtMs: number | undefined
  readonly #ownLot: number
  readonly #maxLazyLinks: number
  readonly #compose: TreeDisseminationOptions['compose']
  readonly #wasSeen: TreeDisseminationOptions['wasSeen']
  /** When we first had a neighbour: what was said before is not for us. */
  #connectedSinceMs: number | undefined
  #counters = { copiesSent: 0, announcements: 0, grafts: 0, prunes: 0, duplicates: 0 }

  constructor(options: TreeDisseminationOptions) {
    const limits = { ...defaultTreeLimits, ...options.limits }
    this.#ownLot = lotOf(options.ownId)
    this.#maxLazyLinks = limits.maxLazyLinks
    this.#compose = options.compose
    this.#wasSeen = options.wasSeen
    this.#trees = new SenderTrees({ maxSenders: limits.maxSenderTrees })
    this.#recent = new RecentMessages({
      maxCount: limits.maxRecentMessages,
      maxBytes: limits.maxRecentBytes,
      maxAgeMs: maxCatchUpMs,
      secret: options.secret ?? 0,
    })
    this.#missing = new MissingMessages({ maxMessages: limits.maxMissingMessages })
    this.#held = new HeldCopies(options.random)
  }

  addNeighbour(peer: Peer, now: Now): readonly Copy[] {
    this.#connectedSinceMs ??= now.monoMs
    this.#neighbours.set(peer.id, {
      peer,
      place: this.#freePlace(),
      announced: [],
      wanted: [],
      pruned: [],
      announceAtMs: Infinity,
      hasCaughtUp: false,
      penalty: 0,
      lot: (this.#ownLot + lotOf(peer.id)) % 1,
    })
    return this.noteFeatures(peer, now)
  }

  #freePlace(): number {
    const taken = new Set([...this.#neighbours.values()].map(({ place }) => place))
    let place = 0
    while (taken.has(place)) place += 1
    return place
  }

  removeNeighbour(peer: Peer): readonly Copy[] {
    const neighbour = this.#neighbours.get(peer.id)
    if (neighbour === undefined) return []
    this.#neighbours.delete(peer.id)
    this.#announceAtMs = undefined
    this.#trees.forgetNeighbour(neighbour)
    this.#recent.forget(neighbour)
    this.#missing.forgetAnnouncer(neighbour)
    this.#held.forgetNeighbour(neighbour)
    return []
  }

  /** Once both hellos are in: asks for what was missed. */
  noteFeatures(peer: Peer, now: Now): readonly Copy[] {
    const neighbour = this.#neighbours.get(peer.id)
    // Asked with every message.
    if (neighbour === undefined || neighbour.hasCaughtUp) return noCopies
    if (!isTreeNode(neighbour)) return noCopies
    neighbour.hasCaughtUp = true
    const connectedMs = now.monoMs - (this.#connectedSinceMs ?? now.monoMs)
    const sinceSeconds = Math.ceil(Math.min(connectedMs, maxCatchUpMs) / 1_000)
    return sinceSeconds === 0 ? [] : [this.#control(neighbour, sinceSeconds, now)]
  }

  spread(
    message: WireMessage,
    from: Peer | undefined,
    now: Now,
    heldBy?: Iterable<string>,
  ): readonly Copy[] {
    const sender = idText(message.sender) ?? ''
    const first = from === undefined ? undefined : this.#neighbours.get(from.id)
    const tree = this.#trees.treeFor(sender)
    const { announcers, wasAskedFor } =
      this.#missing.count === 0
        ? notMissing
        : this.#missing.take(messageKey(message.id), first, now.monoMs)
    const entry: Recent = {
      frame: encodeFrame(message),
      seenMs: now.monoMs,
      holders: announcers ?? new HolderSet(),
      first,
      tree,
    }
    if (first !== undefined) {
      entry.holders.add(first)
      noteFirstCopy(tree, first, { wasAskedFor, monoMs: now.monoMs })
    }
    for (const id of heldBy ?? noIds) {
      const holder = this.#neighbours.get(id)
      if (holder !== undefined) entry.holders.add(holder)
    }
    this.#recent.add(entry)
    return this.#forward(entry, message, sender, now)
  }

  #forward(entry: Recent, message: WireMessage, sender: string, now: Now): Copy[] {
    const copies: Copy[] = []
    const isOwn = entry.first === undefined
    for (const neighbour of this.#neighbours.values()) {
      const { peer } = neighbour
      if (peer.id === sender || entry.holders.has(neighbour)) continue
      if (isTreeNode(neighbour)) {
        if (isEager(entry.tree, neighbour)) copies.push(this.#copy(entry, neighbour, message))
        else if (neighbour.lot * this.#neighbours.size < this.#maxLazyLinks)
          this.#announce(neighbour, entry, now, copies)
      } else if (isOwn || peer.kind === 'ours') {
        copies.push(this.#copy(entry, neighbour, message))
      } else {
        this.#held.hold(entry, neighbour, now.monoMs)
      }
    }
    return copies
  }

  noteDuplicate(message: WireMessage, from: Peer, now: Now): readonly Copy[] {
    this.#counters.duplicates += 1
    const neighbour = this.#neighbours.get(from.id)
    const entry = this.#recent.get(message.id)
    if (neighbour === undefined || entry === undefined) return []
    const isTree = isTreeNode(neighbour)
    if (!isTree) this.#held.noteDelivery(entry, neighbour, now.monoMs)
    entry.holders.add(neighbour)
    if (!isTree) return []
    if (neighbour.announced.length > 0) this.#dropKnown(neighbour)
    const duplicate = { from: neighbour, first: entry.first }
    const hasOurCopy = isEager(entry.tree, neighbour) && !isFromNeighbour(message, neighbour)
    if (!pruneAfterDuplicate(entry.tree, duplicate, now.monoMs) || hasOurCopy) return []
    this.#counters.prunes += 1
    neighbour.pruned.push(entry)
    return [this.#control(neighbour, 0, now)]
  }

  handleControl(message: WireMessage, from: Peer, now: Now): readonly Copy[] {
    const neighbour = this.#neighbours.get(from.id)
    const control = decodeTreeControl(message.payload)
    if (neighbour === undefined || control === undefined || !isTreeNode(neighbour)) return []
    const copies: Copy[] = []
    for (let at = 0; at < control.announced.length; at += shortIdBytes) {
      this.#noteAnnouncement(control.announced, at, neighbour, now)
    }
    if (neighbour.announced.length > 0) this.#dropKnown(neighbour)
    for (let at = 0; at < control.pruned.length; at += shortIdBytes) {
      this.#notePrune(this.#recent.get(control.pruned, at), neighbour)
    }
    for (let at = 0; at < control.wanted.length; at += shortIdBytes) {
      this.#serve(this.#recent.get(control.wanted, at), neighbour, copies)
    }
    if (control.sinceSeconds > 0) {
      const sinceMs = now.monoMs - Math.min(1_000 * control.sinceSeconds, maxCatchUpMs)
      for (const entry of this.#recent.since(sinceMs)) {
        if (!entry.holders.has(neighbour)) this.#announce(neighbour, entry, now, copies)
      }
    }
    return copies
  }

  #noteAnnouncement(ids: Uint8Array, offset: number, neighbour: TreeNeighbour, now: Now): void {
    const entry = this.#recent.get(ids, offset)
    if (entry !== undefined) entry.holders.add(neighbour)
    else if (!this.#wasSeen(ids, offset)) {
      this.#missing.announce(messageKey(ids, offset), neighbour, now.monoMs)
    }
  }

  /** Takes back what waits to be announced to a neighbour that turned out to have it. */
  #dropKnown(neighbour: TreeNeighbour): void {
    neighbour.announced = neighbour.announced.filter(({ holders }) => !holders.has(neighbour))
    if (neighbour.announced.length > 0) return
    neighbour.announceAtMs = Infinity
    this.#announceAtMs = undefined
  }

  #notePrune(entry: Recent | undefined, neighbour: TreeNeighbour): void {
    if (entry === undefined) return
    entry.holders.add(neighbour)
    if (!entry.tree.lazy.has(neighbour)) entry.tree.lazy.set(neighbour, -Infinity)
  }

  /** A graft: the link becomes eager on that tree, and the message goes out unless it did before. */
  #serve(entry: Recent | undefined, neighbour: TreeNeighbour, copies: Copy[]): void {
    if (entry === undefined) return
    entry.tree.lazy.delete(neighbour)
    if (!entry.holders.has(neighbour)) copies.push(this.#copy(entry, neighbour))
  }

  handleDeadline(now: Now): readonly Copy[] {
    const copies: Copy[] = []
    for (const { entry, neighbour } of this.#held.takeDue(now.monoMs)) {
      copies.push(this.#copy(entry, neighbour))
    }
    const asked = new Set<TreeNeighbour>()
    for (const { key, announcer } of this.#missing.takeDue(now.monoMs)) {
      this.#counters.grafts += 1
      announcer.wanted.push(key)
      asked.add(announcer)
    }
    for (const neighbour of asked) copies.push(this.#control(neighbour, 0, now))
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.announceAtMs <= now.monoMs) copies.push(this.#control(neighbour, 0, now))
    }
    return copies
  }

  nextDeadline(): number {
    this.#announceAtMs ??= this.#earliestAnnouncement()
    return Math.min(this.#announceAtMs, this.#held.nextDeadline(), this.#missing.nextDeadline())
  }

  #earliestAnnouncement(): number {
    let earliest = Infinity
    for (const { announceAtMs } of this.#neighbours.values()) {
      if (announceAtMs < earliest) earliest = announceAtMs
    }
    return earliest
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#counters,
      recentMessages: this.#recent.count,
      recentBytes: this.#recent.bytes,
      missingMessages: this.#missing.count,
      heldCopies: this.#held.count,
      heldCopiesCancelled: this.#held.cancelled,
    }
  }

  #copy(entry: Recent, neighbour: TreeNeighbour, message = keptMessage(entry)): Copy {
    entry.holders.add(neighbour)
    this.#counters.copiesSent += 1
    const priority = entry.first === undefined ? 'own' : 'relay'
    return { peer: neighbour.peer.id, message, priority }
  }

  #announce(neighbour: TreeNeighbour, entry: Recent, now: Now, copies: Copy[]): void {
    neighbour.announced.push(entry)
    this.#counters.announcements += 1
    if (neighbour.announced.length >= maxAnnouncementBatch) {
      copies.push(this.#control(neighbour, 0, now))
    } else if (neighbour.announceAtMs === Infinity) {
      const { dialler, dialled } = announceAfterMs
      neighbour.announceAtMs = now.monoMs + (neighbour.peer.outgoing ? dialler : dialled)
      this.#announceAtMs = undefined
    }
  }

  /** Everything that waits to be told to this neighbour, in one message. */
  #control(neighbour: TreeNeighbour, sinceSeconds: number, now: Now): Copy {
    const control = {
      announced: joinIds(neighbour.announced),
      wanted: joinKeys(neighbour.wanted.splice(0, maxIdsPerControl)),
      pruned: joinIds(neighbour.pruned),
      sinceSeconds,
    }
    neighbour.announced = []
    neighbour.pruned = []
    neighbour.announceAtMs = Infinity
    this.#announceAtMs = undefined
    const isAnnouncement = control.wanted.length === 0 && control.pruned.length === 0
    return {
      peer: neighbour.peer.id,
      message: this.#compose(encodeTreeControl(control), now),
      priority: isAnnouncement && sinceSeconds === 0 ? 'announce' : 'control',
    }
  }
}

/** Its author gets no copy from us. */
function isFromNeighbour({ sender }: WireMessage, { peer }: TreeNeighbour): boolean {
  return idText(sender) === peer.id
}

/** Asked for every neighbour and message; what a peer named once, it does not take back. */
function isTreeNode({ peer, hasCaughtUp }: TreeNeighbour): boolean {
  return hasCaughtUp || peer.supports(treeFeature)
}

/** 0 to 1: FNV-1a, with its high bits mixed into the rest so that names in a row spread as well. */
function lotOf(id: string): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}
