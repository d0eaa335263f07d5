/**
 * What waits to be written to one link, and what is given up when the other end does not read.
 *
 * Frames leave in the order they came. When a frame does not fit under `maxQueuedBytes`, waiting
 * announcements are dropped first, then relayed payload (both are repaired by the protocol), oldest
 * first; a frame that is longer than the limit fits where nothing else waits. `control` and `own` frames
 * are never dropped: on a link that is moving they may exceed the limit up to `maxOwnQueuedBytes`,
 * because a burst of the application is not the peer's fault; on a link that is not, the link is to be
 * cut. A link on which nothing moves for `stalledLinkTimeoutMs` is to be cut in any case.
 *
 * Frames to py2p are put together so that none trips its reader (python-framing.ts): only here it is
 * known where a write begins.
 *
 * The driver asks `take()` for the bytes of one write, and reports `onWritten()` once the operating
 * system has them; until then they count as waiting.
 */
import { concatBytes } from '@p2p/serializer'
import type { SendPriority } from './link.ts'
import type { NodeLimits } from './limits.ts'
import { PythonFraming, maxPythonWriteBytes } from './python-framing.ts'

export type SendOutcome = 'queued' | 'dropped' | 'overflow'

export interface SendQueueCounters {
  readonly droppedAnnouncements: number
  readonly droppedRelays: number
}

interface Waiting {
  readonly bytes: Uint8Array
  readonly priority: SendPriority
}

type QueueLimits = Pick<
  NodeLimits,
  'maxQueuedBytes' | 'maxOwnQueuedBytes' | 'fullQueueGraceMs' | 'stalledLinkTimeoutMs'
>

/** One write at most: small enough that a slow reader shows progress, large enough to be rare. */
const maxWriteBytes = 262_144
/** How full a queue is left of which something had to be dropped. */
const roomyShare = 7 / 8

export class SendQueue {
  readonly #limits: QueueLimits
  #waiting: Waiting[] = []
  #waitingBytes = 0
  readonly #waitingBytesOf: Record<SendPriority, number> = {
    announce: 0,
    relay: 0,
    own: 0,
    control: 0,
  }
  #writingBytes = 0
  #takenBytes = 0
  #lastProgressMs = 0
  #python: PythonFraming | undefined
  readonly #dropped = { announce: 0, relay: 0 }

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  /** Bytes that the operating system has not taken yet. */
  get queuedBytes(): number {
    return this.#waitingBytes + this.#writingBytes
  }

  get counters(): SendQueueCounters {
    const { announce, relay } = this.#dropped
    return { droppedAnnouncements: announce, droppedRelays: relay }
  }

  /** What is sent from now on is read by py2p. */
  useFramingForPython(): void {
    this.#python ??= new PythonFraming(this.#takenBytes)
  }

  /** Takes one frame in. 'overflow' means that the link has to be cut; the frame is not queued. */
  push(bytes: Uint8Array, priority: SendPriority, monoMs: number): SendOutcome {
    if (this.queuedBytes === 0) this.#lastProgressMs = monoMs
    const { maxOwnQueuedBytes, fullQueueGraceMs } = this.#limits
    const maxBytes = this.#maxBytesFor(bytes.length)
    if (this.queuedBytes + bytes.length > maxBytes) {
      this.#makeRoom(bytes.length, priority)
      if (this.queuedBytes + bytes.length > maxBytes) {
        if (priority === 'announce' || priority === 'relay') {
          this.#dropped[priority] += 1
          return 'dropped'
        }
        const isMoving = monoMs - this.#lastProgressMs < fullQueueGraceMs
        if (!isMoving || this.queuedBytes + bytes.length > maxOwnQueuedBytes) return 'overflow'
      }
    }
    this.#waiting.push({ bytes, priority })
    this.#count(priority, bytes.length)
    return 'queued'
  }

  /** The bytes of one write: whole frames, in order; undefined when nothing waits. */
  take(): Uint8Array | undefined {
    if (this.#waiting.length === 0) return undefined
    const frames = this.#takeFrames()
    const first = frames[0]
    if (first === undefined) return undefined
    const python = this.#python
    python?.beginWrite()
    const parts = python === undefined ? frames : frames.flatMap((frame) => python.frames(frame))
    const bytes = parts.length === 1 ? first : concatBytes(...parts)
    this.#takenBytes += bytes.length
    this.#writingBytes += bytes.length
    return bytes
  }

  #takeFrames(): readonly Uint8Array[] {
    const maxBytes = this.#python === undefined ? maxWriteBytes : maxPythonWriteBytes
    let count = 0
    let byteCount = 0
    for (const { bytes } of this.#waiting) {
      if (count > 0 && byteCount + bytes.length > maxBytes) break
      byteCount += bytes.length
      count += 1
    }
    return this.#waiting.splice(0, count).map(({ bytes, priority }) => {
      this.#count(priority, -bytes.length)
      return bytes
    })
  }

  /** Everything taken so far has left. */
  onWritten(monoMs: number): void {
    this.#writingBytes = 0
    this.#lastProgressMs = monoMs
  }

  /** When the link counts as stalled unless something moves; Infinity while nothing waits. */
  nextDeadline(): number {
    if (this.queuedBytes === 0) return Infinity
    return this.#lastProgressMs + this.#limits.stalledLinkTimeoutMs
  }

  isStalled(monoMs: number): boolean {
    return monoMs >= this.nextDeadline()
  }

  /** A frame that is longer than the limit may go where nothing else waits. */
  #maxBytesFor(frameBytes: number): number {
    return Math.max(this.#limits.maxQueuedBytes, frameBytes)
  }

  /** Drops announcements, then relayed payload, until the frame fits or nothing of the kind is left. */
  #makeRoom(frameBytes: number, priority: SendPriority): void {
    this.#drop('announce', frameBytes)
    if (priority !== 'announce') this.#drop('relay', frameBytes)
  }

  /** Where it has to drop, it drops some more: going through a long queue must not be for each frame. */
  #drop(victim: 'announce' | 'relay', frameBytes: number): void {
    const isThere = this.#waitingBytesOf[victim] > 0
    if (!isThere || this.queuedBytes + frameBytes <= this.#maxBytesFor(frameBytes)) return
    const goalBytes = Math.max(roomyShare * this.#limits.maxQueuedBytes, frameBytes)
    const kept: Waiting[] = []
    for (const waiting of this.#waiting) {
      const fits = this.queuedBytes + frameBytes <= goalBytes
      if (fits || waiting.priority !== victim) {
        kept.push(waiting)
        continue
      }
      this.#count(victim, -waiting.bytes.length)
      this.#dropped[victim] += 1
    }
    this.#waiting = kept
  }

  #count(priority: SendPriority, byteCount: number): void {
    this.#waitingBytes += byteCount
    this.#waitingBytesOf[priority] += byteCount
  }
}
