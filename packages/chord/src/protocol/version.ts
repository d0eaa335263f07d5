/**
 * Versions of writes: a hybrid clock and the writer, so that any two nodes order two writes alike.
 *
 * The time is UTC milliseconds, but never less than one more than the last time seen, so a writer with
 * a slow clock still comes after what it has read. A store of an old node brings no version; it gets
 * one where it first meets a node of ours.
 *
 * Source: Kulkarni et al., Logical Physical Clocks (2014), reduced to one number.
 */
export interface Version {
  /** UTC milliseconds of the hybrid clock, an integer. */
  readonly time: number
  /** Node id; decides between equal times. */
  readonly writer: string
}

/** Negative when `a` is the earlier write, 0 when they are one, as for `Array.sort`. */
export function compareVersions(a: Version, b: Version): number {
  if (a.time !== b.time) return a.time - b.time
  if (a.writer === b.writer) return 0
  return a.writer < b.writer ? -1 : 1
}

/** How far ahead of our clock a peer's version may lie; a later one would outrank every write for good. */
export const maxAheadMs = 60_000

export class VersionClock {
  readonly #writer: string
  #lastTime = 0

  constructor(writer: string) {
    this.#writer = writer
  }

  /** A version later than every one this clock has given or seen, or nobody would take it: the clock was set back. */
  next(utcSeconds: number): Version {
    const least = Math.floor(utcSeconds * 1_000)
    const later = this.#lastTime + 1
    this.#lastTime = later > least + maxAheadMs ? least : Math.max(least, later)
    return { time: this.#lastTime, writer: this.#writer }
  }

  /** Takes note of a version from elsewhere. False when it lies too far ahead to be taken. */
  see(version: Version, utcSeconds: number): boolean {
    if (version.time > utcSeconds * 1_000 + maxAheadMs) return false
    this.#lastTime = Math.max(this.#lastTime, version.time)
    return true
  }
}
