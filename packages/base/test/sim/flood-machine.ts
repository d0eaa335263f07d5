// A tiny flooding network: enough of a machine to try the simulator with.
import type { LinkEffect, LinkId, LinkInput } from '../../src/protocol/link.ts'
import type { Machine, Now } from '../../src/protocol/machine.ts'

export type FloodCommand =
  | { readonly type: 'connect'; readonly address: string }
  | { readonly type: 'broadcast'; readonly number: number }
  | { readonly type: 'remind'; readonly afterMs: number }
export type FloodEvent =
  | { readonly type: 'delivered'; readonly number: number }
  | { readonly type: 'joined' }
  | { readonly type: 'left'; readonly code: string }
  | { readonly type: 'dial-lost'; readonly code: string }
  | { readonly type: 'reminded'; readonly utcSeconds: number }

/** Each message is four bytes; a message goes once over every link but the one it came from. */
export class FloodMachine implements Machine<LinkInput | FloodCommand, LinkEffect | FloodEvent> {
  readonly #links = new Map<LinkId, number[]>()
  readonly #seen = new Set<number>()
  #dials = 0
  #remindAtMs = Infinity

  nextDeadline(): number {
    return this.#remindAtMs
  }

  handle(input: LinkInput | FloodCommand, now: Now): readonly (LinkEffect | FloodEvent)[] {
    switch (input.type) {
      case 'connect':
        this.#dials += 1
        return [{ type: 'dial', dial: this.#dials, address: input.address, timeoutMs: 1_000 }]
      case 'remind':
        this.#remindAtMs = now.monoMs + input.afterMs
        return []
      case 'deadline':
        this.#remindAtMs = Infinity
        return [{ type: 'reminded', utcSeconds: now.utcSeconds }]
      case 'broadcast':
        return this.#spread(input.number, undefined)
      case 'link-open':
        this.#links.set(input.link, [])
        return [{ type: 'joined' }]
      case 'link-closed':
        this.#links.delete(input.link)
        return [{ type: 'left', code: input.reason.code }]
      case 'dial-failed':
        return [{ type: 'dial-lost', code: input.error.code }]
      case 'link-held':
        return []
      case 'link-bytes':
        return this.#read(input.link, input.bytes)
    }
  }

  #read(link: LinkId, bytes: Uint8Array): (LinkEffect | FloodEvent)[] {
    const buffer = this.#links.get(link)
    if (buffer === undefined) return []
    buffer.push(...bytes)
    const effects: (LinkEffect | FloodEvent)[] = []
    while (buffer.length >= 4) {
      const [a = 0, b = 0, c = 0, d = 0] = buffer.splice(0, 4)
      effects.push(...this.#spread(((a << 24) | (b << 16) | (c << 8) | d) >>> 0, link))
    }
    return effects
  }

  #spread(number: number, from: LinkId | undefined): (LinkEffect | FloodEvent)[] {
    if (this.#seen.has(number)) return []
    this.#seen.add(number)
    const effects: (LinkEffect | FloodEvent)[] =
      from === undefined ? [] : [{ type: 'delivered', number }]
    for (const link of this.#links.keys()) {
      if (link !== from) effects.push(sendNumber(link, number))
    }
    return effects
  }
}

function sendNumber(link: LinkId, number: number): LinkEffect {
  const bytes = new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number])
  return { type: 'send', link, bytes, priority: 'relay' }
}
