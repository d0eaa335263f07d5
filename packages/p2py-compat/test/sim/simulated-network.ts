// A simulated p2py network of our machines, with promises replaced by a table of answers.
import { isP2pError, type P2pError } from '@p2p/base'
import { Simulator, type NetworkConditions, type SimNode } from '@p2p/base/sim'
import type { P2pyCommand, P2pyEvent, Target } from '../../src/protocol/events.ts'
import type { P2pyLimits } from '../../src/protocol/limits.ts'
import { P2pyMachine } from '../../src/protocol/machine.ts'
import { encodeMessage, type OutgoingMessage, type Response } from '../../src/protocol/messages.ts'
import { urlToAddress, type NodeAddress } from '../../src/protocol/node-address.ts'

export type Answer = Response | P2pError | 'done'

export class SimulatedPeer {
  readonly events: P2pyEvent[] = []
  readonly answers: Map<number, Answer> = new Map<number, Answer>()
  readonly sim: SimNode<P2pyCommand, P2pyEvent>
  machine!: P2pyMachine
  #nextCommand = 1

  constructor(simulator: Simulator, limits: Partial<P2pyLimits>) {
    this.sim = simulator.addNode<P2pyCommand, P2pyEvent>({
      create: (boot) => {
        const address = urlToAddress(boot.address ?? '') as NodeAddress
        this.machine = new P2pyMachine({ address, randomBytes: boot.randomBytes, limits })
        return this.machine
      },
      onEffect: (event) => {
        this.events.push(event)
        if (event.type === 'done') this.answers.set(event.command, event.response ?? 'done')
        if (event.type === 'failed') this.answers.set(event.command, event.error)
      },
    })
  }

  get address(): NodeAddress {
    return urlToAddress(this.sim.addresses[0] ?? '') as NodeAddress
  }

  get uuid(): number | null {
    return this.machine.state.uuid
  }

  get book(): number[] {
    return this.machine.state.peerBook.map(({ uuid }) => uuid).sort((a, b) => a - b)
  }

  join(...contacts: SimulatedPeer[]): number {
    return this.#order((command) => ({
      type: 'join',
      command,
      addresses: contacts.map(({ address }) => address),
    }))
  }

  leave(): number {
    return this.#order((command) => ({ type: 'leave', command }))
  }

  send(target: Target, message: OutgoingMessage): number {
    const fields = encodeMessage(message)
    return this.#order((command) => ({ type: 'send-message', command, target, fields }))
  }

  request(target: Target, message: OutgoingMessage, timeoutMs = 10_000): number {
    const fields = encodeMessage(message)
    return this.#order((command) => ({ type: 'request', command, target, fields, timeoutMs }))
  }

  respond(request: number, message: OutgoingMessage): number {
    const fields = encodeMessage(message)
    return this.#order((command) => ({ type: 'respond', command, request, fields }))
  }

  bounce(request: number, target: Target): number {
    return this.#order((command) => ({ type: 'bounce', command, request, target }))
  }

  announce(message: OutgoingMessage, exclude: number[] = []): number {
    const fields = encodeMessage(message)
    return this.#order((command) => ({ type: 'send-to-book', command, fields, exclude }))
  }

  texts(): unknown[] {
    return this.events.flatMap((event) => (event.type === 'message' ? [event.message.data] : []))
  }

  requests(): Extract<P2pyEvent, { type: 'request-received' }>[] {
    return this.events.flatMap((event) => (event.type === 'request-received' ? [event] : []))
  }

  codeOf(command: number): string | undefined {
    const answer = this.answers.get(command)
    return isP2pError(answer) ? answer.code : undefined
  }

  #order(make: (command: number) => P2pyCommand): number {
    const command = this.#nextCommand++
    this.sim.command(make(command))
    return command
  }
}

export class SimulatedNetwork {
  readonly simulator: Simulator
  readonly peers: SimulatedPeer[] = []
  readonly #limits: Partial<P2pyLimits>

  constructor(
    options: {
      seed?: number | string
      limits?: Partial<P2pyLimits>
      conditions?: Partial<NetworkConditions>
    } = {},
  ) {
    const { seed = 1, limits = {}, conditions = {} } = options
    this.simulator = new Simulator({ seed, conditions })
    this.#limits = limits
  }

  add(): SimulatedPeer {
    const peer = new SimulatedPeer(this.simulator, this.#limits)
    this.peers.push(peer)
    return peer
  }

  /** Adds nodes that join one after the other through the first. */
  grow(count: number): SimulatedPeer[] {
    const added: SimulatedPeer[] = []
    for (let index = 0; index < count; index += 1) {
      const peer = this.add()
      added.push(peer)
      const first = this.peers[0]!
      if (peer === first) continue
      const command = peer.join(first)
      this.simulator.runUntil(() => peer.answers.has(command), 60_000)
      const answer = peer.answers.get(command)
      if (answer !== 'done') throw new Error('a node cannot join', { cause: answer })
    }
    return added
  }

  run(durationMs: number): void {
    this.simulator.runFor(durationMs)
  }

  /** Runs until the command has its answer. */
  answer(peer: SimulatedPeer, command: number): Answer | undefined {
    this.simulator.runUntil(() => peer.answers.has(command), 60_000)
    return peer.answers.get(command)
  }
}
