/**
 * A node under simulation: it drives one machine, as the runtime drives it over real sockets.
 *
 * It hands inputs to the machine one at a time, carries out the effects in order, writes what was
 * sent in one turn with one write per link, and asks for the next deadline after every call. It can
 * crash and start again, with or without its store, and stand still for a while with everything
 * that happens meanwhile waiting for it.
 */
import type { DialId, LinkEffect, LinkId, LinkInput } from '../protocol/link.ts'
import type { Machine, Now, RandomBytes } from '../protocol/machine.ts'
import { builtInInvariants } from './failure.ts'
import type { LinkEnd } from './link-end.ts'
import type { Network, NetworkNode } from './network.ts'
import type { SeededRandom } from './random.ts'
import type { Due, Schedule } from './schedule.ts'
import { Transcript } from './trace.ts'

interface Typed {
  readonly type: string
}

/** What a node gets each time it starts. */
export interface NodeBoot {
  readonly name: string
  /** The first address it listens at; undefined when it does not listen. */
  readonly address: string | undefined
  /** How many times it was started before. */
  readonly restarts: number
  readonly now: Now
  /** Take the place of secure randomness; other bytes after each start. */
  readonly randomBytes: RandomBytes
  readonly random: SeededRandom
  /** What outlives a crash, unless the crash takes it too. */
  readonly store: Map<string, Uint8Array>
}

export interface SimNodeOptions<Command extends Typed, Emitted extends Typed> {
  /** Unique; the default is `n` and a number. */
  readonly name?: string
  /** Address URLs; the default is one TCP address on a host of its own. Empty: it only dials. */
  readonly listen?: readonly string[]
  /** Added to the node's UTC clock. */
  readonly utcOffsetSeconds?: number
  /** Makes the machine; called at the start and after every crash. */
  create(boot: NodeBoot): Machine<LinkInput | Command, LinkEffect | Emitted>
  /** Called after every start, for the first commands. */
  onStart?(node: SimNode<Command, Emitted>, boot: NodeBoot): void
  /** Called for every effect that is not one of links. Commands given here run after this turn. */
  onEffect?(effect: Emitted, node: SimNode<Command, Emitted>): void
}

/** What nodes report to the simulator; internal. */
export interface NodeWorld {
  readonly schedule: Schedule
  readonly network: Network
  readonly utcStartSeconds: number
  onInput(node: HostedNode, input: Typed): void
  onOutput(node: HostedNode, effect: Typed): void
  onTurnEnd(node: HostedNode): void
  fail(node: HostedNode, invariant: string, detail: string, cause?: unknown): never
}

/** A node without its command and effect types: what faults and invariants work on. */
export interface HostedNode extends NetworkNode {
  readonly addresses: readonly string[]
  readonly store: Map<string, Uint8Array>
  readonly transcript: Transcript
  readonly restarts: number
  readonly links: ReadonlyMap<LinkId, LinkEnd>
  utcOffsetSeconds: number
  receiveBytesPerSecond: number
  /** Ends the process at once. Its peers see the links end, or nothing at all when `silent`. */
  crash(options?: CrashOptions): void
  /** Starts it again with a new machine. */
  restart(): void
  /** Stops it for so long; what happens meanwhile waits. */
  pause(durationMs: number): void
}

export interface CrashOptions {
  /** The store survives; default true. */
  readonly keepStore?: boolean
  /** The machine is off too: nobody is told, and dials are not even refused. Default false. */
  readonly silent?: boolean
}

/** A machine that wants a deadline again and again without time passing is stuck. */
const maxDeadlinesAtOnce = 1_000

export class SimNode<Command extends Typed, Emitted extends Typed> implements HostedNode, Due {
  readonly index: number
  readonly name: string
  readonly host: string
  readonly addresses: readonly string[]
  readonly store: Map<string, Uint8Array> = new Map<string, Uint8Array>()
  readonly transcript: Transcript
  restarts: number = 0
  utcOffsetSeconds: number
  receiveBytesPerSecond: number = Infinity
  isSilentWhenDown: boolean = false
  readonly #options: SimNodeOptions<Command, Emitted>
  readonly #world: NodeWorld
  readonly #random: SeededRandom
  readonly #links = new Map<LinkId, LinkEnd>()
  readonly #dials = new Map<DialId, () => void>()
  /** Ends on which this turn has sent, in the order of their first frames. */
  #toFlush: LinkEnd[] = []
  #machine: Machine<LinkInput | Command, LinkEffect | Emitted> | undefined
  #waiting: (LinkInput | Command)[] = []
  #isInTurn = false
  #pausedUntilMs = 0
  #timerMs = Infinity
  #deadlinesAtOnce = 0
  #lastDeadlineMs = -1
  #nextLink: LinkId = 1
  #monoStartMs = 0
  /** Ends that a silent crash left behind at the peers. */
  #orphans: LinkEnd[] = []

