import type { LinkEffect, LinkInput, Machine } from '@p2p/base'
import { Simulator, startFaults } from '@p2p/base/sim'

type Command = { readonly type: 'ping'; readonly address: string }
type Event = { readonly type: 'answered' } | { readonly type: 'gave-up'; readonly code: string }

/** Dials, says one byte, and hangs up after the answer; whoever is called says the byte back. */
class Ping implements Machine<LinkInput | Command, LinkEffect | Event> {
  #ownLinks = new Set<number>()
  #dials = 0

  nextDeadline(): number {
    return Infinity
  }

  handle(input: LinkInput | Command): readonly (LinkEffect | Event)[] {
    switch (input.type) {
      case 'ping':
        this.#dials += 1
        return [{ type: 'dial', dial: this.#dials, address: input.address, timeoutMs: 1_000 }]
      case 'link-open':
        if (input.dial === undefined) return []
        this.#ownLinks.add(input.link)
        return [{ type: 'send', link: input.link, bytes: new Uint8Array([7]), priority: 'own' }]
      case 'link-bytes':
        if (this.#ownLinks.has(input.link)) return [{ type: 'answered' }]
        return [{ type: 'send', link: input.link, bytes: input.bytes, priority: 'own' }]
      case 'dial-failed':
        return [{ type: 'gave-up', code: input.error.code }]
      case 'link-closed':
        this.#ownLinks.delete(input.link)
        return []
      case 'link-held':
      case 'deadline':
        return []
    }
  }
}

/** Ten nodes ping each other while processes crash and the network splits. */
export function pingUnderFaults(seed: number): { answered: number; traceHash: string } {
  const sim = new Simulator({ seed, conditions: { minLatencyMs: 5, maxLatencyMs: 50 } })
  let answered = 0
  const nodes = Array.from({ length: 10 }, () =>
    sim.addNode<Command, Event>({
      create: () => new Ping(),
      onEffect: (event) => {
        if (event.type === 'answered') answered += 1
      },
    }),
  )
  sim.addInvariant({
    name: 'few-links',
    afterTurn: (node) => (node.links.size > 100 ? `${node.links.size} links` : undefined),
  })
  startFaults(sim, {
    kinds: ['crash', 'partition'],
    meanIntervalMs: 5_000,
    minDurationMs: 1_000,
    maxDurationMs: 10_000,
    untilMs: 60_000,
  })
  for (let second = 0; second < 60; second += 1) {
    const [from, to] = sim.random.shuffle(nodes)
    if (from?.isUp === true) from.command({ type: 'ping', address: to?.addresses[0] ?? '' })
    sim.runFor(1_000)
  }
  sim.checkAtRest()
  return { answered, traceHash: sim.traceHash() }
}
