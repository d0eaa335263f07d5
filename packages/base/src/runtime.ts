/**
 * Drives one machine over real transports. The only place with clocks, timers and secure randomness.
 *
 *   link events, commands, the timer ─▶ machine.handle ─▶ effects, carried out in order
 *
 * - One input at a time. A command given while effects are carried out (a handler that answers) waits
 *   until they are done.
 * - What is sent waits in the queue of its link until the turn of the event loop ends, and leaves
 *   with one write per link. A link whose transport asks to wait gets no more until it drains; the
 *   queue decides what is dropped and when a link is cut (send-queue.ts).
 * - One timer per node, for the machine's next deadline and for stalled links. A deadline that is there
 *   already waits for the end of the turn, not for a timer: so a machine can gather what one turn brings.
 * - `close()` ends everything that was begun: listeners, dials, links, the timer.
 */
import { parseAddress } from './protocol/address.ts'
import { P2pError, isP2pError } from './protocol/errors.ts'
import type { NodeLimits } from './protocol/limits.ts'
import type { DialId, LinkEffect, LinkId, LinkInput } from './protocol/link.ts'
import type { Machine, Now } from './protocol/machine.ts'
import { SendQueue } from './protocol/send-queue.ts'
import { scheduleTurnEnd } from './turn-end.ts'
import type { Link, Listener, Transport } from './transport.ts'

interface Typed {
  readonly type: string
}

export interface RuntimeOptions<Command extends Typed, Emitted extends Typed> {
  readonly machine: Machine<LinkInput | Command, LinkEffect | Emitted>
  readonly transports: readonly Transport[]
  readonly limits: NodeLimits
  /** Called for every effect that is not one of links, after `handle` returned. Must not throw. */
  readonly onEffect: (effect: Emitted) => void
  /** Called with what our own code threw while it handled something from outside: a bug to report. */
  readonly onFailure: (error: unknown) => void
  readonly logger?: Logger | undefined
}

/** A place for lines that help to find faults; nothing is logged by default. */
export interface Logger {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** What one link holds and has lost, for reports. */
export interface LinkReport {
  readonly link: LinkId
  readonly remote: string
  readonly queuedBytes: number
  readonly droppedAnnouncements: number
  readonly droppedRelays: number
}

interface OpenLink {
  readonly id: LinkId
  readonly link: Link
  readonly queue: SendQueue
  /** Why we are closing it. */
  reason: P2pError | undefined
}

/** With more than this waiting in one turn, the first write does not wait for its end. */
const earlyWriteBytes = 1_048_576
/** Longest delay a timer takes. */
export const maxTimerMs = 2_147_483_647
/** How long links may take to flush and end when the node closes. */
const closeGraceMs = 1_000

export class Runtime<Command extends Typed, Emitted extends Typed> {
  readonly #options: RuntimeOptions<Command, Emitted>
  readonly #links = new Map<LinkId, OpenLink>()
  readonly #dials = new Map<DialId, AbortController>()
  readonly #dialTasks = new Set<Promise<void>>()
  readonly #listeners: Listener[] = []
  readonly #dirty = new Set<OpenLink>()
  readonly #blocked = new Set<OpenLink>()
  readonly #waiting: (LinkInput | Command)[] = []
  #isInTurn = false
  #isTurnEndScheduled = false
  #isEndingTurn = false
  #isClosing = false
  #nextLinkId = 1
  /** Monotonic time of the input that is being handled. */
  #stepMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerMs = Infinity
  #closed: Promise<void> | undefined
  #onLinkGone: () => void = () => undefined

  constructor(options: RuntimeOptions<Command, Emitted>) {
    this.#options = options
  }

  /** Links, dials, listeners and timers that are open: 0 after `close()`. */
  get handleCount(): number {
    const timers = this.#timer === undefined ? 0 : 1
    return this.#links.size + this.#dials.size + this.#listeners.length + timers
  }

