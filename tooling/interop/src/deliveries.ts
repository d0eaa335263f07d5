/**
 * Counts what arrives where: how often each of a set of receivers got each message. Messages are known
 * by their title (exchange.ts), which is unique to each, so that one message under two ids counts twice.
 */
import { titleOf } from './exchange.ts'
import { isMessageEvent } from './node-process.ts'
import type { MessageEvent, NodeProcess } from './node-process.ts'

/** A message that one receiver got more than once. */
export interface Repeat {
  readonly title: string
  readonly sender: string
  readonly receiver: string
  /** First eight digits of the message id of each arrival; two differ when the sender made two messages of one. */
  readonly ids: readonly string[]
  readonly stamps: readonly string[]
  /** Between first and last arrival. */
  readonly gapMs: number
}

export interface DeliveryCount {
  readonly expected: number
  readonly missing: number
  /** How many of each sender's messages are among the missing. */
  readonly missingFrom: Readonly<Record<string, number>>
  /** Of those, how many none of the receivers got: they left the sender on no link, or were lost at once. */
  readonly unheardFrom: Readonly<Record<string, number>>
  readonly repeats: readonly Repeat[]
}

export class Deliveries {
  /** Receiver to title to arrivals. */
  readonly #arrivals = new Map<NodeProcess, Map<string, MessageEvent[]>>()
  /** Title to the node that said it. */
  readonly #senders = new Map<string, NodeProcess>()
  readonly #waits = new Set<(key: string) => void>()

  /** Counts what these get from now on. */
  constructor(receivers: readonly NodeProcess[]) {
    for (const receiver of receivers) {
      this.#arrivals.set(receiver, new Map())
      receiver.onEvent((event) => {
        if (isMessageEvent(event)) this.#note(receiver, event)
      })
    }
  }

  /** Say this before the message is sent. */
  expect(title: string, sender: NodeProcess): void {
    this.#senders.set(title, sender)
  }

  /** Resolves once these receivers have everything that these senders said; false when it takes too long. */
  async complete(timeoutMs: number, part: Part = {}): Promise<boolean> {
    const awaited = new Set<string>()
    for (const { title, receiver, arrivals } of this.#pairs(part)) {
      if (arrivals.length === 0) awaited.add(pairKey(receiver, title))
    }
    if (awaited.size === 0) return true
    return await new Promise((resolve) => {
      const settle = (isComplete: boolean): void => {
        clearTimeout(timer)
        this.#waits.delete(onArrival)
        resolve(isComplete)
      }
      const onArrival = (key: string): void => {
        if (awaited.delete(key) && awaited.size === 0) settle(true)
      }
      const timer = setTimeout(() => settle(false), timeoutMs)
      this.#waits.add(onArrival)
    })
  }

  count(part: Part = {}): DeliveryCount {
    let [expected, missing] = [0, 0]
    const missingFrom = new Map<string, number>()
    const heard = new Set<string>()
    const unheard = new Map<string, { readonly name: string; copies: number }>()
    const repeats: Repeat[] = []
    for (const pair of this.#pairs(part)) {
      expected += 1
      if (pair.arrivals.length === 0) {
        const name = `${pair.sender.name} ${pair.sender.id.slice(0, 6)}`
        missingFrom.set(name, (missingFrom.get(name) ?? 0) + 1)
        missing += 1
        const lost = unheard.get(pair.title)
        if (lost === undefined) unheard.set(pair.title, { name, copies: 1 })
        else lost.copies += 1
      } else heard.add(pair.title)
      if (pair.arrivals.length > 1) repeats.push(describeRepeat(pair))
    }
    const unheardFrom = new Map<string, number>()
    for (const [title, { name, copies }] of unheard)
      if (!heard.has(title)) unheardFrom.set(name, (unheardFrom.get(name) ?? 0) + copies)
    return {
      expected,
      missing,
      missingFrom: Object.fromEntries(missingFrom),
      unheardFrom: Object.fromEntries(unheardFrom),
      repeats,
    }
  }

  /** Every message with every node that should get it. */
  *#pairs({ senders, receivers }: Part): Generator<Pair> {
    for (const receiver of receivers ?? this.#arrivals.keys()) {
      for (const [title, sender] of this.#senders) {
        if (sender === receiver || senders?.includes(sender) === false) continue
        const arrivals = this.#arrivals.get(receiver)?.get(title) ?? []
        yield { title, sender, receiver, arrivals }
      }
    }
  }

  #note(receiver: NodeProcess, event: MessageEvent): void {
    const title = titleOf(event)
    const byTitle = this.#arrivals.get(receiver)
    if (title === undefined || byTitle === undefined) return
    const arrivals = byTitle.get(title)
    if (arrivals === undefined) byTitle.set(title, [event])
    else arrivals.push(event)
    for (const onArrival of this.#waits) onArrival(pairKey(receiver, title))
  }
}

/** Of what is counted: what these senders said, what these receivers got. Everything by default. */
export interface Part {
  readonly senders?: readonly NodeProcess[]
  readonly receivers?: readonly NodeProcess[]
}

interface Pair {
  readonly title: string
  readonly sender: NodeProcess
  readonly receiver: NodeProcess
  readonly arrivals: readonly MessageEvent[]
}

function pairKey(receiver: NodeProcess, title: string): string {
  return `${receiver.id} ${title}`
}

function describeRepeat({ title, sender, receiver, arrivals }: Pair): Repeat {
  const times = arrivals.map((arrival) => Number(arrival['at']))
  return {
    title,
    sender: sender.name,
    receiver: receiver.id.slice(0, 6),
    ids: arrivals.map(({ id }) => id.slice(0, 8)),
    stamps: arrivals.map((arrival) => stampOf(arrival)),
    gapMs: Math.round(1_000 * (Math.max(...times) - Math.min(...times))),
  }
}

function stampOf(arrival: MessageEvent): string {
  const time = arrival['time']
  return typeof time === 'object' && time !== null && 'v' in time ? String(time.v) : '?'
}
