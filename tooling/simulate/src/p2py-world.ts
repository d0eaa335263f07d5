/** A simulated p2py network of our nodes: joins, messages to UUIDs, departures of all kinds. */
import { parseAddress } from '@p2p/base'
import { Simulator } from '@p2p/base/sim'
import type { HostedNode, SeededRandom, SimNode } from '@p2p/base/sim'
import { encodeMessage, P2pyMachine } from '@p2p/p2py-compat'
import type { NodeAddress, P2pyCommand, P2pyEvent } from '@p2p/p2py-compat'
import { P2pyLedger } from './p2py-ledger.ts'

type Node = SimNode<P2pyCommand, P2pyEvent>

/** How a node ends: it says good-bye, or its process dies. */
export type Departure = 'leave' | 'crash'

/** Nodes whose addresses everybody knows, as long as they are there. */
const contactCount = 8
/** What the application of a node does that was not let in. */
const joinAgainMs = 5_000
const maxJoins = 10

export class Member {
  readonly node: Node
  readonly address: NodeAddress
  readonly machine: P2pyMachine
  /** Asked to join, or the first of the network. */
  joins: number = 0
  isGone: boolean = false
  /** As the node told its application; asking the machine for its state costs more. */
  uuid: number | null = null

  constructor(node: Node, machine: P2pyMachine) {
    this.node = node
    this.machine = machine
    this.address = addressOf(node.addresses[0])
  }
}

export class P2pyWorld {
  readonly sim: Simulator
  readonly ledger: P2pyLedger
  readonly members: Member[] = []
  /** Joins that were refused, by code; the node asked again. */
  readonly refusedJoins: Map<string, number> = new Map<string, number>()
  readonly #random: SeededRandom
  readonly #byNode = new Map<HostedNode, Member>()
  /** What each numbered command of a node was for: the key of a message, or undefined for a join. */
  readonly #orders = new Map<Member, Map<number, string>>()
  /** UUID to who has it, or had it last. */
  readonly #holders = new Map<number, Member>()
  #messageCount = 0
  #commandCount = 0

  constructor(options: { readonly seed: number; readonly transcriptLength: number }) {
    this.sim = new Simulator(options)
    this.ledger = new P2pyLedger(this.sim)
    this.#random = this.sim.random.fork('application')
  }

  /** Nodes that are there and want to be members. */
  get living(): readonly Member[] {
    return this.members.filter(({ isGone }) => !isGone)
  }

  /** Adds a node; every one but the first joins through a random one of the oldest. */
  add(): Member {
    let machine: P2pyMachine | undefined
    const node: Node = this.sim.addNode<P2pyCommand, P2pyEvent>({
      create: (boot) => {
        const { randomBytes } = boot
        machine = new P2pyMachine({ address: addressOf(boot.address), randomBytes })
        return machine
      },
      onEffect: (event, self) => {
        const member = this.#byNode.get(self)
        if (member !== undefined) this.#onEvent(member, event)
      },
    })
    if (machine === undefined) throw new Error('the simulator started no machine')
    const member = new Member(node, machine)
    const isFirst = this.members.length === 0
    this.members.push(member)
    this.#byNode.set(node, member)
    this.#orders.set(member, new Map())
    if (!isFirst) this.#join(member)
    return member
  }

  /** A message to whoever has this UUID now; `mustArrive` when nothing can be in its way. */
  send(from: Member, uuid: number, mustArrive: boolean): void {
    this.#messageCount += 1
    const key = `m${this.#messageCount}`
    const to = this.#holders.get(uuid)?.node
    this.ledger.sent(key, { from: from.node, uuid, to, mustArrive })
    const fields = encodeMessage({ type: 'TEXT', data: key })
    const command = this.#order(from, key)
    from.node.command({ type: 'send-message', command, target: { uuid }, fields })
  }

  end(member: Member, how: Departure): void {
    member.isGone = true
    this.ledger.ended(member.node)
    if (how === 'leave')
      member.node.command({ type: 'leave', command: this.#order(member, 'leave') })
    else member.node.crash()
  }

  memberOf(node: HostedNode): Member | undefined {
    return this.#byNode.get(node)
  }

  #join(member: Member): void {
    member.joins += 1
    const contacts = this.living.filter((other) => other !== member && other.uuid !== null)
    const [first] = this.members
    const oldest = contacts.length > 0 || first === undefined ? contacts : [first]
    const contact = this.#random.pick(oldest.slice(0, contactCount))
    const command = this.#order(member, 'join')
    member.node.command({ type: 'join', command, addresses: [contact.address] })
  }

  #order(member: Member, what: string): number {
    this.#commandCount += 1
    this.#orders.get(member)?.set(this.#commandCount, what)
    return this.#commandCount
  }

  #onEvent(member: Member, event: P2pyEvent): void {
    switch (event.type) {
      case 'done':
        this.#onAnswer(member, event.command, undefined)
        break
      case 'failed':
        this.#onAnswer(member, event.command, event.error.code)
        break
      case 'joined':
        member.uuid = event.uuid
        this.#holders.set(event.uuid, member)
        break
      case 'message':
        if (typeof event.message.data === 'string')
          this.ledger.arrived(event.message.data, member.node, member.uuid)
        break
      default:
        break // the invariants look at the machines themselves
    }
  }

  #onAnswer(member: Member, command: number, code: string | undefined): void {
    const what = this.#orders.get(member)?.get(command)
    if (what === undefined || what === 'leave') return
    if (what !== 'join') {
      this.ledger.answered(what, code)
      return
    }
    if (code === undefined) return
    this.refusedJoins.set(code, (this.refusedJoins.get(code) ?? 0) + 1)
    if (member.joins < maxJoins) {
      this.sim.after(joinAgainMs, () => {
        if (!member.isGone) this.#join(member)
      })
    }
  }
}

function addressOf(url: string | undefined): NodeAddress {
  const parsed = url === undefined ? undefined : parseAddress(url)
  if (parsed === undefined) throw new Error(`no address: ${url}`)
  return { host: parsed.host, port: parsed.port }
}
