/**
 * What the nodes of a simulated p2py network were ordered to do, and how each order ended. A message
 * that was handed over has to arrive, once, at the node that had the UUID, unless that node ended about
 * that time; one that was not must have failed with a reason.
 */
import type { HostedNode, Invariant, Simulator } from '@p2p/base/sim'

/** Longer than the slowest way to an answer: a dial, three searches, a dial, all without an answer. */
const maxAnswerMs = 30_000
/** A message on its way to a node that ends has this long to arrive before that excuses it. */
const flightMs = 2_000

interface Message {
  readonly from: HostedNode
  readonly uuid: number
  /** Who had the UUID when it was sent, or had it last; undefined when nobody ever did. */
  readonly to: HostedNode | undefined
  readonly sentMs: number
  /** In a calm network there is no reason to fail. */
  readonly mustArrive: boolean
  endedMs: number | undefined
  failedWith: string | undefined
  arrivedMs: number | undefined
}

export class P2pyLedger {
  readonly #sim: Simulator
  readonly #messages = new Map<string, Message>()
  readonly #endedNodes = new Map<HostedNode, number>()
  /** Sent and not looked at yet, oldest first. */
  readonly #open = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timesMs: number[] = []
  #fault: string | undefined
  #delivered = 0
  #expected = 0
  #duplicates = 0
  #lost = 0

  constructor(sim: Simulator) {
    this.#sim = sim
  }

  get totals(): {
    readonly delivered: number
    readonly expected: number
    readonly duplicates: number
    readonly lost: number
  } {
    return {
      delivered: this.#delivered,
      expected: this.#expected,
      duplicates: this.#duplicates,
      lost: this.#lost,
    }
  }

  /** How many messages failed, by code. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures
  }

  /** From order to arrival, of those messages that arrived. */
  get timesMs(): readonly number[] {
    return this.#timesMs
  }

  sent(key: string, message: Pick<Message, 'from' | 'uuid' | 'to' | 'mustArrive'>): void {
    const sentMs = this.#sim.nowMs
    const state = { endedMs: undefined, failedWith: undefined, arrivedMs: undefined }
    this.#messages.set(key, { ...message, sentMs, ...state })
    this.#open.add(key)
  }

  /** The order has its answer; `code` when it failed. */
  answered(key: string, code: string | undefined): void {
    const message = this.#messages.get(key)
    if (message === undefined) return
    if (message.endedMs !== undefined) this.#fault = `${key} was answered twice`
    message.endedMs = this.#sim.nowMs
    message.failedWith = code
    if (code === '') this.#fault = `${key} failed without a reason`
    if (code !== undefined) this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1)
  }

  /** `uuid` is that of the node; null while it has not heard yet that it was let in. */
  arrived(key: string, at: HostedNode, uuid: number | null): void {
    const message = this.#messages.get(key)
    if (message === undefined) return
    if (message.arrivedMs !== undefined) {
      this.#duplicates += 1
      this.#fault = `${key} arrived twice, the second time at ${at.name}`
    } else if (uuid !== null && uuid !== message.uuid) {
      this.#fault = `${key} was for UUID ${message.uuid} and arrived at ${uuid}, ${at.name}`
    }
    message.arrivedMs = this.#sim.nowMs
    this.#timesMs.push(message.arrivedMs - message.sentMs)
    this.#delivered += 1
  }

  /** The node left or crashed. */
  ended(node: HostedNode): void {
    this.#endedNodes.set(node, this.#sim.nowMs)
  }

  /** Never twice, never at somebody else, never answered twice: whatever breaks. */
  readonly exactlyOnce: Invariant = {
    name: 'messages-arrive-at-most-once-and-where-they-should',
    afterTurn: () => this.#fault,
  }

  /** Every message has arrived, or failed with a reason. Looked at once each. */
  readonly arriveOrFail: Invariant = {
    name: 'messages-arrive-or-fail-with-a-reason',
    atRest: () => {
      for (const key of this.#open) {
        const message = this.#messages.get(key)
        this.#open.delete(key)
        if (message === undefined) continue
        this.#expected += message.to === undefined ? 0 : 1
        const detail = this.#faultOf(key, message)
        if (detail === undefined) continue
        this.#lost += 1
        return { detail, node: message.from }
      }
      return undefined
    },
  }

  #faultOf(key: string, message: Message): string | undefined {
    const { from, uuid, to, endedMs, failedWith, arrivedMs, sentMs, mustArrive } = message
    const way = `${key} from ${from.name} to UUID ${uuid}, sent at ${sentMs.toFixed(0)} ms,`
    if (endedMs === undefined) {
      if (this.#endedNodes.has(from)) return undefined
      return `${way} has no answer`
    }
    if (endedMs - sentMs > maxAnswerMs) return `${way} was answered after ${endedMs - sentMs} ms`
    if (failedWith !== undefined) return mustArrive ? `${way} failed: ${failedWith}` : undefined
    if (arrivedMs !== undefined) return undefined
    if (to === undefined) return `${way} was handed over to somebody`
    for (const node of [from, to]) {
      const nodeEndedMs = this.#endedNodes.get(node)
      if (nodeEndedMs !== undefined && nodeEndedMs < endedMs + flightMs) return undefined
    }
    return `${way} was handed over and never arrived`
  }
}
