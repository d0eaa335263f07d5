/**
 * Who gets a copy of a broadcast: everybody, and each of our own nodes exactly one. The mesh machine judges
 * each message once (seen-cache.ts) and tells of first copies, further copies and neighbours; it is told
 * what to send.
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
 * while a link was down or the network was in two parts is caught up with. An old one cannot ask: what it
 * may not have read when its link fell, it gets again, and knows what it had.
 *
 * Every payload stays a plain 0.7 broadcast; only the steering is new (tree-control.ts). A node without
 * extensions has no neighbour to steer with, holds no copies, and so is the plain relay of protocol 0.7.
 *
 * Source: research/reliability.md, 3.4; J. Leitão et al., Epidemic Broadcast Trees (SRDS 2007). Its
 * rule for optimising paths is left out: it costs copies and gains no time (same place, 3.2).
 */
import type { Now, Peer, RandomBytes, SendPriority } from '@p2p/base'
import { idText, type Value, type WireMessage } from '@p2p/serializer'
import { HeldCopies, type HeldCopy } from './held-copies.ts'
import { frameToKeep, messageIn } from './kept-frame.ts'
import { joinKeys, messageKey, shortIdBytes, type MessageKey } from './message-key.ts'
import { MissingMessages, notMissing } from './missing-messages.ts'
import { OldGroups } from './old-groups.ts'
import { noMessage, RecentMessages, type Placed, type RecentMessage } from './recent-messages.ts'
import { mix, readSecret } from './seen-cache.ts'
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
 * How long an announcement waits for others to share its frame: at the end that dialled, and at the
 * other one, which leaves it the time to cross the link …
 */
const diallerAnnouncesAfterMs = 40
const dialledAnnouncesAfterMs = 140
/** … and up to this much longer, by the node. */
const announceSpreadMs = 40
/** A batch of this many leaves at once: more than come in that time, or both ends announce everything. */
const maxAnnouncementBatch = 1_024
/** What a new neighbour is asked for at most: older broadcasts are not taken any more. */
const maxCatchUpMs = 60_000
/**
 * What an old neighbour gets again when it is back. It may not have read what went to it for some seconds before
 * its link fell; messages of a minute's age go round among old programs without end (spec/mesh.md, 4.1).
 */
const maxReplayMs = 20_000
/** Lost old neighbours that are remembered; one more, and all are forgotten. */
const maxLost = 256

export interface TreeLimits {
  /** Senders with a tree of their own; 0 leaves all on the shared one. */
  readonly maxSenderTrees: number
  /** Broadcasts kept to serve neighbours that lack them … */
  readonly maxRecentMessages: number
  /** … and their bytes. A message above is passed on whole, and not kept. */
  readonly maxRecentBytes: number
  /** Announced messages that we wait for; beyond, whoever announced most of them gives up the oldest. */
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
  /**
   * The first message that waits to be announced; those behind it do, too, unless the neighbour holds them.
   * Infinity when none waits.
   */
  announceFrom: number
  wanted: MessageKey[]
  /** True once we asked it what we missed. */
  hasCaughtUp: boolean
  /** Grafts it did not answer, minus those it did. */
  penalty: number
  /** 0 to 1, the same at both ends of the link: below the share of links that announce, it does. */
  readonly lot: number
}

/** A message for one neighbour. */
export interface Copy {
  readonly peer: string
  readonly message: WireMessage
  readonly priority: SendPriority
}

interface SpreadOptions {
  /** Neighbours that need none. */
  readonly heldBy?: Iterable<string> | undefined
  /** It may come before or after any other: of the old neighbours, those that others serve get no copy. */
  readonly standsAlone?: boolean
}

const noCopies: readonly Copy[] = []
const noBytes = new Uint8Array(0)

type Recent = RecentMessage<TreeNeighbour, Tree<TreeNeighbour>>