  constructor(
    options: SimNodeOptions<Command, Emitted>,
    place: {
      readonly index: number
      readonly name: string
      readonly host: string
      readonly addresses: readonly string[]
      readonly random: SeededRandom
      readonly world: NodeWorld
      readonly transcriptLength: number
    },
  ) {
    this.#options = options
    this.index = place.index
    this.name = place.name
    this.host = place.host
    this.addresses = place.addresses
    this.#random = place.random
    this.#world = place.world
    this.transcript = new Transcript(place.transcriptLength)
    this.utcOffsetSeconds = options.utcOffsetSeconds ?? 0
  }

  get isUp(): boolean {
    return this.#machine !== undefined
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#world.schedule.nowMs
  }

  get links(): ReadonlyMap<LinkId, LinkEnd> {
    return this.#links
  }

  /** The machine that runs now. Throws while the node is down. */
  get machine(): Machine<LinkInput | Command, LinkEffect | Emitted> {
    if (this.#machine === undefined) throw new Error(`${this.name} is down`)
    return this.#machine
  }

  monoMs(): number {
    return this.#world.schedule.nowMs + this.#monoStartMs
  }

  now(): Now {
    const { schedule, utcStartSeconds } = this.#world
    const utcSeconds = utcStartSeconds + schedule.nowMs / 1_000 + this.utcOffsetSeconds
    return { monoMs: this.monoMs(), utcSeconds }
  }

  /** Gives the machine a command, now; within a turn of this node, right after the turn. */
  command(command: Command): void {
    this.#take(command)
  }

  /** Starts the machine; the simulator does it when the node is added. */
  start(): void {
    const random = this.#random.fork(`start ${this.restarts}`)
    // Monotonic clocks of two machines have nothing to do with each other.
    this.#monoStartMs = random.below(1_000_000)
    const boot: NodeBoot = {
      name: this.name,
      address: this.addresses[0],
      restarts: this.restarts,
      now: this.now(),
      randomBytes: (count) => random.bytes(count),
      random,
      store: this.store,
    }
    this.#machine = this.#options.create(boot)
    this.#world.onInput(this, { type: 'start' })
    this.#options.onStart?.(this, boot)
    this.#setTimer()
  }

  crash({ keepStore = true, silent = false }: CrashOptions = {}): void {
    if (this.#machine === undefined) return
    this.#world.onInput(this, { type: 'crash' })
    this.#machine = undefined
    this.isSilentWhenDown = silent
    this.#waiting = []
    this.#pausedUntilMs = 0
    this.#timerMs = Infinity
    this.#toFlush = []
    for (const cancel of this.#dials.values()) cancel()
    this.#dials.clear()
    for (const end of [...this.#links.values()]) {
      end.die(silent)
      if (silent) this.#orphans.push(end)
    }
    if (!keepStore) this.store.clear()
  }

  restart(): void {
    if (this.#machine !== undefined) return
    this.restarts += 1
    this.isSilentWhenDown = false
    this.#nextLink = 1
    this.start()
    for (const end of this.#orphans) end.resurrect()
    this.#orphans = []
  }

  pause(durationMs: number): void {
    if (!this.isUp) return
    const untilMs = this.#world.schedule.nowMs + durationMs
    if (untilMs <= this.#pausedUntilMs) return
    this.#pausedUntilMs = untilMs
    this.#world.schedule.at(untilMs, {
      due: () => {
        this.#resume()
      },
    })
  }

  takeLinkId(): LinkId {
    const link = this.#nextLink
    this.#nextLink += 1
    return link
  }

  addLink(end: LinkEnd): void {
    this.#links.set(end.link, end)
  }

  forgetLink(end: LinkEnd): void {
    if (this.#links.get(end.link) === end) this.#links.delete(end.link)
    this.#world.network.drop(end)
  }

  endDial(dial: DialId): void {
    this.#dials.delete(dial)
  }

  receive(input: LinkInput): void {
    this.#take(input)
  }

  /** The timer of the machine's next deadline went off. */
  due(): void {
    const { nowMs } = this.#world.schedule
    if (nowMs < this.#timerMs) return
    this.#timerMs = Infinity
    if (this.#machine === undefined || this.isPaused) return
    if (this.#machine.nextDeadline() > this.monoMs()) {
      this.#setTimer()
      return
    }
    this.#deadlinesAtOnce = this.#lastDeadlineMs === nowMs ? this.#deadlinesAtOnce + 1 : 0
    this.#lastDeadlineMs = nowMs
    if (this.#deadlinesAtOnce > maxDeadlinesAtOnce) {
      const detail = `${maxDeadlinesAtOnce} deadlines were handled, the next is still not later than now`
      this.#world.fail(this, builtInInvariants.deadlinesAdvance, detail)
    }
    this.#take({ type: 'deadline' })
  }

  #take(input: LinkInput | Command): void {
    if (this.#machine === undefined) return
    if (this.#isInTurn || this.isPaused) {
      this.#waiting.push(input)
      return
    }
    this.#turn(input)
    this.#drain()
    this.#setTimer()
  }

  #drain(): void {
    while (this.#waiting.length > 0 && !this.isPaused) {
      const waiting = this.#waiting
      this.#waiting = []
      for (const input of waiting) if (this.#machine !== undefined) this.#turn(input)
    }
  }

  #turn(input: LinkInput | Command): void {
    const machine = this.machine
    this.#world.onInput(this, input)
    this.#isInTurn = true
    for (const effect of this.#handle(machine, input)) {
      this.#world.onOutput(this, effect)
      this.#apply(effect)
      // An observer may crash the node; what is left of the turn never happens then.
      if (this.#machine !== machine) break
    }
    if (this.#toFlush.length > 0) this.#flush()
    this.#isInTurn = false
    this.#world.onTurnEnd(this)
  }

  #handle(
    machine: Machine<LinkInput | Command, LinkEffect | Emitted>,
    input: LinkInput | Command,
  ): readonly (LinkEffect | Emitted)[] {
    try {
      return machine.handle(input, this.now())
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      return this.#world.fail(this, builtInInvariants.handleNeverThrows, detail, error)
    }
  }

  #apply(effect: LinkEffect | Emitted): void {
    if (!isLinkEffect(effect)) {
      this.#options.onEffect?.(effect, this)
      return
    }
    switch (effect.type) {
      case 'send': {
        const end = this.#links.get(effect.link)
        if (end === undefined) return
        end.send(effect)
        // A turn sends on few links, mostly one frame on each.
        if (!this.#toFlush.includes(end)) this.#toFlush.push(end)
        return
      }
      case 'dial':
        this.#dials.set(effect.dial, this.#world.network.dial(this, effect))
        return
      case 'cancel-dial':
        this.#dials.get(effect.dial)?.()
        this.#dials.delete(effect.dial)
        return
      case 'close':
        this.#links.get(effect.link)?.close(effect.reason)
    }
  }

  #flush(): void {
    const ends = this.#toFlush
    this.#toFlush = []
    for (const end of ends) end.flush()
  }

  #setTimer(): void {
    if (this.#machine === undefined) return
    const atMs = Math.max(
      this.#machine.nextDeadline() - this.#monoStartMs,
      this.#world.schedule.nowMs,
    )
    if (atMs >= this.#timerMs) return
    this.#timerMs = atMs
    this.#world.schedule.at(atMs, this)
  }

  #resume(): void {
    if (this.isPaused || this.#machine === undefined) return
    this.#drain()
    for (const end of [...this.#links.values()]) end.other.wake()
    this.#setTimer()
  }
}

/** A machine's own effects must not use the names of link effects. */
function isLinkEffect<Emitted extends Typed>(effect: LinkEffect | Emitted): effect is LinkEffect {
  const { type } = effect
  return type === 'send' || type === 'dial' || type === 'cancel-dial' || type === 'close'
}
