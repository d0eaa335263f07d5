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
  readonly atMs: number
  readonly sequence: number
}

export class Deadlines {
  readonly #heap: Entry[] = []
  readonly #positionsByName = new Map<string, number>()
  #sequence = 0

  get size(): number {
    return this.#heap.length
  }

  has(name: string): boolean {
    return this.#positionsByName.has(name)
  }

  /** Sets or moves the deadline of this name, in monotonic milliseconds. Infinity takes it out. */
  set(name: string, atMs: number): void {
    this.delete(name)
    if (atMs === Infinity) return
    if (!Number.isFinite(atMs)) throw new RangeError(`deadline "${name}" at ${atMs} ms`)
    this.#sequence += 1
    this.#heap.push({ name, atMs, sequence: this.#sequence })
    this.#positionsByName.set(name, this.#heap.length - 1)
    this.#siftUp(this.#heap.length - 1)
  }

  delete(name: string): boolean {
    const position = this.#positionsByName.get(name)
    if (position === undefined) return false
    this.#positionsByName.delete(name)
    const last = this.#heap.pop()
    if (last !== undefined && position < this.#heap.length) {
      this.#place(last, position)
      this.#siftUp(position)
      this.#siftDown(this.#positionsByName.get(last.name) ?? position)
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
    this.#positionsByName.set(entry.name, position)
  }

  #siftUp(start: number): void {
    let position = start
    const entry = this.#heap[position]
    while (entry !== undefined && position > 0) {
      const parentPosition = (position - 1) >> 1
      const parent = this.#heap[parentPosition]
      if (parent === undefined || !isBefore(entry, parent)) break
      this.#place(parent, position)
      position = parentPosition
      this.#place(entry, position)
    }
  }

  #siftDown(start: number): void {
    let position = start
    const entry = this.#heap[position]
    while (entry !== undefined) {
      const childPosition = this.#earlierChild(position)
      const child = this.#heap[childPosition]
      if (child === undefined || !isBefore(child, entry)) break
      this.#place(child, position)
      position = childPosition
      this.#place(entry, position)
    }
  }

  #earlierChild(position: number): number {
    const left = this.#heap[2 * position + 1]
    const right = this.#heap[2 * position + 2]
    const rightFirst = left !== undefined && right !== undefined && isBefore(right, left)
    return rightFirst ? 2 * position + 2 : 2 * position + 1
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
