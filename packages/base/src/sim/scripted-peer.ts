/** A peer that does whatever a script says, in raw bytes: for hostile, broken and ancient ones. */
import type { DialId, LinkEffect, LinkId, LinkInput } from '../protocol/link.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Machine, Now } from '../protocol/machine.ts'

/** What a script can do with the network; nothing is checked, framed or limited. */
export interface ScriptedPeerHands {
  readonly now: Now
  dial(address: string): void
  send(link: LinkId, bytes: Uint8Array): void
  close(link: LinkId): void
  /** Calls `onWake` after so many milliseconds; one wake at a time. */
  wakeAfter(delayMs: number): void
}

export interface PeerScript {
  onStart?(hands: ScriptedPeerHands): void
  onOpen?(link: LinkId, hands: ScriptedPeerHands): void
  onBytes?(link: LinkId, bytes: Uint8Array, hands: ScriptedPeerHands): void
  onClosed?(link: LinkId, hands: ScriptedPeerHands): void
  onWake?(hands: ScriptedPeerHands): void
}

export interface ScriptedPeerStart {
  readonly type: 'start-script'
}

/**
 * @example
 * // Says nothing sensible to whoever dials it, and never hangs up.
 * sim.addNode(
 *   scriptedPeer({ onOpen: (link, hands) => hands.send(link, new Uint8Array(1_000).fill(255)) }),
 * )
 */
export function scriptedPeer(script: PeerScript): {
  create(): Machine<LinkInput | ScriptedPeerStart, LinkEffect>
  onStart(node: { command(command: ScriptedPeerStart): void }): void
} {
  return {
    create: () => new ScriptedPeer(script),
    onStart: (node) => {
      node.command({ type: 'start-script' })
    },
  }
}

class ScriptedPeer implements Machine<LinkInput | ScriptedPeerStart, LinkEffect> {
  readonly #script: PeerScript
  #nextDial: DialId = 1
  #wakeAtMs = Infinity

  constructor(script: PeerScript) {
    this.#script = script
  }

  nextDeadline(): number {
    return this.#wakeAtMs
  }

  handle(input: LinkInput | ScriptedPeerStart, now: Now): readonly LinkEffect[] {
    const effects: LinkEffect[] = []
    const hands = this.#createHands(effects, now)
    switch (input.type) {
      case 'start-script':
        this.#script.onStart?.(hands)
        break
      case 'link-open':
        this.#script.onOpen?.(input.link, hands)
        break
      case 'link-bytes':
        this.#script.onBytes?.(input.link, input.bytes, hands)
        break
      case 'link-closed':
        this.#script.onClosed?.(input.link, hands)
        break
      case 'deadline':
        this.#wakeAtMs = Infinity
        this.#script.onWake?.(hands)
        break
      case 'link-held':
      case 'dial-failed':
        break
    }
    return effects
  }

  #createHands(effects: LinkEffect[], now: Now): ScriptedPeerHands {
    return {
      now,
      dial: (address) => {
        effects.push({ type: 'dial', dial: this.#nextDial, address, timeoutMs: 10_000 })
        this.#nextDial += 1
      },
      send: (link, bytes) => {
        effects.push({ type: 'send', link, bytes, priority: 'own' })
      },
      close: (link) => {
        const reason = new P2pError('P2P_LINK_CLOSED', 'the script closed the link')
        effects.push({ type: 'close', link, reason })
      },
      wakeAfter: (delayMs) => {
        this.#wakeAtMs = now.monoMs + delayMs
      },
    }
  }
}
