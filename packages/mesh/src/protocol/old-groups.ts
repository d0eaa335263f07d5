/**
 * Which old neighbours hear from one another, so that a message of our own need not go to each of them.
 *
 * Theory of operation. An old program sends nobody's message back to its author, so of our own messages we
 * never hear who has them. But of those of others we do: one that came to us first from A, and then from an
 * old neighbour B while no copy of ours had gone to any old neighbour, shows that there is a way from A to
 * B besides us. B then stands in the group of A; all our own nodes are one group, which is always
 * served. Of each group one member gets our copy, and of the others as many as make the start fast.
 *
 * Links may break where we do not see it, so what was shown counts for a few seconds only; and after
 * a loss among the neighbours all has to show anew.
 */
import type { HeldCopy } from './held-copies.ts'
import type { TreeNeighbour } from './tree-dissemination.ts'

const shownForMs = 10_000
/** Old neighbours that get a copy in any case: the more do, the sooner all old nodes have it. */
const minCopies = 6
const ours = 0

export class OldGroups {
  readonly #shown = new Map<TreeNeighbour, { readonly group: number; readonly shownMs: number }>()
  #lastSent = 0

  /** A copy of this message went to an old neighbour. */
  noteSent(number: number): void {
    this.#lastSent = Math.max(this.#lastSent, number)
  }

  /** An old neighbour sent a message that was here. */
  noteDelivery({ number, entry: { first }, neighbour }: HeldCopy, monoMs: number): void {
    if (first === undefined || number <= this.#lastSent) return
    this.#shown.set(neighbour, { group: this.#groupOf(first, monoMs), shownMs: monoMs })
  }

  /** A neighbour is lost; messages up to this one may have come on ways that are gone. */
  forgetAll(lastNumber: number): void {
    this.#shown.clear()
    this.noteSent(lastNumber)
  }

  /**
   * Whether a message of our own has to go to this old neighbour, given the groups of those to which it goes,
   * where it is then entered.
   */
  takes(neighbour: TreeNeighbour, served: number[], monoMs: number): boolean {
    const group = this.#groupOf(neighbour, monoMs)
    if (served.length >= minCopies && (group === ours || served.includes(group))) return false
    served.push(group)
    return true
  }

  #groupOf(neighbour: TreeNeighbour, monoMs: number): number {
    if (neighbour.hasCaughtUp) return ours
    const shown = this.#shown.get(neighbour)
    const isValid = shown !== undefined && monoMs - shown.shownMs < shownForMs
    return isValid ? shown.group : neighbour.place + 1
  }
}
