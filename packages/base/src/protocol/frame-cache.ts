/**
 * Frames of messages, made once however many links they go to: plain, and per compression method.
 * Nothing has to be cleaned up: a frame lives as long as its message.
 */
import { encodeFrame } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'

/**
 * Blocks below this are not worth the processor's time: deflate saves little on them, and they fit
 * into one segment anyway.
 */
const minCompressedBytes = 512

/** How much of a large body is compressed to see whether it is worth while. */
const sampleBytes = 16_384
/** A sample that keeps more than this share of its length is data that is compressed already. */
const worthwhileShare = 0.9

interface Frames {
  plain: Uint8Array | undefined
  readonly byMethod: Map<number, Uint8Array>
}

export class FrameCache {
  readonly #framesByMessage = new WeakMap<WireMessage, Frames>()

  /** The shorter of the plain and the compressed frame; plain when no method was agreed. */
  frame(message: WireMessage, method: number | undefined): Uint8Array {
    if (method === undefined || message.body.length < minCompressedBytes) return this.plain(message)
    const frames = this.#frames(message)
    let frame = frames.byMethod.get(method)
    if (frame === undefined) {
      frame = isCompressible(message, method)
        ? encodeFrame(message, { method })
        : this.plain(message)
      frames.byMethod.set(method, frame)
    }
    return frame
  }

  plain(message: WireMessage): Uint8Array {
    const frames = this.#frames(message)
    frames.plain ??= encodeFrame(message)
    return frames.plain
  }

  #frames(message: WireMessage): Frames {
    let frames = this.#framesByMessage.get(message)
    if (frames === undefined) {
      frames = { plain: undefined, byMethod: new Map() }
      this.#framesByMessage.set(message, frames)
    }
    return frames
  }
}

/** Compressing megabytes of pictures in vain would stop the program for as long as it takes. */
function isCompressible({ body, id }: WireMessage, method: number): boolean {
  if (body.length <= sampleBytes) return true
  const middle = (body.length - sampleBytes) >> 1
  const sample = encodeFrame({ body: body.subarray(middle, middle + sampleBytes), id }, { method })
  return sample.length < worthwhileShare * sampleBytes
}
