/**
 * Named deadlines in a binary heap: each name has at most one moment, setting it again moves it, and
 * the earliest is known at once. A machine keeps its time-outs here and exports `next()` as its
 * `nextDeadline()`, so a node needs one timer in all.
 *
 * Equal moments come out in the order they were set, so a run with the same inputs always takes the
 * same course.
 */

interface Entry {
  readonly name: string
  atMs: number
  sequence: number
  /** Where it lies in the heap. */
  position: number
}

export class Deadlines {
  readonly #heap: Entry[] = []
  readonly #byName = new Map<string, Entry>()
  #sequence = 0

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Sets or moves the deadline of this name, in monotonic milliseconds. Infinity takes it out. */
  set(name: string, atMs: number): void {
    if (atMs === Infinity) {
      this.delete(name)
      return
    }
    if (!Number.isFinite(atMs)) throw new RangeError(`deadline "${name}" at ${atMs} ms`)
    this.#sequence += 1
    const known = this.#byName.get(name)
    if (known !== undefined) {
      known.atMs = atMs
      known.sequence = this.#sequence
      this.#siftUp(known)
      this.#siftDown(known)
      return
    }
    const entry = { name, atMs, sequence: this.#sequence, position: this.#heap.length }
    this.#heap.push(entry)
    this.#byName.set(name, entry)
    this.#siftUp(entry)
  }

  delete(name: string): boolean {
    const entry = this.#byName.get(name)
    if (entry === undefined) return false
    this.#byName.delete(name)
    const last = this.#heap.pop()
    if (last !== undefined && last !== entry) {
      this.#place(last, entry.position)
      this.#siftUp(last)
      this.#siftDown(last)
    }
    return true
  }

  /** The earliest deadline, or Infinity. */
  next(): number {
    return this.#heap[0]?.atMs ?? Infinity
  }

  /** Takes out the earliest name whose moment has come; undefined when there is none. */
  takeDue(monoMs: number): string | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.atMs > monoMs) return undefined
    this.delete(first.name)
    return first.name
  }

  #place(entry: Entry, position: number): void {
    this.#heap[position] = entry
    entry.position = position
  }

  #siftUp(entry: Entry): void {
    while (entry.position > 0) {
      const { position } = entry
      const parent = this.#heap[(position - 1) >> 1]
      if (parent === undefined || !isBefore(entry, parent)) return
      this.#place(entry, parent.position)
      this.#place(parent, position)
    }
  }

  #siftDown(entry: Entry): void {
    for (;;) {
      const { position } = entry
      const child = this.#earlierChild(position)
      if (child === undefined || !isBefore(child, entry)) return
      this.#place(entry, child.position)
      this.#place(child, position)
    }
  }

  #earlierChild(position: number): Entry | undefined {
    const left = this.#heap[2 * position + 1]
    const right = this.#heap[2 * position + 2]
    return left !== undefined && right !== undefined && isBefore(right, left) ? right : left
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
