/**
 * Which broadcasts an old peer drops. Both originals have the same rule and the same hole in it: at
 * an age of exactly 60 seconds a message is still taken, but forgotten at once, so it circulates in
 * every cycle until the second changes.
 *
 * A real storm is bounded by what a processor gets done in a second; here a count does it.
 *
 * Source: spec/mesh.md §4.1 (observed: 477, 692 and 775 deliveries of one message in a triangle).
 */
import { toHex } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'

const maxAgeSeconds = 60
/** Times one peer takes one message in a storm. */
const maxStormTakes = 250

export class FloodMemory {
  readonly #timesByKey = new Map<string, number>()
  #storm = { key: '', count: 0 }

  /** True when the message is to be relayed and handled. */
  take(message: WireMessage, utcSeconds: number): boolean {
    const now = Math.floor(utcSeconds)
    if (message.time < now - maxAgeSeconds) return false
    const key = `${toHex(message.id)}/${message.time}`
    if (this.#timesByKey.has(key)) return false
    if (message.time === now - maxAgeSeconds) return this.#takeInStorm(key)
    this.#timesByKey.set(key, message.time)
    for (const [known, time] of this.#timesByKey) {
      if (time <= now - maxAgeSeconds) this.#timesByKey.delete(known)
    }
    return true
  }

  /** What a peer sends itself enters too, whispers as well. */
  add(message: WireMessage): void {
    this.#timesByKey.set(`${toHex(message.id)}/${message.time}`, message.time)
  }

  /** It would be remembered and, in the same call, forgotten. */
  #takeInStorm(key: string): boolean {
    this.#storm = { key, count: this.#storm.key === key ? this.#storm.count + 1 : 1 }
    return this.#storm.count <= maxStormTakes
  }
}
