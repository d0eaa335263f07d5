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
 * On real networks, and on loopback when the reader is far behind, segments are cut elsewhere: then the link
 * may fall all the same, and the mesh sends again what was not read (mesh, tree-dissemination.ts).
 *
 * Source: spec/wire.md 8 and spec/observed.md 4.4, both observed with py2p 0.7.870.
 */
import { createMessage, encodeFrame, flags } from '@p2p/serializer'
import { fillerFlag } from './hello.ts'

/** Longest write to py2p that is put together; one loopback segment has 65,483 bytes. */
export const maxPythonWriteBytes = 32_768

const readBytes = 1_024
const trapDistance = 1_020
/** Starts that are remembered: py2p may be behind by as many. With many more, nearly every length would be forbidden. */
const maxStarts = 256

export class PythonFraming {
  /** Where the stream is, modulo the length of a read. */
  #offset = 0
  /** Where writes began, modulo the length of a read, oldest first. */
  readonly #starts: number[] = []
  /** How many remembered starts forbid a frame to end at this residue. */
  readonly #forbiddenEnds = new Uint16Array(readBytes)

  /** @param sentBytes how many bytes the stream carried before: the handshake, in one write */
  constructor(sentBytes: number) {
    this.beginWrite()
    this.#offset = sentBytes % readBytes
  }

  /** The next frame will be the first of a write. */
  beginWrite(): void {
    if (this.#starts.length === maxStarts) this.#mark(this.#starts.shift() ?? 0, -1)
    this.#starts.push(this.#offset)
    this.#mark(this.#offset, 1)
  }

  /** What goes out for a frame: the frame, and before it a filler when it needs one. */
  frames(frame: Uint8Array): readonly Uint8Array[] {
    const fillerBytes = this.#fillerBytes(frame.length)
    this.#offset = (this.#offset + fillerBytes + frame.length) % readBytes
    return fillerBytes === 0 ? [frame] : [createFiller(fillerBytes - minFillerBytes), frame]
  }

  /** The length of the shortest filler that makes both itself and the frame safe; 0 for none. */
  #fillerBytes(frameBytes: number): number {
    if (this.#isSafe(frameBytes)) return 0
    let fillerBytes = minFillerBytes
    // Each start forbids one end of a frame and one of a filler, so half of all lengths are free at least.
    while (!this.#isSafe(fillerBytes) || !this.#isSafe(fillerBytes + frameBytes)) fillerBytes += 1
    return fillerBytes
  }

  #isSafe(bytesFromHere: number): boolean {
    return this.#forbiddenEnds[(this.#offset + bytesFromHere) % readBytes] === 0
  }

  #mark(start: number, change: 1 | -1): void {
    const end = (start + trapDistance) % readBytes
    this.#forbiddenEnds[end] = (this.#forbiddenEnds[end] ?? 0) + change
  }
}

/** A frame that means nothing to anybody. */
function createFiller(tailBytes: number): Uint8Array {
  const tail = new Uint8Array(tailBytes)
  const payload = [fillerFlag, 0]
  return encodeFrame(createMessage({ type: flags.whisper, sender: '1', time: 0, payload, tail }))
}

/** The shortest filler there is. */
const minFillerBytes = createFiller(0).length
