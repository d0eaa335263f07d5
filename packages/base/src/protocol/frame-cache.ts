/**
 * What the links of a node share for reading and writing frames.
 *
 * Frames of messages are made once however many links they go to: plain, and per compression method. A
 * message that came plain is passed on in the frame it came in: whoever wrote it has tried. Only the
 * frames of the latest message are kept: its copies for all links are made one after the other.
 */
import { checksumBytes, encodeFrame, frameHeaderBytes, looksCompressed } from '@p2p/serializer'
import type { Limits, WireMessage } from '@p2p/serializer'
import type { NodeLimits } from './limits.ts'

/**
 * Blocks below this are not worth the processor's time: deflate saves little on them, and they fit
 * into one segment anyway.
 */
const minCompressedBytes = 512

/** How much of a large body is compressed to see whether it is worth while. */
const sampleBytes = 16_384
/** A sample that keeps more than this share of its length is data that is compressed already. */
const worthwhileShare = 0.9

/** Bytes looked at to tell data that will not shrink, evenly spread … */
const probeBytes = 256
/** … and how many different values there are among them in such data: 162 on average if it is random. */
const randomValues = 150

export class FrameCache {
  /** How frames are read: one object for all links, since its limits are checked once. */
  readonly reading: { readonly limits: Partial<Limits> }
  /** The last ping. */
  ping: WireMessage | undefined
  #message: WireMessage | undefined
  #plain: Uint8Array | undefined
  /** True when whoever wrote the message found that it does not shrink. */
  #stayedPlain = false
  #byMethod: Map<number, Uint8Array> | undefined

  constructor(limits: NodeLimits) {
    this.reading = { limits }
  }

  /**
   * The shorter of the plain and the compressed frame; plain when no method was agreed, compressed when
   * the plain one would be taken for compressed.
   */
  frame(message: WireMessage, method: number | undefined): Uint8Array {
    if (method === undefined) return this.plain(message)
    const mustCompress = looksCompressed(message.id)
    if (!mustCompress && message.body.length < minCompressedBytes) return this.plain(message)
    this.#turnTo(message)
    if (!mustCompress && this.#stayedPlain) return this.plain(message)
    this.#byMethod ??= new Map()
    let frame = this.#byMethod.get(method)
    if (frame === undefined) {
      frame =
        mustCompress || isCompressible(message, method)
          ? encodeFrame(message, { method })
          : this.plain(message)
      this.#byMethod.set(method, frame)
    }
    return frame
  }

  /**
   * Takes the frame that a message came in, header included. A compressed one is not kept: two
   * decoders may disagree on bytes that a hostile compressor wrote.
   */
  noteReceived(message: WireMessage, frame: Uint8Array): void {
    if (frame.length !== frameHeaderBytes + checksumBytes + message.body.length) return
    this.#turnTo(message)
    this.#plain = frame
    this.#stayedPlain = true
  }

  plain(message: WireMessage): Uint8Array {
    this.#turnTo(message)
    this.#plain ??= encodeFrame(message)
    return this.#plain
  }

  #turnTo(message: WireMessage): void {
    if (this.#message === message) return
    this.#message = message
    this.#plain = undefined
    this.#stayedPlain = false
    this.#byMethod = undefined
  }
}

/** Compressing megabytes of pictures in vain would stop the program for as long as it takes. */
function isCompressible({ body, id }: WireMessage, method: number): boolean {
  if (looksRandom(body)) return false
  if (body.length <= sampleBytes) return true
  const middle = (body.length - sampleBytes) >> 1
  const sample = encodeFrame({ body: body.subarray(middle, middle + sampleBytes), id }, { method })
  return sample.length < worthwhileShare * sampleBytes
}

function looksRandom(body: Uint8Array): boolean {
  const values = new Set<number | undefined>()
  const step = body.length / probeBytes
  for (let at = 0; at < body.length; at += step) values.add(body[Math.floor(at)])
  return values.size >= randomValues
}