interface TreeDisseminationOptions {
  readonly ownId: string
  readonly random: RandomBytes
  /** Makes a whisper of ours. */
  readonly compose: (payload: readonly Value[], now: Now) => WireMessage
  /** True for a broadcast that was here, also when it is no longer kept; its id begins at `offset`. */
  readonly wasSeen: (id: Uint8Array, offset: number) => boolean
  readonly limits?: Partial<TreeLimits>
  /** True for the plain relay of protocol 0.7: everybody gets a copy at once. */
  readonly floods?: boolean
}

export class TreeDissemination {
  readonly #neighbours = new Map<string, TreeNeighbour>()
  readonly #trees: SenderTrees<TreeNeighbour>
  readonly #recent: RecentMessages<TreeNeighbour, Tree<TreeNeighbour>>
  readonly #missing: MissingMessages
  readonly #held: HeldCopies
  readonly #oldGroups = new OldGroups()
  /** Ids of old neighbours whose links fell: py2p drops one over frames that it takes apart wrongly. */
  readonly #lost = new Set<string>()
  /** When the first waiting announcement of all neighbours leaves; undefined after a change. */
  #announceAtMs: number | undefined
  readonly #ownLot: number
  readonly #limits: TreeLimits
  readonly #options: TreeDisseminationOptions
  readonly #announceSpreadMs: number
  /** When we first had a neighbour: what was said before is not for us. */
  #connectedSinceMs: number | undefined
  readonly #counters = { copiesSent: 0, announcements: 0, grafts: 0, prunes: 0, duplicates: 0 }

