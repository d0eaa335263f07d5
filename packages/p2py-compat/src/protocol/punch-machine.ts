/**
 * How one side punches through two NATs, decided in virtual time; sockets are in `punch/`.
 *
 * Theory of operation. A NAT lets a packet in only where one went out before, so both sides connect to
 * each other's outside address at the same time: the SYNs cross, and TCP makes one connection of two
 * `connect` calls. Where a NAT answers stray SYNs with a reset the SYNs must cross: each has to leave
 * before the other's arrives. A connect that fails took one round trip; whoever tries again after a
 * pause much shorter than that nearly always has a SYN under way. Retries on a fixed beat can miss each
 * other for ever, so the pause is random, up to half of what the failed connect took (in
 * punch-machine.test.ts two machines meet that way). A NAT is *independent* when it gives one outside port to one inside port whatever the
 * destination. When one side's is not, its port towards the peer is unknown: that side opens many
 * sockets, the other probes random ports, and by the birthday paradox one pair meets
 * (256 sockets, 1,024 probes of 64,512 ports: 98 %). When both are dependent, only a relay helps.
 *
 * A connection counts when the peer's token came over it. The requester chooses: it keeps the first
 * such connection and says so on it; both sides drop all others.
 *
 * Source: RFC 5128, 3.4 and 3.5; measured recipe: research notes on reliability, section 8;
 * p2py 0.23 p2p.py, hole_punching (step 5 of spec p2py, 9), which cannot work there.
 */
import type { Machine, Now, RandomBytes } from '@p2p/base'
import type { NodeAddress } from './node-address.ts'

export interface PunchPlan {
  /** Outside address of the peer, as the rendezvous server saw it. */
  readonly peer: NodeAddress
  readonly isIndependent: boolean
  readonly isPeerIndependent: boolean
  /** The requester chooses the connection that is kept. */
  readonly isRequester: boolean
}

export interface PunchLimits {
  /** Between two independent NATs: the other side may be told late. */
  readonly maxDurationMs: number
  /** With a dependent one: all probes, each repeated once by the system, and the ways there and back. */
  readonly maxProbingMs: number
  readonly maxSockets: number
  readonly maxProbes: number
}

export const defaultPunchLimits: PunchLimits = {
  maxDurationMs: 15_000,
  maxProbingMs: 5_000,
  maxSockets: 256,
  maxProbes: 1_024,
}

export type PunchInput =
  | { readonly type: 'start' }
  | { readonly type: 'connected'; readonly attempt: number }
  | { readonly type: 'failed'; readonly attempt: number }
  /** The peer's token came over this connection; `keep` when he chose it. */
  | { readonly type: 'greeted'; readonly attempt: number; readonly keep: boolean }
  | { readonly type: 'deadline' }

export type PunchEffect =
  | {
      readonly type: 'connect'
      readonly attempt: number
      readonly address: NodeAddress
      /** From the port of the rendezvous connection, whose outside port the peer knows. */
      readonly fromKnownPort: boolean
    }
  | { readonly type: 'greet'; readonly attempt: number; readonly keep: boolean }
  | { readonly type: 'drop'; readonly attempt: number }
  | { readonly type: 'won'; readonly attempt: number }
  | { readonly type: 'lost' }

/** The longest pause is at least this, so that a near peer is not dialled without pause. */
const minPauseMs = 5
/** Whoever was reset for so long tries more seldom: the other side is late, or will not come. */
const eagerMs = 3_000
const seldomFactor = 8
/**
 * The side with the open sockets gets a head start for opening them; both are told at the same time.
 * A probe that comes too early is lost, and the system repeats it a second later.
 */
const probeDelayMs = 50
const probesAtOnce = 32
const probeBeatMs = 20
const firstProbedPort = 1_024
const probedPorts = 65_536 - firstProbedPort

export class PunchMachine implements Machine<PunchInput, PunchEffect> {
  readonly #plan: PunchPlan
  readonly #limits: PunchLimits
  readonly #randomBytes: RandomBytes
  readonly #probed = new Set<number>()
  readonly #open = new Set<number>()
  #nextAttempt = 1
  /** When the next connect is due; Infinity while none is planned. */
  #nextMs = Infinity
  #endMs = Infinity
  #triedMs = 0
  #isOver = false

  constructor(plan: PunchPlan, randomBytes: RandomBytes, limits: Partial<PunchLimits> = {}) {
    this.#plan = plan
    this.#randomBytes = randomBytes
    this.#limits = { ...defaultPunchLimits, ...limits }
  }