  get linkReports(): readonly LinkReport[] {
    return [...this.#links.values()].map(({ id, link, queue }) => ({
      link: id,
      remote: link.remote,
      queuedBytes: queue.queuedBytes,
      ...queue.counters,
    }))
  }

  now(): Now {
    return { monoMs: performance.now(), utcSeconds: Date.now() / 1_000 }
  }

  /** Gives the machine a command. Ignored once the runtime is closing. */
  command(command: Command): void {
    this.#take(command)
  }

  /** Listens; resolves with the addresses that were bound and that others can dial. */
  async listen(
    address: string,
  ): Promise<{ readonly address: string; readonly advertised: string }> {
    const transport = this.#transportFor(address)
    if (transport.listen === undefined) {
      throw new P2pError('P2P_CANNOT_LISTEN', `nobody can listen on ${address}`)
    }
    const listener = await transport.listen(address, (link) => {
      this.#onLink(link, undefined)
    })
    if (this.#isClosing) {
      await listener.close()
      throw new P2pError('P2P_CLOSED', 'the node was closed')
    }
    this.#listeners.push(listener)
    return { address: listener.address, advertised: listener.advertised ?? listener.address }
  }

  /** Ends everything; resolves when nothing is left open. May be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #take(input: LinkInput | Command): void {
    if (this.#isClosing) return
    this.#waiting.push(input)
    if (this.#isInTurn) return
    this.#isInTurn = true
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#step(next, next === input && !isLinkInput(next))
      }
    } finally {
      this.#isInTurn = false
    }
    // The end of the turn sets it once for all that came in together.
    if (!this.#isTurnEndScheduled) this.#setTimer()
  }

  /** What a command given from outside a turn makes our code throw is for its giver. */
  #step(input: LinkInput | Command, mayThrow: boolean): void {
    try {
      const now = this.now()
      this.#stepMs = now.monoMs
      for (const effect of this.#options.machine.handle(input, now)) this.#carryOut(effect)
    } catch (error) {
      if (mayThrow) throw error
      this.#options.onFailure(error)
    }
  }

  #carryOut(effect: LinkEffect | Emitted): void {
    if (!isLinkEffect(effect)) {
      this.#options.onEffect(effect)
      return
    }
    switch (effect.type) {
      case 'send': {
        const open = this.#links.get(effect.link)
        if (open !== undefined) this.#queue(open, effect)
        return
      }
      case 'dial':
        // A handler may close the node while the effects of a step are carried out.
        if (!this.#isClosing) this.#startDial(effect)
        return
      case 'cancel-dial':
        this.#dials.get(effect.dial)?.abort()
        return
      case 'close': {
        const open = this.#links.get(effect.link)
        if (open !== undefined) this.#closeLink(open, effect.reason)
      }
    }
  }

  // Sending

  #queue(open: OpenLink, effect: Extract<LinkEffect, { type: 'send' }>): void {
    if (open.reason !== undefined) return
    const { queue, id } = open
    if (effect.toPython === true) queue.useFramingForPython()
    const outcome = queue.push(effect.bytes, effect.priority, this.#stepMs)
    if (outcome === 'overflow') {
      const text = 'the peer does not read, the queue is full'
      this.#cut(open, new P2pError('P2P_LINK_OVERFLOW', text))
      return
    }
    if (outcome === 'dropped') {
      this.#options.logger?.debug('send queue full, frame dropped', { link: id })
      return
    }
    if (queue.queuedBytes >= earlyWriteBytes) {
      this.#write(open)
      return
    }
    this.#dirty.add(open)
    this.#scheduleTurnEnd()
  }

  #scheduleTurnEnd(): void {
    if (this.#isTurnEndScheduled) return
    this.#isTurnEndScheduled = true
    scheduleTurnEnd(() => {
      this.#isEndingTurn = true
      this.#handleDue()
      this.#isEndingTurn = false
      this.#isTurnEndScheduled = false
      this.#flush()
    })
  }

  /** What the machine put off to the end of the turn leaves in the same write as all the rest. */
  #handleDue(): void {
    const monoMs = performance.now()
    for (const open of [...this.#blocked]) {
      if (!open.queue.isStalled(monoMs)) continue
      this.#cut(open, new P2pError('P2P_LINK_STALLED', 'the peer does not read'))
    }
    if (this.#options.machine.nextDeadline() <= monoMs) this.#take({ type: 'deadline' })
  }

  #flush(): void {
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    for (const open of dirty) this.#write(open)
    this.#setTimer()
  }

  #write(open: OpenLink): void {
    while (!this.#blocked.has(open)) {
      const bytes = open.queue.take()
      if (bytes === undefined) return
      if (open.link.send(bytes)) open.queue.onWritten(performance.now())
      else this.#blocked.add(open)
    }
  }

  // Links

  #startDial(effect: Extract<LinkEffect, { type: 'dial' }>): void {
    const abort = new AbortController()
    this.#dials.set(effect.dial, abort)
    const task = this.#dial(effect, abort).finally(() => this.#dialTasks.delete(task))
    this.#dialTasks.add(task)
  }

  async #dial(
    { dial, address, timeoutMs }: Extract<LinkEffect, { type: 'dial' }>,
    abort: AbortController,
  ): Promise<void> {
    try {
      const transport = this.#transportFor(address)
      const link = await transport.dial(address, { signal: abort.signal, timeoutMs })
      this.#dials.delete(dial)
      if (this.#isClosing || abort.signal.aborted) link.destroy()
      else this.#onLink(link, dial)
    } catch (cause) {
      this.#dials.delete(dial)
      const error = isP2pError(cause)
        ? cause
        : new P2pError('P2P_DIAL_FAILED', `cannot reach ${address}`, { cause })
      this.#take({ type: 'dial-failed', dial, error })
    }
  }

  #transportFor(address: string): Transport {
    const scheme = parseAddress(address)?.transport
    if (scheme === undefined) throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no address`)
    const transport = this.#options.transports.find(({ schemes }) => schemes.includes(scheme))
    if (transport !== undefined) return transport
    throw new P2pError('P2P_NO_TRANSPORT', `no transport for ${scheme}`)
  }

  #onLink(link: Link, dial: DialId | undefined): void {
    if (this.#isClosing) {
      link.destroy()
      return
    }
    const id = this.#nextLinkId
    this.#nextLinkId += 1
    const queue = new SendQueue(this.#options.limits)
    const open: OpenLink = { id, link, queue, reason: undefined }
    this.#links.set(id, open)
    const { transport, remote } = link
    // The machine first: what the link says when it is attached belongs to a link it knows.
    this.#take({ type: 'link-open', link: id, transport, remote, dial })
    link.attach({
      onBytes: (bytes) => {
        if (open.reason === undefined) this.#take({ type: 'link-bytes', link: id, bytes })
      },
      onHeld: (byteCount) => {
        if (open.reason === undefined) this.#take({ type: 'link-held', link: id, byteCount })
      },
      onDrain: () => {
        this.#blocked.delete(open)
        queue.onWritten(performance.now())
        this.#write(open)
      },
      onClose: (error) => {
        this.#onLinkClosed(open, error)
      },
    })
  }

  #onLinkClosed(open: OpenLink, error: P2pError | undefined): void {
    this.#links.delete(open.id)
    this.#onLinkGone()
    const ended = error ?? new P2pError('P2P_LINK_CLOSED', 'the other end closed it')
    this.#end(open, ended)
    this.#take({ type: 'link-closed', link: open.id, reason: open.reason ?? ended })
  }

  /** Writes what waits, then closes. */
  #closeLink(open: OpenLink, reason: P2pError): void {
    if (!this.#end(open, reason)) return
    for (let bytes = open.queue.take(); bytes !== undefined; bytes = open.queue.take()) {
      open.link.send(bytes)
    }
    open.link.close()
  }

  #cut(open: OpenLink, reason: P2pError): void {
    if (this.#end(open, reason)) open.link.destroy()
  }

  /** A link that ends is neither written to nor watched any more. False when it ended before. */
  #end(open: OpenLink, reason: P2pError): boolean {
    if (open.reason !== undefined) return false
    open.reason = reason
    this.#dirty.delete(open)
    this.#blocked.delete(open)
    return true
  }

  // Time

  /** Arms the timer when something is due earlier than it goes off; a later one re-arms itself. */
  #setTimer(): void {
    if (this.#isClosing) return
    let nextMs = this.#options.machine.nextDeadline()
    for (const { queue } of this.#blocked) nextMs = Math.min(nextMs, queue.nextDeadline())
    if (nextMs >= this.#timerMs) return
    const monoMs = performance.now()
    if (nextMs <= monoMs && !this.#isEndingTurn) {
      this.#scheduleTurnEnd()
      return
    }
    clearTimeout(this.#timer)
    this.#timerMs = nextMs
    const delayMs = Math.min(Math.max(0, Math.ceil(nextMs - monoMs)), maxTimerMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#timerMs = Infinity
      // Not at once: after a sleep of the machine or a long task, what has come in meanwhile shows who is alive.
      this.#scheduleTurnEnd()
    }, delayMs)
  }

  // The end

  async #close(): Promise<void> {
    this.#handleDue()
    this.#flush()
    this.#isClosing = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const abort of this.#dials.values()) abort.abort()
    const reason = new P2pError('P2P_CLOSED', 'the node was closed')
    const listeners = this.#listeners.splice(0).map((listener) => listener.close())
    for (const open of this.#links.values()) this.#closeLink(open, reason)
    await this.#allLinksGone()
    await Promise.all([...listeners, ...this.#dialTasks])
  }

  async #allLinksGone(): Promise<void> {
    if (this.#links.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const { link } of this.#links.values()) link.destroy()
      }, closeGraceMs)
      this.#onLinkGone = () => {
        if (this.#links.size > 0) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function isLinkInput(input: Typed): input is LinkInput {
  const { type } = input
  return type.startsWith('link-') || type === 'dial-failed' || type === 'deadline'
}

function isLinkEffect(effect: Typed): effect is LinkEffect {
  const { type } = effect
  return type === 'send' || type === 'dial' || type === 'cancel-dial' || type === 'close'
}
