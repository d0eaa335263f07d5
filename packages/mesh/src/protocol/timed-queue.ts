/**
 * Items that wait for a moment, earliest first, those of one moment in the order they came. For many waits
 * of one kind, where an item that is no longer wanted is skipped when its moment comes; a wait that has to
 * be moved or taken out belongs in `Deadlines`.
 */
import { Deadlines } from '@p2p/base'

export class TimedQueue<Item> {
  readonly #deadlines = new Deadlines()
  /** By the names of their deadlines, which are numbers. */
  readonly #items = new Map<string, Item>()
  #last = 0

  get size(): number {
    return this.#items.size
  }

  /** The earliest moment in monotonic milliseconds, or Infinity. */
  next(): number {
    return this.#deadlines.next()
  }

  add(atMs: number, item: Item): void {
    this.#last += 1
    const name = `${this.#last}`
    this.#items.set(name, item)
    this.#deadlines.set(name, atMs)
  }

  /** Takes out the earliest item whose moment has come; undefined when there is none. */
  takeDue(monoMs: number): Item | undefined {
    const name = this.#deadlines.takeDue(monoMs)
    if (name === undefined) return undefined
    const item = this.#items.get(name)
    this.#items.delete(name)
    return item
  }
}
