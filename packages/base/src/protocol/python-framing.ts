/**
 * Keeps a stream to py2p clear of its four-byte trap.
 *
 * py2p reads at most 1,024 bytes at a time. When it has finished a frame and exactly four bytes of
 * the next one are left in its buffer, it takes those four for a whole message and closes the link.
 * Its reads start wherever it had emptied its socket, which is at the start of some write of ours,
 * and go on in steps of 1,024 from there. So a frame must not end 1,020 bytes (modulo 1,024) behind
 * the start of a recent write. Before a frame that would, a small whisper that nobody understands
 * is put in, long enough to shift the frame out of the way.
 *
 * On real networks segments may be cut elsewhere; then nothing but a slow pace would help.
 *
 * Source: spec/wire.md 8 and spec/observed.md 4.4, both observed with py2p 0.7.870.
 */

const readBytes = 1_024
const trapDistance = 1_020
/** Write starts that are remembered. With more, every length would be forbidden at some offset. */
const maxStarts = 64

interface WriteStart {
  readonly residue: number
  readonly atMs: number
}

/** An old start cannot be where py2p's reads are aligned: it has caught up since. */
const startLifeMs = 5_000

export class PythonFraming {
  #offset = 0
  #lastTurnMs = -Infinity
  readonly #starts: WriteStart[] = []
  /** How many remembered starts forbid a frame to end at this residue. */
  readonly #forbiddenEnds = new Uint8Array(readBytes)

  /**
   * How many bytes a filler frame must have so that the frame behind it is safe, and the filler
   * itself; 0 when the frame can go as it is. `minFillerBytes` is the shortest filler there is.
   */
  fillerBytes(options: {
    readonly frameBytes: number
    readonly minFillerBytes: number
    readonly monoMs: number
  }): number {
    const { frameBytes, minFillerBytes, monoMs } = options
    this.#beginWrite(monoMs)
    if (this.#isSafe(this.#offset, frameBytes)) return 0
    for (let extra = 0; extra < readBytes; extra += 1) {
      const filler = minFillerBytes + extra
      const isFillerSafe = this.#isSafe(this.#offset, filler)
      if (isFillerSafe && this.#isSafe(this.#offset + filler, frameBytes)) return filler
    }
    return 0
  }

  /** True when a frame of this length can be sent now without a filler. */
  isSafe(frameBytes: number, monoMs: number): boolean {
    this.#beginWrite(monoMs)
    return this.#isSafe(this.#offset, frameBytes)
  }

  /** Counts a frame (or filler) that was sent. */
  onSent(frameBytes: number, monoMs: number): void {
    this.#beginWrite(monoMs)
    this.#offset = (this.#offset + frameBytes) % readBytes
  }

  #isSafe(offset: number, frameBytes: number): boolean {
    return this.#forbiddenEnds[(offset + frameBytes) % readBytes] === 0
  }

  /** The sends of one moment leave in one write; the first of them is a possible start of a read. */
  #beginWrite(monoMs: number): void {
    if (monoMs === this.#lastTurnMs) return
    this.#lastTurnMs = monoMs
    const isExpired = (start: WriteStart): boolean => monoMs - start.atMs > startLifeMs
    while (
      this.#starts[0] !== undefined &&
      (this.#starts.length >= maxStarts || isExpired(this.#starts[0]))
    ) {
      this.#mark(this.#starts.shift(), -1)
    }
    const start = { residue: this.#offset, atMs: monoMs }
    this.#starts.push(start)
    this.#mark(start, 1)
  }

  #mark(start: WriteStart | undefined, change: 1 | -1): void {
    if (start === undefined) return
    const end = (start.residue + trapDistance) % readBytes
    this.#forbiddenEnds[end] = (this.#forbiddenEnds[end] ?? 0) + change
  }
}
