/**
 * One end of a simulated link, and the one-way pipe from it to the other end.
 *
 * Bytes pass three places: the owner's send queue (the one the real driver uses), the pipe, and the
 * other end's machine. The pipe is in order, takes `windowBytes` unread bytes and no more, and
 * delivers a write after the link's latency, whole or in pieces. It stands still while a partition
 * blocks it or the reader pauses, and crawls when the reader is slow; then the queue behind it
 * fills, as it would over TCP. The end of a stream travels in the pipe behind the last byte.
 *
 * Nobody is called back in the middle of anything: what happens to an owner is an entry of the
 * schedule of its own.
 */
import { P2pError } from '../protocol/errors.ts'
import { defaultLimits } from '../protocol/limits.ts'
import type { LinkEffect, LinkId, LinkInput } from '../protocol/link.ts'
import { SendQueue } from '../protocol/send-queue.ts'
import type { NetworkConditions } from './conditions.ts'
import type { SeededRandom } from './random.ts'
import type { Due, Schedule } from './schedule.ts'

/** What a link needs to know about the node that owns one of its ends. */
export interface LinkOwner {
  readonly index: number
  readonly name: string
  readonly isUp: boolean
  readonly isPaused: boolean
  /** Bytes per second that the node reads from each of its links; Infinity when it keeps up. */
  readonly receiveBytesPerSecond: number
  monoMs(): number
  receive(input: LinkInput): void
  /** The end is closed; nothing follows on it. */
  forgetLink(end: LinkEnd): void
}

export interface LinkWorld {
  readonly schedule: Schedule
  readonly random: SeededRandom
  readonly conditions: NetworkConditions
  isBlocked(from: LinkOwner, to: LinkOwner): boolean
  /** Wakes this end when a partition heals. */
  wakeAfterHeal(end: LinkEnd): void
}

/** `dead`: the owner crashed and knows nothing of this link any more. */
type LinkState = 'opening' | 'open' | 'closing' | 'closed' | 'dead'
type Mark = 'opened' | 'ended' | 'reset'

interface PipeItem {
  readonly arrivesMs: number
  readonly content: Uint8Array | Mark
}

export class LinkEnd implements Due {
  readonly owner: LinkOwner
  readonly link: LinkId
  readonly latencyMs: number
  state: LinkState = 'opening'
  /** A bit of what this end sent was flipped. */
  wasCorrupted: boolean = false
  /** Called when the pipe brought the news that the other end accepted. */
  onOpened: (() => void) | undefined
  readonly #world: LinkWorld
  readonly #queue = new SendQueue(defaultLimits)
  #other: LinkEnd | undefined
  #writing: Uint8Array | undefined
  #closeReason: P2pError | undefined
  readonly #pipe: PipeItem[] = []
  #pipeBytes = 0
  #lastArrivalMs = 0
  #readerFreeMs = 0
  #scheduledMs = Infinity
  #isBlackHole = false
  #flipNextBit = false
  #resetsOnSend = false
  #watchesForStall = false

  constructor(
    owner: LinkOwner,
    options: { readonly link: LinkId; readonly latencyMs: number; readonly world: LinkWorld },
  ) {
    this.owner = owner
    this.link = options.link
    this.latencyMs = options.latencyMs
    this.#world = options.world
  }

  static join(one: LinkEnd, two: LinkEnd): void {
    one.#other = two
    two.#other = one
  }

