/**
 * Items that wait for a moment, earliest first: a binary heap without names. For many short waits of
 * one kind, where an item that is no longer wanted is skipped when its moment comes; a wait that has
 * to be moved or taken out belongs in `Deadlines`.
 */

interface Waiting<Item> {
  readonly atMs: number
  readonly sequence: number
  readonly item: Item
}

export class TimedQueue<Item> {
  readonly #heap: Waiting<Item>[] = []
  #sequence = 0

  get size(): number {
    return this.#heap.length
  }

  /** The earliest moment in monotonic milliseconds, or Infinity. */
  next(): number {
    return this.#heap[0]?.atMs ?? Infinity
  }

  add(atMs: number, item: Item): void {
    this.#sequence += 1
    this.#siftUp({ atMs, sequence: this.#sequence, item }, this.#heap.length)
  }

  /** Takes out the earliest item whose moment has come; undefined when there is none. */
  takeDue(monoMs: number): Item | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.atMs > monoMs) return undefined
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#siftDown(last)
    return first.item
  }

  #siftUp(entry: Waiting<Item>, start: number): void {
    let position = start
    while (position > 0) {
      const parentPosition = (position - 1) >> 1
      const parent = this.#heap[parentPosition]
      if (parent === undefined || !isBefore(entry, parent)) break
      this.#heap[position] = parent
      position = parentPosition
    }
    this.#heap[position] = entry
  }

  #siftDown(entry: Waiting<Item>): void {
    let position = 0
    for (;;) {
      const left = this.#heap[2 * position + 1]
      const right = this.#heap[2 * position + 2]
      const takeRight = left !== undefined && right !== undefined && isBefore(right, left)
      const child = takeRight ? right : left
      if (child === undefined || !isBefore(child, entry)) break
      this.#heap[position] = child
      position = 2 * position + (takeRight ? 2 : 1)
    }
    this.#heap[position] = entry
  }
}

function isBefore(a: Waiting<unknown>, b: Waiting<unknown>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
