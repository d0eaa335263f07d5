/** The thinnest node there is: a shell around the peer layer alone. What a network builds on, without the network. */
import type { WireMessage } from '@p2p/serializer'
import { createMessage } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { resolveNodeOptions } from '../src/node-options.ts'
import type { NodeOptions } from '../src/node-options.ts'
import { NodeShell } from '../src/node-shell.ts'
import type { NodeEvents, ShellCommand } from '../src/node-shell.ts'
import type { Machine, Now } from '../src/protocol/machine.ts'
import type { LinkEffect, LinkInput } from '../src/protocol/link.ts'
import type { PeersEffect, PeersInput } from '../src/protocol/peers-contract.ts'
import { Peers } from '../src/protocol/peers.ts'

type Command = Extract<PeersInput, { type: 'send-message' }>
type Emitted = Exclude<PeersEffect, LinkEffect>

interface PlainEvents extends NodeEvents {
  readonly message: { readonly from: string; readonly message: WireMessage }
}

/** Speaks the commands of the shell with a peer layer. */
class PeersMachine implements Machine<LinkInput | ShellCommand | Command, PeersEffect> {
  readonly peers: Peers

  constructor(peers: Peers) {
    this.peers = peers
  }

  handle(input: LinkInput | ShellCommand | Command, now: Now): readonly PeersEffect[] {
    if (input.type === 'cancel') {
      return this.peers.handle({ type: 'cancel-connect', request: input.request }, now)
    }
    if (input.type === 'connect') return this.peers.handle({ expectedId: undefined, ...input }, now)
    return this.peers.handle(input, now)
  }

  nextDeadline(): number {
    return this.peers.nextDeadline()
  }
}

export class PlainNode {
  readonly shell: NodeShell<Command, Emitted, PlainEvents>

  static async open(options: NodeOptions = {}): Promise<PlainNode> {
    const node = new PlainNode(options)
    await node.shell.start()
    return node
  }

  constructor(options: NodeOptions) {
    const resolved = resolveNodeOptions(options, { subnet: 'mesh' })
    this.shell = new NodeShell<Command, Emitted, PlainEvents>({
      options: resolved,
      createMachine: (boot) => new PeersMachine(new Peers({ ...boot, ...resolved })),
      onEffect: (effect) => {
        this.#onEffect(effect)
      },
    })
  }

  get address(): string {
    return this.shell.addresses[0] ?? ''
  }

  send(peer: string, payload: readonly Value[]): void {
    const time = Math.floor(Date.now() / 1_000)
    const message = createMessage({ type: 2, sender: this.shell.id, time, payload })
    this.shell.command({ type: 'send-message', peer, message, priority: 'own' })
  }

  /** The value of the next such event. */
  next<Name extends keyof PlainEvents & string>(event: Name): Promise<PlainEvents[Name]> {
    return new Promise((resolve) => {
      this.shell.events.on(event, resolve, { once: true })
    })
  }

  #onEffect(effect: Emitted): void {
    switch (effect.type) {
      case 'peer-open':
        this.shell.peerJoined(effect.peer)
        return
      case 'peer-updated':
        this.shell.peerUpdated(effect.peer)
        return
      case 'peer-closed':
        this.shell.peerLeft(effect.peer, effect.reason)
        return
      case 'connected':
        this.shell.settle(effect.request, effect.peer)
        return
      case 'connect-failed':
        this.shell.fail(effect.request, effect.error)
        return
      case 'peer-message':
        this.shell.events.emit('message', { from: effect.peer.id, message: effect.message })
    }
  }
}