  get other(): LinkEnd {
    if (this.#other === undefined) throw new Error('a link has two ends')
    return this.#other
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Bytes that wait at the sender because the network takes no more. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes
  }

  /** Bytes that the network holds for the other end. */
  get pipeBytes(): number {
    return this.#pipeBytes
  }

  /** Queues one frame; a queue that is too full cuts the link. */
  send({ bytes, priority, toPython }: Extract<LinkEffect, { type: 'send' }>): void {
    if (this.state !== 'open') return
    if (toPython === true) this.#queue.useFramingForPython()
    if (this.#queue.push(bytes, priority, this.owner.monoMs()) === 'overflow') {
      this.#cut(new P2pError('P2P_SEND_QUEUE_FULL', 'the other end reads too slowly'))
    }
  }

  /** Hands as much of the queue to the network as that takes; one write for all frames of a turn. */
  flush(): void {
    if (this.state !== 'open' && this.state !== 'closing') return
    for (;;) {
      this.#writing ??= this.#queue.take()
      if (this.#writing === undefined) break
      const room = this.#world.conditions.windowBytes - this.#pipeBytes
      if (room <= 0) {
        this.#watchForStall()
        return
      }
      const bytes = this.#writing
      if (bytes.length > room) {
        this.#writing = bytes.subarray(room)
        this.#transmit(bytes.subarray(0, room))
        continue
      }
      this.#writing = undefined
      this.#queue.onWritten(this.owner.monoMs())
      this.#transmit(bytes)
    }
    if (this.state === 'closing') this.#finish()
  }

  /** Closes after what was sent has left; the owner hears of it with this reason. */
  close(reason: P2pError): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.#closeReason = reason
    this.flush()
    if (this.state !== 'closing') return
    this.#after(this.#world.conditions.lingerMs, () => {
      if (this.state === 'closing') this.#finish()
    })
  }

  /** Breaks the link for both ends; what is under way is lost. */
  reset(): void {
    for (const end of [this, this.other]) {
      end.#pipe.length = 0
      end.#pipeBytes = 0
      const delayMs = this.#world.random.between(0, this.latencyMs)
      end.#after(delayMs, () => {
        end.#leave(new P2pError('P2P_LINK_LOST', 'the link broke'))
      })
    }
  }

  /** The owner's process is gone; `isSilent` when its machine is too and nobody says so. */
  die(isSilent: boolean): void {
    const wasOpen = this.state === 'open' || this.state === 'closing'
    this.state = 'dead'
    if (wasOpen && !isSilent) this.#put('reset')
    this.owner.forgetLink(this)
  }

  /** The owner's machine is back and knows nothing of this link: whoever sends on it is told so. */
  resurrect(): void {
    const other = this.other
    if (other.state === 'closed' || other.state === 'dead') return
    if (other.#pipeBytes > 0) other.#answerWithReset()
    else other.#resetsOnSend = true
  }

  /** From now on nothing arrives in either direction and nobody is told, as behind a lost NAT entry. */
  blackHole(): void {
    this.#isBlackHole = true
    this.other.#isBlackHole = true
  }

  /** The owner, who dialled, lost interest before the link was open. */
  abandon(): void {
    if (this.state !== 'opening') return
    this.state = 'closed'
    this.#put('ended')
  }

  /** One bit of the next write from this end arrives wrong. */
  flipNextBit(): void {
    this.#flipNextBit = true
  }

  /** Tells the other end, through the pipe, that its dial was accepted. */
  announceOpened(): void {
    this.#put('opened')
  }

  /** Looks again whether something can be delivered: a partition healed, a reader resumed. */
  wake(): void {
    const head = this.#pipe[0]
    if (head !== undefined) this.#scheduleAt(Math.max(head.arrivesMs, this.#readerFreeMs))
  }

  due(): void {
    const { schedule } = this.#world
    if (schedule.nowMs < this.#scheduledMs) return
    this.#scheduledMs = Infinity
    const other = this.other
    while (this.#canDeliver()) {
      const rate = other.owner.receiveBytesPerSecond
      const content = this.#takeArrived(this.#maxReadBytes(rate))
      if (typeof content === 'string') {
        other.#onMark(content)
        continue
      }
      if (rate !== Infinity) {
        this.#readerFreeMs = schedule.nowMs + (content.length * 1_000) / rate
      }
      if (other.state === 'open') {
        other.owner.receive({ type: 'link-bytes', link: other.link, bytes: content })
      }
      this.flush()
    }
    if (this.#pipe.length === 0) return
    if (this.#world.isBlocked(this.owner, other.owner)) this.#world.wakeAfterHeal(this)
    else if (!this.#isStanding()) this.wake()
  }

  #isStanding(): boolean {
    const other = this.other
    return (
      this.#isBlackHole ||
      other.owner.isPaused ||
      other.state === 'dead' ||
      this.#world.isBlocked(this.owner, other.owner)
    )
  }

  #canDeliver(): boolean {
    const head = this.#pipe[0]
    const { nowMs } = this.#world.schedule
    return (
      head !== undefined &&
      head.arrivesMs <= nowMs &&
      this.#readerFreeMs <= nowMs &&
      !this.#isStanding()
    )
  }

  /** A slow reader takes small bites, ten a second. */
  #maxReadBytes(rate: number): number {
    return Math.max(1, Math.min(this.#world.conditions.readBytes, Math.floor(rate / 10)))
  }

  /** A mark, or the bytes that have arrived, up to one read. */
  #takeArrived(maxBytes: number): Uint8Array | Mark {
    const first = this.#pipe[0]
    if (first !== undefined && typeof first.content === 'string') {
      this.#pipe.shift()
      return first.content
    }
    const { nowMs } = this.#world.schedule
    const second = this.#pipe[1]
    const isAlone = second === undefined || second.arrivesMs > nowMs
    if (first !== undefined && isAlone && first.content.length <= maxBytes) {
      this.#pipe.shift()
      this.#pipeBytes -= first.content.length
      return first.content
    }
    const pieces: Uint8Array[] = []
    let byteCount = 0
    let count = 0
    for (const { arrivesMs, content } of this.#pipe) {
      if (arrivesMs > nowMs || typeof content === 'string' || byteCount >= maxBytes) break
      const room = maxBytes - byteCount
      pieces.push(content.length > room ? content.subarray(0, room) : content)
      if (content.length > room) this.#pipe[count] = { arrivesMs, content: content.subarray(room) }
      else count += 1
      byteCount += Math.min(content.length, room)
    }
    if (count === 1) this.#pipe.shift()
    else this.#pipe.splice(0, count)
    this.#pipeBytes -= byteCount
    return concatenate(pieces, byteCount)
  }

  #onMark(mark: Mark): void {
    switch (mark) {
      case 'opened':
        this.onOpened?.()
        return
      case 'ended':
        this.#leave(this.#closeReason ?? new P2pError('P2P_LINK_CLOSED', 'the other end closed'))
        return
      case 'reset':
        this.#leave(new P2pError('P2P_LINK_LOST', 'the other end went away'))
    }
  }

  #transmit(bytes: Uint8Array): void {
    const { conditions, random } = this.#world
    const sent = this.#flipNextBit ? withFlippedBit(bytes, random) : bytes
    if (this.#flipNextBit) this.wasCorrupted = true
    this.#flipNextBit = false
    if (this.#resetsOnSend) this.#answerWithReset()
    if (bytes.length < 2 || !random.chance(conditions.splitChance)) {
      this.#put(sent)
      return
    }
    let start = 0
    for (let pieces = 1 + random.below(3); pieces > 0 && start < sent.length - 1; pieces -= 1) {
      const end = start + 1 + random.below(sent.length - start - 1)
      this.#put(sent.subarray(start, end))
      // The next piece is read separately, sometimes in the same millisecond.
      this.#lastArrivalMs += random.below(3)
      start = end
    }
    this.#put(sent.subarray(start))
  }

  #put(content: Uint8Array | Mark): void {
    const { conditions, random, schedule } = this.#world
    const jitterMs = conditions.jitterMs > 0 ? random.between(0, conditions.jitterMs) : 0
    const arrivesMs = Math.max(this.#lastArrivalMs, schedule.nowMs + this.latencyMs + jitterMs)
    this.#lastArrivalMs = arrivesMs
    this.#pipe.push({ arrivesMs, content })
    if (typeof content !== 'string') this.#pipeBytes += content.length
    this.#scheduleAt(arrivesMs)
  }

  #scheduleAt(atMs: number): void {
    if (atMs >= this.#scheduledMs) return
    this.#scheduledMs = atMs
    this.#world.schedule.at(atMs, this)
  }

  /** The queue is empty, or given up: the end of the stream goes out, and the owner hears of it. */
  #finish(): void {
    this.#put('ended')
    const reason = this.#closeReason ?? new P2pError('P2P_LINK_CLOSED', 'closed')
    this.#after(0, () => {
      this.#leave(reason)
    })
  }

  #cut(reason: P2pError): void {
    if (this.state !== 'open' && this.state !== 'closing') return
    this.state = 'closing'
    this.#closeReason = reason
    this.#finish()
  }

  /** The owner is told, once, that the link is gone. */
  #leave(reason: P2pError): void {
    if (this.state !== 'open' && this.state !== 'closing') return
    this.state = 'closed'
    this.owner.forgetLink(this)
    this.owner.receive({ type: 'link-closed', link: this.link, reason })
  }

  #answerWithReset(): void {
    this.#resetsOnSend = false
    this.#after(2 * this.latencyMs, () => {
      this.#leave(new P2pError('P2P_LINK_LOST', 'the other end knows nothing of this link'))
    })
  }

  #watchForStall(): void {
    const atMono = this.#queue.nextDeadline()
    if (atMono === Infinity || this.#watchesForStall) return
    this.#watchesForStall = true
    this.#after(Math.max(0, atMono - this.owner.monoMs()), () => {
      this.#watchesForStall = false
      if (this.state !== 'open') return
      if (this.#queue.isStalled(this.owner.monoMs())) {
        this.#cut(new P2pError('P2P_LINK_STALLED', 'the other end does not read'))
      } else {
        this.#watchForStall()
      }
    })
  }

  #after(delayMs: number, due: () => void): void {
    this.#world.schedule.at(this.#world.schedule.nowMs + delayMs, { due })
  }
}

function concatenate(pieces: readonly Uint8Array[], byteCount: number): Uint8Array {
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined) return only
  const joined = new Uint8Array(byteCount)
  let offset = 0
  for (const piece of pieces) {
    joined.set(piece, offset)
    offset += piece.length
  }
  return joined
}

function withFlippedBit(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const flipped = bytes.slice()
  const index = random.below(bytes.length)
  flipped[index] = (flipped[index] ?? 0) ^ (1 << random.below(8))
  return flipped
}
