/**
 * Which broadcasts were here already, and which are too old or too early to be taken at all.
 *
 * Theory of operation. A broadcast is taken only while `now - 60 < time <= now + 600` (strict at the
 * lower end: the originals take a message that is exactly 60 s old and forget it at once, so it
 * circulates for a second; spec/mesh.md, 4.1). Ids lie in two generations. The younger one collects;
 * the older one is dropped when nothing in it can be taken any more, the younger becomes the older,
 * and a new one begins. A generation collects for ten minutes, far longer than the window needs, so
 * that a local clock that is set back by minutes finds the ids still there.
 *
 * Memory is bounded by count. When the younger generation is full before its time, the older one
 * goes early, and the *floor* rises: nothing stamped at or before the latest stamp that was dropped
 * is taken again. So even then a replay is not delivered twice. The floor never rises above
 * `now - 10`, because a cache that is too small must not silence the network (beyond maxIds in 20 s a
 * replay could get through), and one that lies ahead of the clock, which then was wrong before, is
 * ignored.
 *
 * An id is remembered by 64 of its bits in open addressing, 8 to 16 bytes per id. The place in the
 * table depends on a secret, so nobody can craft ids that pile up in one spot.
 *
 * Source: spec/mesh.md, 4.1 and 4.2; research/reliability.md, 3.4 rule 7.
 */
import type { Now, RandomBytes } from '@p2p/base'

/** A message of this age, in seconds, is no longer taken; old peers still do at exactly this age. */
const maxAgeSeconds = 60
/** How far ahead a stamp may be. Old peers set no bound, and fast clocks must not be silenced. */
const maxAheadSeconds = 600
/** A generation collects for at least this long, unless it is full. */
const generationMs = 600_000
/** The floor stays this far behind our clock, whatever happens. */
const floorDistanceSeconds = 10

type Verdict =
  /** Take it. */
  | 'new'
  /** It was here. */
  | 'seen'
  /** Too old to tell, or stamped so long ago that it may have been here. */
  | 'expired'
  /** Stamped too far in the future to be remembered long enough. */
  | 'early'

interface Generation {
  readonly ids: IdTable
  readonly startedMs: number
  /** Latest stamp among the ids; -Infinity while empty. */
  latestSeconds: number
}

export class SeenCache {
  readonly #maxIdsPerGeneration: number
  readonly #secret: number
  #younger: Generation
  #older: Generation
  #floorSeconds = -Infinity

  constructor(options: { readonly maxIds: number; readonly secret: number }) {
    this.#maxIdsPerGeneration = Math.max(1, Math.floor(options.maxIds / 2))
    this.#secret = options.secret
    this.#younger = this.#generation(-Infinity)
    this.#older = this.#generation(-Infinity)
  }

  /** Ids held now; at most `maxIds`. */
  get size(): number {
    return this.#younger.ids.size + this.#older.ids.size
  }

  /** Whether the message whose id begins at `offset` was here. */
  has(id: Uint8Array, offset = 0): boolean {
    return this.#holds(word(id, offset), word(id, offset + 4))
  }

  #holds(high: number, low: number): boolean {
    return this.#younger.ids.has(high, low) || this.#older.ids.has(high, low)
  }

  /** Judges a message and, when it is new, remembers it. */
  check(id: Uint8Array, timeSeconds: number, now: Now): Verdict {
    if (timeSeconds <= now.utcSeconds - maxAgeSeconds) return 'expired'
    if (timeSeconds > now.utcSeconds + maxAheadSeconds) return 'early'
    const high = word(id, 0)
    const low = word(id, 4)
    if (this.#holds(high, low)) return 'seen'
    // A floor ahead of our clock comes from a clock that was wrong before; it would refuse everything.
    if (timeSeconds <= this.#floorSeconds && this.#floorSeconds <= now.utcSeconds) return 'expired'
    this.#rotate(now)
    this.#younger.ids.add(high, low)
    this.#younger.latestSeconds = Math.max(this.#younger.latestSeconds, timeSeconds)
    return 'new'
  }

  #rotate(now: Now): void {
    const isFull = this.#younger.ids.size >= this.#maxIdsPerGeneration
    const isOldEnough = now.monoMs - this.#younger.startedMs >= generationMs
    const isOlderSpent = this.#older.latestSeconds <= now.utcSeconds - maxAgeSeconds
    if (!isFull && !(isOldEnough && isOlderSpent)) return
    if (this.#older.ids.size > 0) {
      const floor = Math.min(this.#older.latestSeconds, now.utcSeconds - floorDistanceSeconds)
      this.#floorSeconds = Math.max(this.#floorSeconds, floor)
    }
    this.#older = this.#younger
    this.#younger = this.#generation(now.monoMs)
  }

  #generation(startedMs: number): Generation {
    return { ids: new IdTable(this.#secret), startedMs, latestSeconds: -Infinity }
  }
}

/** Four bytes of an id as a number. */
export function word(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
}

/** A set of 64-bit numbers without deletion: linear probing, doubled when half full. */
class IdTable {
  size = 0
  readonly #secret: number
  #words = new Uint32Array(2 * 256)
  #mask = 255

  constructor(secret: number) {
    this.#secret = secret
  }

  has(high: number, low: number): boolean {
    const slot = this.#find(high, low)
    return this.#words[2 * slot] !== 0 || this.#words[2 * slot + 1] !== 0
  }

  /** Takes in a number that is not there. */
  add(high: number, low: number): void {
    if (2 * (this.size + 1) > this.#mask + 1) this.#grow()
    this.#put(high, low)
    this.size += 1
  }

  #put(high: number, low: number): void {
    const slot = this.#find(high, low)
    this.#words[2 * slot] = high
    // Two zero words mean "free": the one id that consists of them takes the value next to it.
    this.#words[2 * slot + 1] = high === 0 && low === 0 ? 1 : low
  }

  /** The slot that holds the number, or the free one where it belongs. */
  #find(high: number, givenLow: number): number {
    const low = high === 0 && givenLow === 0 ? 1 : givenLow
    let slot = mix(high ^ this.#secret, low) & this.#mask
    for (;;) {
      const storedHigh = this.#words[2 * slot]
      const storedLow = this.#words[2 * slot + 1]
      if (storedHigh === high && storedLow === low) return slot
      if (storedHigh === 0 && storedLow === 0) return slot
      slot = (slot + 1) & this.#mask
    }
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Uint32Array(2 * old.length)
    this.#mask = this.#words.length / 2 - 1
    for (let at = 0; at < old.length; at += 2) {
      const high = old[at] ?? 0
      const low = old[at + 1] ?? 0
      if (high !== 0 || low !== 0) this.#put(high, low)
    }
  }
}

/** Spreads two words over 32 bits; the multipliers are those of the murmur finaliser. */
export function mix(high: number, low: number): number {
  let word = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ low
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}

/** Four random bytes as the number that makes a table's order unpredictable. */
export function readSecret(random: RandomBytes): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4)
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
