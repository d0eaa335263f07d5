/**
 * Keeps a stream to py2p clear of its four-byte trap.
 *
 * py2p reads at most 1,024 bytes at a time. When it has finished a frame and exactly four bytes of
 * the next one are left in its buffer, it takes those four for a whole message and closes the link.
 * Its reads start wherever it had emptied its socket, which is where some write of ours began, and go
 * on in steps of 1,024 from there. So a frame must not end 1,020 bytes (modulo 1,024) behind the start
 * of a recent write. Before a frame that would, a small whisper that nobody understands is put in,
 * long enough to shift the frame out of the way. Writes are kept so short that the system does not cut
 * them in two, and no shorter, because every start of a write forbids one more distance.
 *
 * On real networks segments may be cut elsewhere; then nothing but a slow pace would help.
 *
 * Source: spec/wire.md 8 and spec/observed.md 4.4, both observed with py2p 0.7.870.
 */
import { createMessage, encodeFrame, flags } from '@p2p/serializer'
import { fillerFlag } from './hello.ts'

/** Longest write to py2p that is put together; one loopback segment has 65,483 bytes. */
export const maxPythonWriteBytes = 32_768

const readBytes = 1_024
const trapDistance = 1_020
/** Write starts that are remembered. With many more, every length would be forbidden at some offset. */
const maxStarts = 512

interface WriteStart {
  readonly residue: number
  atMs: number
}

/**
 * An older start cannot be where py2p's reads are aligned: it has caught up since. Generous, because one that
 * is behind with reading may go on sending all the same: it does that in other threads.
 */
const startLifeMs = 30_000
/** After hearing nothing for this long, all starts are as good as new. */
const silenceMs = 2_000

export class PythonFraming {
  /** Where the stream is, modulo the length of a read. */
  #offset = 0
  readonly #starts: WriteStart[] = []
  /** How many remembered starts forbid a frame to end at this residue. */
  readonly #forbiddenEnds = new Uint16Array(readBytes)
  /** When something came from the other end. */
  #heardMs = -Infinity

  /** @param sentBytes how many bytes the stream carried before: the handshake, in one write */
  constructor(sentBytes: number, monoMs: number) {
    this.beginWrite(monoMs)
    this.#offset = sentBytes % readBytes
  }

  /** Something came from the other end. */
  noteHeard(monoMs: number): void {
    if (monoMs - this.#heardMs > silenceMs) for (const start of this.#starts) start.atMs = monoMs
    this.#heardMs = monoMs
  }

  /** The next frame will be the first of a write. */
  beginWrite(monoMs: number): void {
    const isExpired = ({ atMs }: WriteStart): boolean => this.#heardMs - atMs > startLifeMs
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

  /** What goes out for a frame: the frame, and before it a filler when it needs one. */
  frames(frame: Uint8Array): readonly Uint8Array[] {
    const fillerBytes = this.#fillerBytes(frame.length)
    this.#offset = (this.#offset + fillerBytes + frame.length) % readBytes
    return fillerBytes === 0 ? [frame] : [createFiller(fillerBytes), frame]
  }

  /** The length of the shortest filler that makes both itself and the frame safe; 0 for none. */
  #fillerBytes(frameBytes: number): number {
    if (this.#isSafe(frameBytes)) return 0
    for (
      let fillerBytes = minFillerBytes;
      fillerBytes < minFillerBytes + readBytes;
      fillerBytes += 1
    ) {
      if (this.#isSafe(fillerBytes) && this.#isSafe(fillerBytes + frameBytes)) return fillerBytes
    }
    return 0
  }

  #isSafe(bytesFromHere: number): boolean {
    return this.#forbiddenEnds[(this.#offset + bytesFromHere) % readBytes] === 0
  }

  #mark(start: WriteStart | undefined, change: 1 | -1): void {
    if (start === undefined) return
    const end = (start.residue + trapDistance) % readBytes
    this.#forbiddenEnds[end] = (this.#forbiddenEnds[end] ?? 0) + change
  }
}

/** A frame of exactly this length that means nothing to anybody; its tail makes up the length. */
function createFiller(frameBytes: number): Uint8Array {
  return fillerWithTail(frameBytes - minFillerBytes)
}

function fillerWithTail(tailBytes: number): Uint8Array {
  const tail = new Uint8Array(tailBytes)
  const payload = [fillerFlag, 0]
  return encodeFrame(createMessage({ type: flags.whisper, sender: '1', time: 0, payload, tail }))
}

/** The shortest filler there is. */
const minFillerBytes = fillerWithTail(0).length
