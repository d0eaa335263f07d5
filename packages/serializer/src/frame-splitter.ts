/**
 * Cuts a byte stream into frames, however the stream arrives in chunks.
 *
 * A frame inside one chunk is handed out as a view of it. A frame over several chunks is copied once,
 * into an array that grows with what arrived and never beyond the announced length, so a peer cannot
 * make us hold memory it has not sent.
 */
import type { DecodeError } from './errors.ts'
import { frameTooLarge } from './frame.ts'
import { resolveLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { frameHeaderBytes } from './message.ts'

export class FrameSplitter {
  readonly #maxFrameBytes: number
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #failure: DecodeError | undefined

  constructor(options: { readonly limits?: Partial<Limits> } = {}) {
    this.#maxFrameBytes = resolveLimits(options.limits).maxFrameBytes
  }

  /** Bytes of a frame that has begun and is not whole; 0 between frames. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Takes the next bytes of the stream; returns the frames that they complete, each with its length in
   * front. The chunk may be kept and shared: do not write into it later.
   *
   * @throws DecodeError `P2P_FRAME_TOO_LARGE` as soon as such a length has arrived, and again at each
   *   later call: the stream cannot be continued
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#failure !== undefined) throw this.#failure
    const bytes = this.#joined(chunk)
    const frames: Uint8Array[] = []
    let start = 0
    while (bytes.length - start >= frameHeaderBytes) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + start).getUint32(0)
      if (length > this.#maxFrameBytes) {
        this.#failure = frameTooLarge(length, this.#maxFrameBytes)
        throw this.#failure
      }
      const end = start + frameHeaderBytes + length
      if (end > bytes.length) break
      frames.push(bytes.subarray(start, end))
      start = end
    }
    this.#pending = start < bytes.length ? [bytes.subarray(start)] : []
    this.#pendingBytes = bytes.length - start
    return frames
  }

  #joined(chunk: Uint8Array): Uint8Array {
    if (this.#pendingBytes === 0) return chunk
    const joined = new Uint8Array(this.#pendingBytes + chunk.length)
    let offset = 0
    for (const part of [...this.#pending, chunk]) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }
}
