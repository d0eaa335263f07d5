/**
 * Which links carry payload, kept per sender.
 *
 * Theory of operation. Each sender that spoke more than once gets a tree of its own: its second
 * message goes out on every link, the duplicates it causes prune the slower links, and what is left
 * are the paths on which that message was fastest. A sender's first message travels on one tree
 * shared by all, so that many senders who speak once cost no flood each. Trees are kept for the
 * senders heard last; a forgotten sender starts over.
 *
 * A link is *eager* (it carries payload) unless it stands in `lazy`. The value is the moment we
 * pruned it ourselves, which tells a copy that was already under way from a neighbour that did not
 * listen.
 *
 * Source: J. Leitão et al., Epidemic Broadcast Trees (SRDS 2007), section 3, with one tree per
 * sender as measured in research/reliability.md, 3.2.
 */

export interface Tree<Neighbour> {
  readonly lazy: Map<Neighbour, number>
}

/** Copies that were under way when we pruned a link may come for this long. */
export const pruneEchoMs = 2_000

/** Longest sender text that gets a tree: node ids have 66 characters at most. */
const maxSenderLength = 128

export class SenderTrees<Neighbour> {
  readonly #shared: Tree<Neighbour> = { lazy: new Map() }
  /** Sender to its tree, least recently heard first; undefined while it has spoken only once. */
  readonly #bySender = new Map<string, Tree<Neighbour> | undefined>()
  readonly #maxSenders: number
  #lastSender: string | undefined
  #lastTree: Tree<Neighbour> = this.#shared

  constructor(options: { readonly maxSenderTrees: number }) {
    this.#maxSenders = options.maxSenderTrees
  }

  /** The tree for a new message of this sender. Call once per message. */
  treeFor(sender: string): Tree<Neighbour> {
    if (sender.length > maxSenderLength) return this.#shared
    if (sender === this.#lastSender && this.#lastTree !== this.#shared) return this.#lastTree
    const isKnown = this.#bySender.has(sender)
    const tree = isKnown ? (this.#bySender.get(sender) ?? { lazy: new Map() }) : undefined
    this.#bySender.delete(sender)
    this.#bySender.set(sender, tree)
    if (this.#bySender.size > this.#maxSenders) this.#forgetOldest()
    this.#lastSender = sender
    this.#lastTree = tree ?? this.#shared
    return this.#lastTree
  }

  forgetNeighbour(neighbour: Neighbour): void {
    this.#shared.lazy.delete(neighbour)
    for (const tree of this.#bySender.values()) tree?.lazy.delete(neighbour)
  }

  #forgetOldest(): void {
    for (const sender of this.#bySender.keys()) {
      this.#bySender.delete(sender)
      return
    }
  }
}

export function isEager<Neighbour>(tree: Tree<Neighbour>, neighbour: Neighbour): boolean {
  return !tree.lazy.has(neighbour)
}

/**
 * What the first copy of a message says about the link it came on: it is a feed. Not when we pruned
 * it a moment ago, because then the copy was under way before the neighbour heard of it.
 */
export function noteFirstCopy<Neighbour>(
  tree: Tree<Neighbour>,
  from: Neighbour,
  options: { readonly wasAskedFor: boolean; readonly monoMs: number },
): void {
  if (options.wasAskedFor || !wasJustPruned(tree, from, options.monoMs)) tree.lazy.delete(from)
}

/**
 * What a second copy says: one of the two links is not needed. True when the link it came on is to
 * be pruned. When the first copy came on a link that we pruned a moment ago, the second link is the
 * one that stays; without this rule two messages under way at once could cost us both.
 */
export function pruneAfterDuplicate<Neighbour>(
  tree: Tree<Neighbour>,
  duplicate: { readonly from: Neighbour; readonly first: Neighbour | undefined },
  monoMs: number,
): boolean {
  const { from, first } = duplicate
  if (wasJustPruned(tree, from, monoMs)) return false
  if (first !== undefined && wasJustPruned(tree, first, monoMs)) {
    tree.lazy.delete(from)
    return false
  }
  tree.lazy.set(from, monoMs)
  return true
}

function wasJustPruned<Neighbour>(
  tree: Tree<Neighbour>,
  neighbour: Neighbour,
  monoMs: number,
): boolean {
  const prunedMs = tree.lazy.get(neighbour)
  return prunedMs !== undefined && monoMs - prunedMs < pruneEchoMs
}
