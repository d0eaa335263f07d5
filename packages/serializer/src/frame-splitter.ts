/**
 * Cuts a byte stream into frames, however the stream arrives in chunks.
 *
 * A frame inside one chunk is handed out as a view of it. A frame over several chunks is copied once,
 * when its last byte is there; until then the chunks are kept as they came, so a peer cannot make us
 * hold more memory than it has sent, whatever length it announces. Many tiny chunks are gathered, so that
 * their number stays small against their bytes.
 */
import { plainBytes } from './bytes.ts'
import type { DecodeError } from './errors.ts'
import { frameTooLarge } from './frame.ts'
import { resolveLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { frameHeaderBytes, frameLength } from './message.ts'

/** Chunks shorter than this are copied together; each kept array costs about a hundred bytes. */
const leastChunkBytes = 1024

/**
 * One stream's frames. Hand in what arrives, in order; take out whole frames.
 *
 * @example for (const frame of splitter.push(chunk)) handle(decodeFrame(frame))
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  /** Parts of the frame that has begun, in order. */
  #parts: Uint8Array[] = []
  #partBytes = 0
  /** How much of the last part is used, when it is a gathering place for tiny chunks. */
  #gathered: number | undefined
  /** Bytes of the frame that has begun, its header included; 0 while that is not known. */
  #wanted = 0
  #failure: DecodeError | undefined

  constructor(options: { readonly limits?: Partial<Limits> } = {}) {
    this.#maxFrameBytes = resolveLimits(options.limits).maxFrameBytes
  }

  /** Bytes of a frame that has begun and is not whole; 0 between frames. */
  get pendingBytes(): number {
    return this.#partBytes
  }

  /**
   * Takes the next bytes of the stream; returns the frames that they complete, each with its length in
   * front. The chunk may be kept and shared: do not write into it later.
   *
   * @throws DecodeError `P2P_FRAME_TOO_LARGE` as soon as such a length has arrived, and again at each
   *   later call: the stream cannot be continued. Frames that the same chunk completed are handed out
   *   first, the error comes with the next call.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#failure !== undefined) throw this.#failure
    const bytes = plainBytes(chunk)
    const frames: Uint8Array[] = []
    const start = this.#split(bytes, frames)
    const failure = this.#failure as DecodeError | undefined
    if (failure !== undefined) {
      this.#forget()
      if (frames.length === 0) throw failure
    } else if (start < bytes.length) this.#keep(bytes.subarray(start))
    return frames
  }

  /** Collects the frames that are whole; returns where the rest begins. */
  #split(bytes: Uint8Array, frames: Uint8Array[]): number {
    let start = this.#partBytes === 0 ? 0 : this.#continue(bytes, frames)
    while (this.#failure === undefined && bytes.length - start >= frameHeaderBytes) {
      const end = start + this.#frameBytes(bytes, start)
      if (end > bytes.length) break
      frames.push(bytes.subarray(start, end))
      start = end
    }
    return start
  }

  /** Bytes of the frame whose header stands at `start`; too long a one is a failure. */
  #frameBytes(bytes: Uint8Array, start: number): number {
    const length = frameLength(bytes, start)
    if (length > this.#maxFrameBytes) this.#failure = frameTooLarge(length, this.#maxFrameBytes)
    this.#wanted = frameHeaderBytes + length
    return this.#failure === undefined ? this.#wanted : Number.POSITIVE_INFINITY
  }

  /** Goes on with the frame that has begun; returns how much of the bytes it took. */
  #continue(bytes: Uint8Array, frames: Uint8Array[]): number {
    let taken = 0
    if (this.#partBytes < frameHeaderBytes) {
      taken = Math.min(frameHeaderBytes - this.#partBytes, bytes.length)
      this.#keep(bytes.subarray(0, taken))
      if (this.#partBytes < frameHeaderBytes) return taken
      this.#frameBytes(this.#join(frameHeaderBytes), 0)
      if (this.#failure !== undefined) return taken
    }
    const missing = this.#wanted - this.#partBytes
    if (bytes.length - taken < missing) {
      if (taken < bytes.length) this.#keep(bytes.subarray(taken))
      return bytes.length
    }
    if (missing > 0) this.#keep(bytes.subarray(taken, taken + missing))
    frames.push(this.#join(this.#wanted))
    this.#forget()
    return taken + missing
  }

  #keep(bytes: Uint8Array): void {
    this.#partBytes += bytes.length
    const last = this.#parts.at(-1)
    if (this.#gathered !== undefined && last !== undefined) {
      if (bytes.length <= last.length - this.#gathered) {
        last.set(bytes, this.#gathered)
        this.#gathered += bytes.length
        return
      }
      this.#parts[this.#parts.length - 1] = last.subarray(0, this.#gathered)
      this.#gathered = undefined
    }
    if (bytes.length >= leastChunkBytes) {
      this.#parts.push(bytes)
      return
    }
    const place = new Uint8Array(2 * leastChunkBytes)
    place.set(bytes)
    this.#parts.push(place)
    this.#gathered = bytes.length
  }

  /** The first `count` bytes of what is kept, as one array. */
  #join(count: number): Uint8Array {
    const joined = new Uint8Array(count)
    let at = 0
    for (const part of this.#parts) {
      const used = Math.min(part.length, count - at)
      joined.set(used === part.length ? part : part.subarray(0, used), at)
      at += used
    }
    return joined
  }

  #forget(): void {
    this.#parts = []
    this.#partBytes = 0
    this.#gathered = undefined
    this.#wanted = 0
  }
}
