/**
 * Virtual time: a heap of everything that will happen, and the clock that jumps from one to the next.
 *
 * The heap has four children per entry and lies in typed arrays, so that a million entries cost no garbage
 * and moving one tells the garbage collector nothing: an item stays in its slot, only the slot's number
 * moves. What is due at the same millisecond comes in the order in which
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
  /** The slot of each entry's item; beyond the entries, the slots that are free. */
  #slots = Uint32Array.from({ length: firstCapacity }, (_, slot) => slot)
  readonly #items: (Due | undefined)[] = []
  #size = 0
  #nextOrder = 0

  get size(): number {
    return this.#size
  }

  /** The time of the next entry; Infinity when there is none. */
  get nextMs(): number {
    return this.#size === 0 ? Infinity : (this.#times[0] ?? Infinity)
  }

  /** Calls `item.due()` at the given time (rounded up to a tick), or now when that has passed. */
  at(atMs: number, item: Due): void {
    if (this.#size === this.#times.length) this.#grow()
    const slot = this.#slots[this.#size] ?? 0
    this.#items[slot] = item
    this.#size += 1
    const tickMs = Math.ceil(Math.max(atMs, this.nowMs) * ticksPerMs) / ticksPerMs
    this.#rise(this.#size - 1, tickMs, this.#nextOrder, slot)
    this.#nextOrder += 1
  }

  /** Moves the clock to the next entry and lets it happen. False when none is due by `untilMs`. */
  runNext(untilMs: number): boolean {
    if (this.#size === 0 || this.nextMs > untilMs) return false
    this.nowMs = this.nextMs
    this.#takeFirst()?.due()
    return true
  }

  #takeFirst(): Due | undefined {
    const freed = this.#slots[0] ?? 0
    const item = this.#items[freed]
    this.#items[freed] = undefined
    this.#size -= 1
    const last = this.#size
    if (last > 0)
      this.#sink(this.#times[last] ?? 0, this.#orders[last] ?? 0, this.#slots[last] ?? 0)
    this.#slots[last] = freed
    return item
  }

  /** Moves a hole from `hole` towards the top until the entry fits into it. */
  #rise(start: number, time: number, order: number, slot: number): void {
    let hole = start
    while (hole > 0) {
      const parent = (hole - 1) >> 2
      // A new entry has the highest order of all, so an equal time never overtakes.
      if ((this.#times[parent] ?? 0) <= time) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#place(hole, time, order, slot)
  }

  /** Moves a hole from the top down until the entry fits into it. */
  #sink(time: number, order: number, slot: number): void {
    const size = this.#size
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
    this.#place(hole, time, order, slot)
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0
    this.#orders[to] = this.#orders[from] ?? 0
    this.#slots[to] = this.#slots[from] ?? 0
  }

  #place(index: number, time: number, order: number, slot: number): void {
    this.#times[index] = time
    this.#orders[index] = order
    this.#slots[index] = slot
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    const orders = new Float64Array(this.#orders.length * 2)
    const slots = Uint32Array.from({ length: this.#slots.length * 2 }, (_, slot) => slot)
    times.set(this.#times)
    orders.set(this.#orders)
    slots.set(this.#slots)
    this.#times = times
    this.#orders = orders
    this.#slots = slots
  }
}
