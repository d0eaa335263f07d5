/**
 * Virtual time: a heap of everything that will happen, and the clock that jumps from one to the next.
 *
 * The heap has four children per entry and keeps times and tie-breakers in typed arrays, so that a
 * million entries cost no garbage. What is due at the same millisecond comes in the order in which
 * it was scheduled: this, and nothing else, decides ties.
 */

/** Something that waits for its time. It may find that it has nothing to do any more. */
export interface Due {
  due(): void
}

const firstCapacity = 1024
const fanOut = 4
/** Times are whole multiples of 1/1024 ms, so that adding a clock's start to them is exact. */
const ticksPerMs = 1_024

export class Schedule {
  /** Milliseconds since the simulation began. */
  nowMs = 0
  #times = new Float64Array(firstCapacity)
  #orders = new Float64Array(firstCapacity)
  readonly #items: Due[] = []
  #nextOrder = 0

  get size(): number {
    return this.#items.length
  }

  /** The time of the next entry; Infinity when there is none. */
  get nextMs(): number {
    return this.#items.length === 0 ? Infinity : (this.#times[0] ?? Infinity)
  }

  /** Calls `item.due()` at the given time (rounded up to a tick), or now when that has passed. */
  at(atMs: number, item: Due): void {
    const size = this.#items.length
    if (size === this.#times.length) this.#grow()
    this.#items.push(item)
    const tickMs = Math.ceil(Math.max(atMs, this.nowMs) * ticksPerMs) / ticksPerMs
    this.#rise(size, tickMs, this.#nextOrder, item)
    this.#nextOrder += 1
  }

  /** Moves the clock to the next entry and lets it happen. False when none is due by `untilMs`. */
  runNext(untilMs: number): boolean {
    const item = this.#items[0]
    const atMs = this.#times[0]
    if (item === undefined || atMs === undefined || atMs > untilMs) return false
    this.nowMs = atMs
    this.#removeFirst()
    item.due()
    return true
  }

  #removeFirst(): void {
    const last = this.#items.length - 1
    const item = this.#items.pop()
    if (item !== undefined && last > 0) {
      this.#sink(this.#times[last] ?? 0, this.#orders[last] ?? 0, item)
    }
  }

  /** Moves a hole from `hole` towards the top until the entry fits into it. */
  #rise(hole: number, time: number, order: number, item: Due): void {
    while (hole > 0) {
      const parent = (hole - 1) >> 2
      // A new entry has the highest order of all, so an equal time never overtakes.
      if ((this.#times[parent] ?? 0) <= time) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#place(hole, time, order, item)
  }

  /** Moves a hole from the top down until the entry fits into it. */
  #sink(time: number, order: number, item: Due): void {
    const size = this.#items.length
    const times = this.#times
    const orders = this.#orders
    let hole = 0
    for (;;) {
      const firstChild = hole * fanOut + 1
      if (firstChild >= size) break
      let least = firstChild
      const end = Math.min(firstChild + fanOut, size)
      for (let child = firstChild + 1; child < end; child += 1) {
        const childTime = times[child] ?? 0
        const leastTime = times[least] ?? 0
        if (
          childTime < leastTime ||
          (childTime === leastTime && (orders[child] ?? 0) < (orders[least] ?? 0))
        ) {
          least = child
        }
      }
      const leastTime = times[least] ?? 0
      if (leastTime > time || (leastTime === time && (orders[least] ?? 0) > order)) break
      this.#move(least, hole)
      hole = least
    }
    this.#place(hole, time, order, item)
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0
    this.#orders[to] = this.#orders[from] ?? 0
    this.#items[to] = this.#items[from] as Due
  }

  #place(index: number, time: number, order: number, item: Due): void {
    this.#times[index] = time
    this.#orders[index] = order
    this.#items[index] = item
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    const orders = new Float64Array(this.#orders.length * 2)
    times.set(this.#times)
    orders.set(this.#orders)
    this.#times = times
    this.#orders = orders
  }
}