  nextDeadline(): number {
    return this.#isOver ? Infinity : Math.min(this.#nextMs, this.#endMs)
  }

  handle(input: PunchInput, now: Now): readonly PunchEffect[] {
    if (this.#isOver) return []
    switch (input.type) {
      case 'start':
        return this.#start(now)
      case 'connected':
        return [{ type: 'greet', attempt: input.attempt, keep: false }]
      case 'failed':
        return this.#onFailed(input.attempt, now)
      case 'greeted':
        return this.#onGreeted(input.attempt, input.keep)
      case 'deadline':
        return this.#onDeadline(now)
    }
  }

  #start(now: Now): readonly PunchEffect[] {
    const { isIndependent, isPeerIndependent, peer } = this.#plan
    if (!isIndependent && !isPeerIndependent) return this.#lose()
    const { maxDurationMs, maxProbingMs } = this.#limits
    const isProbing = !isIndependent || !isPeerIndependent
    this.#endMs = now.monoMs + (isProbing ? maxProbingMs : maxDurationMs)
    if (!isProbing) return [this.#try(now)]
    if (isIndependent) {
      this.#nextMs = now.monoMs + probeDelayMs
      return []
    }
    const effects: PunchEffect[] = []
    for (let count = 0; count < this.#limits.maxSockets; count += 1) {
      effects.push(this.#connect(peer, false))
    }
    return effects
  }

  #onFailed(attempt: number, now: Now): readonly PunchEffect[] {
    this.#open.delete(attempt)
    const { isIndependent, isPeerIndependent } = this.#plan
    if (isIndependent && isPeerIndependent && this.#open.size === 0) {
      const isEager = now.monoMs < this.#endMs - this.#limits.maxDurationMs + eagerMs
      const pauseMs = Math.max(minPauseMs, (now.monoMs - this.#triedMs) / 2)
      this.#nextMs = now.monoMs + this.#random() * pauseMs * (isEager ? 1 : seldomFactor)
    }
    return []
  }

  #onGreeted(attempt: number, keep: boolean): readonly PunchEffect[] {
    const { isRequester } = this.#plan
    if (!isRequester && !keep) return []
    this.#isOver = true
    this.#open.delete(attempt)
    const effects: PunchEffect[] = isRequester ? [{ type: 'greet', attempt, keep: true }] : []
    effects.push({ type: 'won', attempt })
    for (const other of this.#open) effects.push({ type: 'drop', attempt: other })
    return effects
  }

  #onDeadline(now: Now): readonly PunchEffect[] {
    if (now.monoMs >= this.#endMs) return this.#lose()
    if (now.monoMs < this.#nextMs) return []
    this.#nextMs = Infinity
    if (this.#plan.isPeerIndependent) return [this.#try(now)]
    return this.#probe(now)
  }

  #try(now: Now): PunchEffect {
    this.#triedMs = now.monoMs
    return this.#connect(this.#plan.peer, true)
  }

  #probe(now: Now): readonly PunchEffect[] {
    const effects: PunchEffect[] = []
    const last = Math.min(this.#probed.size + probesAtOnce, this.#limits.maxProbes)
    while (this.#probed.size < last) {
      const port = this.#unprobedPort()
      effects.push(this.#connect({ host: this.#plan.peer.host, port }, true))
    }
    if (this.#probed.size < this.#limits.maxProbes) this.#nextMs = now.monoMs + probeBeatMs
    return effects
  }

  #unprobedPort(): number {
    for (;;) {
      const port = firstProbedPort + (this.#draw(2) % probedPorts)
      if (this.#probed.has(port)) continue
      this.#probed.add(port)
      return port
    }
  }

  #connect(address: NodeAddress, fromKnownPort: boolean): PunchEffect {
    const attempt = this.#nextAttempt++
    this.#open.add(attempt)
    return { type: 'connect', attempt, address, fromKnownPort }
  }

  #lose(): readonly PunchEffect[] {
    this.#isOver = true
    const drops = [...this.#open].map((attempt): PunchEffect => ({ type: 'drop', attempt }))
    return [...drops, { type: 'lost' }]
  }

  #random(): number {
    return this.#draw(1) / 255
  }

  /** A random number of so many bytes. */
  #draw(byteCount: number): number {
    return this.#randomBytes(byteCount).reduce((number, byte) => number * 256 + byte, 0)
  }
}
