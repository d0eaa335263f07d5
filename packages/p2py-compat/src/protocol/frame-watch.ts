/**
 * Guards against half frames, for all links of a machine: one that comes too slowly is holding memory,
 * not sending, and all of them together may hold so much and no more.
 */
import { P2pError } from '@p2p/base'
import type { Deadlines, LinkId } from '@p2p/base'

export interface FrameWatchLimits {
  /** A frame may take this long; afterwards it has to come at 1 KiB per second or faster. */
  readonly frameGraceMs: number
  /** Half-received frames of all links together. Above: the one under way for longest is given up. */
  readonly maxReceivingBytes: number
}

interface HalfFrame {
  bufferedBytes: number
  /** Bytes that came over the link since it is watched. */
  receivedBytes: number
  /** How many there were at the last look; undefined while the frame has its time of grace. */
  lookedBytes: number | undefined
}

export interface FrameVictim {
  readonly link: LinkId
  readonly reason: P2pError
}

const lookMs = 5_000
const minFrameBytesPerSecond = 1_024

export class FrameWatch {
  readonly #deadlines: Deadlines
  readonly #limits: FrameWatchLimits
  /** Oldest first. */
  readonly #frames = new Map<LinkId, HalfFrame>()
  #receivingBytes = 0

  constructor(deadlines: Deadlines, limits: FrameWatchLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  /**
   * To be called after bytes came in over a link. Whom to close because all together hold too much, if
   * so: an honest frame is soon whole.
   */
  onBytes(
    link: LinkId,
    state: {
      readonly byteCount: number
      /** Of the frame that is not whole. */
      readonly bufferedBytes: number
      /** A frame was completed, so what is buffered belongs to a new one. */
      readonly isNew: boolean
    },
    monoMs: number,
  ): FrameVictim | undefined {
    const { byteCount, bufferedBytes, isNew } = state
    if (isNew || bufferedBytes === 0) this.forget(link)
    if (bufferedBytes === 0) return undefined
    let frame = this.#frames.get(link)
    if (frame === undefined) {
      frame = { bufferedBytes: 0, receivedBytes: 0, lookedBytes: undefined }
      this.#frames.set(link, frame)
      this.#deadlines.set(nameOf(link), monoMs + this.#limits.frameGraceMs)
    }
    this.#receivingBytes += bufferedBytes - frame.bufferedBytes
    frame.bufferedBytes = bufferedBytes
    frame.receivedBytes += byteCount
    return this.#overBudget()
  }

  /** The deadline of a link came: the reason to close it, or undefined when its frame keeps its pace. */
  onDue(link: LinkId, monoMs: number): P2pError | undefined {
    const frame = this.#frames.get(link)
    if (frame === undefined) return undefined
    const wanted = (minFrameBytesPerSecond * lookMs) / 1000
    if (frame.lookedBytes !== undefined && frame.receivedBytes - frame.lookedBytes < wanted) {
      return new P2pError('P2P_FRAME_TOO_SLOW', 'a frame that does not get finished')
    }
    frame.lookedBytes = frame.receivedBytes
    this.#deadlines.set(nameOf(link), monoMs + lookMs)
    return undefined
  }

  forget(link: LinkId): void {
    this.#receivingBytes -= this.#frames.get(link)?.bufferedBytes ?? 0
    this.#frames.delete(link)
    this.#deadlines.delete(nameOf(link))
  }

  #overBudget(): FrameVictim | undefined {
    const { maxReceivingBytes } = this.#limits
    const [oldest] = this.#frames.keys()
    if (this.#receivingBytes <= maxReceivingBytes || oldest === undefined) return undefined
    const text = `oldest frame of more than maxReceivingBytes ${maxReceivingBytes}`
    return { link: oldest, reason: new P2pError('P2P_RECEIVE_BUDGET', text) }
  }
}

function nameOf(link: LinkId): string {
  return `link-slow ${link}`
}
