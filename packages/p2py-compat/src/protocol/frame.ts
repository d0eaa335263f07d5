/**
 * Frames of p2py: the decimal length of a pickle in ten characters, then the pickle.
 *
 *  offset  size  field
 *  0       10    length in decimal, ASCII, left-aligned, padded with spaces
 *  10      …     pickle
 *
 * p2py reads a header with one `recv` and a body with one `recv`, so what it gets has to arrive in one
 * piece: `encodeFrame` makes one array, the driver writes it at once, and `advisedFrameBytes` says
 * how much is known to pass. We ourselves take any chunking.
 *
 * Source: spec p2py, 1; p2py 0.23 p2p.py, Connection.receive_message.
 * @compat p2py skips a header that it cannot read and goes on with the next ten bytes. Nothing
 * sensible can follow, so here it is an error and the link is closed (test: frame.test.ts).
 */
import { P2pError } from '@p2p/base'

const headerBytes = 10
const noBytes = new Uint8Array(0)

/** Largest frame that p2py's single `recv` was seen to take in one piece (spec p2py, 1). */
export const advisedFrameBytes: number = 32 * 1024

/** Default of `maxFrameBytes`: the same as for frames of protocol 0.7. */
export const defaultMaxFrameBytes: number = 16 * 1024 * 1024

/** Header and pickle in one array. Throws RangeError when the length does not fit into ten digits. */
export function encodeFrame(pickle: Uint8Array): Uint8Array {
  const header = String(pickle.length).padEnd(headerBytes, ' ')
  if (header.length > headerBytes) throw new RangeError(`pickle of ${pickle.length} bytes`)
  const frame = new Uint8Array(headerBytes + pickle.length)
  for (let index = 0; index < headerBytes; index += 1) frame[index] = header.charCodeAt(index)
  frame.set(pickle, headerBytes)
  return frame
}

/**
 * The pickle of exactly one whole frame.
 *
 * Throws P2pError P2P_FRAME_HEADER, P2P_FRAME_TOO_LARGE or P2P_FRAME_TRUNCATED (also for no bytes at
 * all, and for more than one frame).
 */
export function decodeFrame(
  frame: Uint8Array,
  options: { readonly maxFrameBytes?: number } = {},
): Uint8Array {
  const splitter = new FrameSplitter(options)
  const pickles = splitter.push(frame)
  const [pickle] = pickles
  const left = splitter.end()
  if (left !== undefined) throw left
  if (pickle === undefined || pickles.length > 1) {
    throw new P2pError('P2P_FRAME_TRUNCATED', `${pickles.length} frames where one was expected`)
  }
  return pickle
}

/** Cuts a byte stream into pickles. Holds at most one frame, in at most twice the memory of what has come. */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  readonly #header = new Uint8Array(headerBytes)
  #headerLength = 0
  /** Length of the pickle that is being read; undefined while its header is. */
  #pickleBytes: number | undefined
  /** Grows with what comes: a header alone must not take the memory that it announces. */
  #pickle = noBytes
  #pickleLength = 0

  constructor(options: { readonly maxFrameBytes?: number } = {}) {
    this.#maxFrameBytes = options.maxFrameBytes ?? defaultMaxFrameBytes
  }

  /** Bytes of a frame that has not been completed. */
  get bufferedBytes(): number {
    return this.#headerLength + this.#pickleLength
  }

  /**
   * The pickles that are whole now, in order: copies, or views of the chunk.
   *
   * Throws P2pError P2P_FRAME_HEADER or P2P_FRAME_TOO_LARGE; the splitter is of no use afterwards.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    return [...this.pickles(chunk)]
  }

  /** The same one by one: what stands before an unreadable header is handed out before that throws. */
  *pickles(chunk: Uint8Array): Generator<Uint8Array> {
    let rest = chunk
    for (;;) {
      if (this.#pickleBytes === undefined) {
        const part = rest.subarray(0, headerBytes - this.#headerLength)
        this.#header.set(part, this.#headerLength)
        this.#headerLength += part.length
        rest = rest.subarray(part.length)
        if (this.#headerLength < headerBytes) return
        this.#pickleBytes = this.#checkedLength(this.#header)
        this.#headerLength = 0
      }
      const part = rest.subarray(0, this.#pickleBytes - this.#pickleLength)
      rest = rest.subarray(part.length)
      const pickle = this.#completed(part, this.#pickleBytes)
      if (pickle === undefined) return
      this.#pickleBytes = undefined
      yield pickle
    }
  }

  /** To be called when the stream has ended: an error when it ended inside a frame. */
  end(): P2pError | undefined {
    if (this.bufferedBytes === 0 && this.#pickleBytes === undefined) return undefined
    return new P2pError('P2P_FRAME_TRUNCATED', 'stream ended inside a frame', {
      facts: { got: this.bufferedBytes },
    })
  }

  #checkedLength(header: Uint8Array): number {
    const text = String.fromCharCode(...header)
    const match = /^[ \t]*\+?([0-9]+)[ \t]*$/.exec(text)
    const length = Number(match?.[1] ?? 0)
    if (length === 0) {
      throw new P2pError('P2P_FRAME_HEADER', 'frame header is not a positive decimal length')
    }
    if (length > this.#maxFrameBytes) {
      throw new P2pError(
        'P2P_FRAME_TOO_LARGE',
        `frame of ${length} bytes exceeds maxFrameBytes ${this.#maxFrameBytes}`,
        { facts: { limit: this.#maxFrameBytes, got: length } },
      )
    }
    return length
  }

  /** The whole pickle when this part completes it; a part that is all of it is not copied. */
  #completed(part: Uint8Array, pickleBytes: number): Uint8Array | undefined {
    if (part.length === pickleBytes) return part
    const length = this.#pickleLength + part.length
    if (length > this.#pickle.length) {
      const grown = new Uint8Array(Math.min(Math.max(2 * this.#pickle.length, length), pickleBytes))
      grown.set(this.#pickle.subarray(0, this.#pickleLength))
      this.#pickle = grown
    }
    this.#pickle.set(part, this.#pickleLength)
    this.#pickleLength = length
    if (length < pickleBytes) return undefined
    const pickle = this.#pickle
    this.#pickle = noBytes
    this.#pickleLength = 0
    return pickle
  }
}