  constructor(options: TreeDisseminationOptions) {
    const limits = { ...defaultTreeLimits, ...options.limits }
    this.#ownLot = lotOf(options.ownId)
    this.#limits = limits
    this.#options = options
    this.#trees = new SenderTrees(limits)
    const secret = readSecret(options.random)
    this.#recent = new RecentMessages({ ...limits, maxAgeMs: maxCatchUpMs, secret })
    this.#missing = new MissingMessages(limits)
    this.#announceSpreadMs = (announceSpreadMs * (options.random(1)[0] ?? 0)) / 256
    this.#held = new HeldCopies(options.random, (number, neighbour) =>
      this.#recent.holds(number, neighbour),
    )
  }

  addNeighbour(peer: Peer, now: Now): readonly Copy[] {
    this.#connectedSinceMs ??= now.monoMs
    const neighbour: TreeNeighbour = {
      peer,
      place: this.#freePlace(),
      announceFrom: Infinity,
      wanted: [],
      hasCaughtUp: false,
      penalty: 0,
      lot: (this.#ownLot + lotOf(peer.id)) % 1,
    }
    this.#neighbours.set(peer.id, neighbour)
    this.#recent.admit(neighbour)
    return peer.kind === 'ours' ? this.noteFeatures(peer, now) : this.#unreadCopies(neighbour, now)
  }

  /** What an old neighbour may have lost with its last link. It drops what it had (spec/mesh.md, 4.1). */
  #unreadCopies(neighbour: TreeNeighbour, { monoMs }: Now): readonly Copy[] {
    const { id } = neighbour.peer
    const copies: Copy[] = []
    if (!this.#lost.delete(id)) return copies
    let number = this.#firstUnheldSince(monoMs - maxReplayMs, neighbour)
    for (;;) {
      const entry = this.#recent.get(number)
      if (entry === undefined) return copies
      const message = messageIn(entry.frame, true)
      const cameFromIt = idText(message.sender) === id || entry.first?.peer.id === id
      // What it floods back does not show that others serve it.
      this.#oldGroups.noteSent(number)
      if (!cameFromIt) copies.push(this.#copy({ number, entry, neighbour }, message))
      number = this.#recent.nextUnheld(number + 1, neighbour)
    }
  }

  #firstUnheldSince(sinceMs: number, neighbour: TreeNeighbour): number {
    let number = this.#recent.nextUnheld(0, neighbour)
    while (this.#recent.seenMs(number) < sinceMs) {
      number = this.#recent.nextUnheld(number + 1, neighbour)
    }
    return number
  }

  #freePlace(): number {
    const taken = Array.from(this.#neighbours.values(), ({ place }) => place)
    let place = 0
    while (taken.includes(place)) place += 1
    return place
  }

  removeNeighbour(peer: Peer): void {
    const neighbour = this.#neighbours.get(peer.id)
    if (neighbour === undefined) return
    if (this.#lost.size === maxLost) this.#lost.clear()
    if (peer.kind !== 'ours') this.#lost.add(peer.id)
    this.#neighbours.delete(peer.id)
    this.#announceAtMs = undefined
    this.#trees.forgetNeighbour(neighbour)
    this.#recent.forget(neighbour)
    this.#missing.forgetAnnouncer(neighbour)
    this.#held.forgetNeighbour(neighbour)
    this.#oldGroups.forgetAll(this.#recent.end)
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
    return sinceSeconds === 0 ? noCopies : [this.#control(neighbour, now, { sinceSeconds })]
  }

  /** The first copy of a broadcast; `from` is undefined for one of our own. */
  spread(
    message: WireMessage,
    from: Peer | undefined,
    now: Now,
    { heldBy = [], standsAlone = false }: SpreadOptions = {},
  ): readonly Copy[] {
    const sender = idText(message.sender) ?? ''
    const first = from === undefined ? undefined : this.#neighbours.get(from.id)
    const tree = this.#trees.treeFor(sender)
    const { announcers, wasAskedFor } =
      this.#missing.count === 0
        ? notMissing
        : this.#missing.take(messageKey(message.id), first, now.monoMs)
    const entry: Recent = { frame: frameToKeep(message), seenMs: now.monoMs, first, tree }
    const number = this.#recent.add(entry)
    if (first !== undefined) noteFirstCopy(tree, first, { wasAskedFor, monoMs: now.monoMs })
    const heldByIds = [sender, ...heldBy].map((id) => this.#neighbours.get(id))
    const holders = [first, ...announcers, ...heldByIds]
    for (const holder of holders) if (holder !== undefined) this.#recent.noteHolder(number, holder)
    const copies: Copy[] = []
    const served: number[] = []
    for (const neighbour of this.#neighbours.values()) {
      const { peer } = neighbour
      if (holders.includes(neighbour)) continue
      const isTree = isTreeNode(neighbour)
      if (isTree && !isEager(tree, neighbour)) {
        // What is not kept could not be handed out.
        const isAnnouncer = neighbour.lot * this.#neighbours.size < this.#limits.maxLazyLinks
        if (isAnnouncer && number !== noMessage) {
          this.#announce(neighbour, number, now, copies)
        }
      } else if (isTree || peer.kind === 'ours' || this.#options.floods) {
        copies.push(this.#copy({ number, entry, neighbour }, message))
      } else if (first !== undefined) {
        this.#held.hold({ number, entry, neighbour }, now.monoMs)
      } else if (!standsAlone || this.#oldGroups.takes(neighbour, served, now.monoMs)) {
        copies.push(this.#copy({ number, entry, neighbour }, message))
      }
    }
    return copies
  }

  /** A copy of a broadcast that was here before. */
  noteDuplicate(message: WireMessage, from: Peer, now: Now): readonly Copy[] {
    this.#counters.duplicates += 1
    const neighbour = this.#neighbours.get(from.id)
    const number = this.#recent.find(message.id)
    const entry = this.#recent.get(number)
    if (neighbour === undefined || entry === undefined || this.#options.floods) return noCopies
    const isTree = isTreeNode(neighbour)
    if (!isTree) {
      this.#held.noteDelivery(number, neighbour, now.monoMs)
      this.#oldGroups.noteDelivery({ number, entry, neighbour }, now.monoMs)
    }
    this.#recent.noteHolder(number, neighbour)
    if (!isTree) return noCopies
    this.#dropKnown(neighbour)
    const duplicate = { from: neighbour, first: entry.first }
    // Its author gets no copy from us.
    const hasOurCopy = isEager(entry.tree, neighbour) && idText(message.sender) !== from.id
    if (!pruneAfterDuplicate(entry.tree, duplicate, now.monoMs) || hasOurCopy) return noCopies
    this.#counters.prunes += 1
    return [this.#control(neighbour, now, { pruned: message.id.subarray(0, shortIdBytes) })]
  }

  /** A whisper with the sub-flag of this strategy. */
  handleControl(message: WireMessage, from: Peer, now: Now): readonly Copy[] {
    const neighbour = this.#neighbours.get(from.id)
    const control = decodeTreeControl(message.payload)
    if (neighbour === undefined || control === undefined || !isTreeNode(neighbour)) return noCopies
    const copies: Copy[] = []
    for (let at = 0; at < control.announced.length; at += shortIdBytes) {
      this.#noteAnnouncement(control.announced, at, neighbour, now)
    }
    this.#dropKnown(neighbour)
    for (let at = 0; at < control.pruned.length; at += shortIdBytes) {
      this.#notePrune(this.#recent.find(control.pruned, at), neighbour)
    }
    for (let at = 0; at < control.wanted.length; at += shortIdBytes) {
      this.#serve(this.#recent.find(control.wanted, at), neighbour, copies)
    }
    if (control.sinceSeconds > 0) {
      const sinceMs = now.monoMs - Math.min(1_000 * control.sinceSeconds, maxCatchUpMs)
      this.#announce(neighbour, this.#firstUnheldSince(sinceMs, neighbour), now, copies)
    }
    return copies
  }

  #noteAnnouncement(ids: Uint8Array, offset: number, neighbour: TreeNeighbour, now: Now): void {
    const number = this.#recent.find(ids, offset)
    if (number !== noMessage) this.#recent.noteHolder(number, neighbour)
    else if (!this.#options.wasSeen(ids, offset)) {
      this.#missing.announce(messageKey(ids, offset), neighbour, now.monoMs)
    }
  }

  /** Takes back what waits to be announced to a neighbour that turned out to have it. */
  #dropKnown(neighbour: TreeNeighbour): void {
    neighbour.announceFrom = this.#recent.nextUnheld(neighbour.announceFrom, neighbour)
    this.#announceAtMs = undefined
  }

  #notePrune(number: number, neighbour: TreeNeighbour): void {
    const entry = this.#recent.get(number)
    if (entry === undefined) return
    this.#recent.noteHolder(number, neighbour)
    if (isEager(entry.tree, neighbour)) entry.tree.lazy.set(neighbour, -Infinity)
  }

  /** A graft: the link becomes eager on that tree, and the message goes out unless it did before. */
  #serve(number: number, neighbour: TreeNeighbour, copies: Copy[]): void {
    const entry = this.#recent.get(number)
    if (entry === undefined) return
    entry.tree.lazy.delete(neighbour)
    if (this.#recent.holds(number, neighbour)) return
    copies.push(this.#copy({ number, entry, neighbour }))
  }

  /** To be called at every deadline of the node: what is too old goes then, also when nothing new comes. */
  handleDeadline(now: Now): readonly Copy[] {
    this.#recent.trim(now.monoMs)
    if (now.monoMs < this.nextDeadline()) return noCopies
    const copies: Copy[] = []
    // What it stands for may have moved: the message is no longer kept, or the link is another one by now.
    if ((this.#announceAtMs ?? Infinity) <= now.monoMs) this.#announceAtMs = undefined
    for (const held of this.#held.takeDue(now.monoMs)) {
      this.#oldGroups.noteSent(held.number)
      copies.push(this.#copy(held))
    }
    for (const { key, announcer } of this.#missing.takeDue(now.monoMs)) {
      this.#counters.grafts += 1
      announcer.wanted.push(key)
    }
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.announceFrom === Infinity && neighbour.wanted.length === 0) continue
      if (this.#announceDueMs(neighbour) <= now.monoMs) this.#dropKnown(neighbour)
      const isDue = this.#announceDueMs(neighbour) <= now.monoMs
      if (isDue || neighbour.wanted.length > 0) copies.push(this.#control(neighbour, now))
    }
    return copies
  }

  nextDeadline(): number {
    this.#announceAtMs ??= this.#firstAnnouncementMs()
    return Math.min(this.#announceAtMs, this.#held.nextDeadline(), this.#missing.nextDeadline())
  }

  /** Asked for after nearly every input: most neighbours have nothing waiting. */
  #firstAnnouncementMs(): number {
    let firstMs = Infinity
    for (const neighbour of this.#neighbours.values()) {
      // More than one frame takes: the next one leaves in the next turn.
      if (neighbour.wanted.length > 0) return -Infinity
      if (neighbour.announceFrom === Infinity) continue
      firstMs = Math.min(firstMs, this.#announceDueMs(neighbour))
    }
    return firstMs
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

  #copy({ number, entry, neighbour }: HeldCopy, message = messageIn(entry.frame, true)): Copy {
    this.#recent.noteHolder(number, neighbour)
    this.#counters.copiesSent += 1
    const priority = entry.first === undefined ? 'own' : 'relay'
    return { peer: neighbour.peer.id, message, priority }
  }

  /** Lets a message wait with others until they are announced in one frame. */
  #announce(neighbour: TreeNeighbour, number: number, now: Now, copies: Copy[]): void {
    if (number < neighbour.announceFrom) {
      neighbour.announceFrom = number
      if (this.#announceAtMs !== undefined)
        this.#announceAtMs = Math.min(this.#announceAtMs, this.#announceDueMs(neighbour))
    }
    if (this.#recent.end - neighbour.announceFrom < maxAnnouncementBatch) return
    this.#dropKnown(neighbour)
    if (neighbour.announceFrom < Infinity) copies.push(this.#control(neighbour, now))
  }

  /** When what waits to be announced leaves; Infinity when nothing does. */
  #announceDueMs({ peer, announceFrom }: TreeNeighbour): number {
    const delayMs = peer.outgoing ? diallerAnnouncesAfterMs : dialledAnnouncesAfterMs
    return this.#recent.seenMs(announceFrom) + delayMs + this.#announceSpreadMs
  }

  /** Everything that waits to be told to this neighbour, in one message. */
  #control(
    neighbour: TreeNeighbour,
    now: Now,
    { pruned = noBytes, sinceSeconds = 0 }: { pruned?: Uint8Array; sinceSeconds?: number } = {},
  ): Copy {
    const { ids: announced, next } = this.#recent.unheldIds(
      neighbour.announceFrom,
      neighbour,
      maxAnnouncementBatch,
    )
    neighbour.announceFrom = next
    this.#announceAtMs = undefined
    this.#counters.announcements += announced.length / shortIdBytes
    const wanted = joinKeys(neighbour.wanted.splice(0, maxIdsPerControl))
    const isAnnouncement = wanted.length + pruned.length + sinceSeconds === 0
    return {
      peer: neighbour.peer.id,
      message: this.#options.compose(
        encodeTreeControl({ announced, wanted, pruned, sinceSeconds }),
        now,
      ),
      priority: isAnnouncement ? 'announce' : 'control',
    }
  }
}

/** Asked for every neighbour and message; what a peer named once, it does not take back. */
function isTreeNode({ peer, hasCaughtUp }: TreeNeighbour): boolean {
  return hasCaughtUp || peer.supports(treeFeature)
}

/** 0 to 1; names in a row spread as well. */
function lotOf(id: string): number {
  let hash = 0
  for (let at = 0; at < id.length; at += 1) hash = mix(hash, id.charCodeAt(at))
  return hash / 2 ** 32
}
