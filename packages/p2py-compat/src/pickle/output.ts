/**
 * Growing output of the writer, with the frames of protocol 4.
 *
 * Instructions are grouped into frames of at least 64 KiB (shorter only at the end); long byte
 * strings stand between frames. A frame of fewer than four bytes is written without its header.
 * So our bytes are CPython's, byte by byte.
 *
 * Source: PEP 3154, and CPython 3.11 Modules/_pickle.c (FRAME_SIZE_TARGET, FRAME_SIZE_MIN).
 */
import { opcodes } from './opcodes.ts'

const frameTargetBytes = 64 * 1024
const frameMinBytes = 4
const frameHeaderBytes = 9

export class PickleOutput {
  #bytes = new Uint8Array(256)
  #length = 0
  /** Where the header of the open frame will stand; -1 when no frame is open. */
  #frameStart = -1

  /** Bytes outside frames: the PROTO instruction. */
  writeUnframed(bytes: Uint8Array | readonly number[]): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  write(bytes: Uint8Array | readonly number[]): void {
    if (this.#frameStart < 0) {
      this.#reserve(frameHeaderBytes)
      this.#frameStart = this.#length
      this.#length += frameHeaderBytes
    }
    this.writeUnframed(bytes)
  }

  /** An instruction with a text or byte string behind it, which leaves the frame when it is long. */
  writePayload(header: readonly number[], payload: Uint8Array): void {
    if (payload.length < frameTargetBytes) {
      this.write(header)
      this.write(payload)
      return
    }
    this.#closeFrame()
    this.writeUnframed(header)
    this.writeUnframed(payload)
  }

  /** Called after each value: a frame that is long enough ends here. */
  endValue(): void {
    const isLong =
      this.#frameStart >= 0 &&
      this.#length - this.#frameStart - frameHeaderBytes >= frameTargetBytes
    if (isLong) this.#closeFrame()
  }

  /** The pickle, in an array of its own. */
  finish(): Uint8Array {
    this.#closeFrame()
    return this.#bytes.slice(0, this.#length)
  }

  #closeFrame(): void {
    if (this.#frameStart < 0) return
    const start = this.#frameStart
    const content = start + frameHeaderBytes
    const byteCount = this.#length - content
    if (byteCount >= frameMinBytes) {
      this.#bytes[start] = opcodes.FRAME
      new DataView(this.#bytes.buffer).setBigUint64(start + 1, BigInt(byteCount), true)
    } else {
      this.#bytes.copyWithin(start, content, this.#length)
      this.#length -= frameHeaderBytes
    }
    this.#frameStart = -1
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
