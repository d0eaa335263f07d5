// What one call of `handle` collects: effects for the driver, in order, and the time of the input.
import type { LinkEffect, LinkId, Now } from '@p2p/base'
import type { PyValue } from '../pickle/values.ts'
import { encodePickle } from '../pickle/writer.ts'
import type { P2pyEvent } from './events.ts'
import { encodeFrame } from './frame.ts'

export type P2pyEffect = LinkEffect | P2pyEvent

export class Outbox {
  now: Now = { monoMs: 0, utcSeconds: 0 }
  #effects: P2pyEffect[] = []

  push(effect: P2pyEffect): void {
    this.#effects.push(effect)
  }

  /** Header and pickle leave as one piece: p2py reads a message with a single `recv`. */
  sendFrame(link: LinkId, frame: Uint8Array): void {
    this.#effects.push({ type: 'send', link, bytes: frame, priority: 'own' })
  }

  take(): readonly P2pyEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}

export function frameOf(value: PyValue): Uint8Array {
  return encodeFrame(encodePickle(value))
}
