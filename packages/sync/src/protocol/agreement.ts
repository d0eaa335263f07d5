/**
 * Finds out whether all nodes of ours that can be reached hold the same dictionary: an echo wave.
 *
 *   ask   [0x7042, 0, wave, digest]          "is this your digest, and that of everybody behind you?"
 *   tell  [0x7042, 1, wave, equal, nodes]    nodes that answered, this one included
 *
 * A node that is asked for the first time asks its other neighbours and answers when they have; asked
 * again it answers at once with no nodes, so each node counts once. A node with another digest answers
 * "no" at once. A neighbour that does not answer in time counts as a "no".
 *
 * Source: E. Chang, "Echo Algorithms", 1982.
 */
import { bytesEqual, toHex, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { agreementFlag } from './messages.ts'

/** Milliseconds a neighbour has to answer at most: it may be waiting for others in turn. */
const answerWithinMs = 5_000
/** Waves in memory; further ones are answered "no". */
const maxWaves = 256
const waveBytes = 8

export type AgreementEffect =
  | { readonly type: 'whisper'; readonly peer: string; readonly payload: readonly Value[] }
  | {
      readonly type: 'outcome'
      readonly request: number
      readonly equal: boolean
      readonly nodes: number
    }

interface Wave {
  /** Where the question came from: a neighbour, or a request of this node. */
  readonly from: { readonly peer: string } | { readonly request: number }
  readonly bytes: Uint8Array
  readonly waiting: Set<string>
  equal: boolean
  nodes: number
  readonly deadlineMs: number
}

export class Agreement {
  readonly #waves = new Map<string, Wave>()

  /** Starts a wave of our own, for somebody who waits no longer than `timeoutMs`. */
  start(
    { request, timeoutMs }: { readonly request: number; readonly timeoutMs?: number | undefined },
    wave: Uint8Array,
    about: { readonly digest: Uint8Array; readonly neighbours: readonly string[] },
    monoMs: number,
  ): readonly AgreementEffect[] {
    return this.#open({ request }, wave, { ...about, withinMs: timeoutMs }, monoMs)
  }

  /** Takes a message with the agreement's sub-flag from a neighbour. */
  handle(
    payload: readonly Value[],
    from: string,
    about: { readonly digest: Uint8Array; readonly neighbours: readonly string[] },
    monoMs: number,
  ): readonly AgreementEffect[] {
    const [, kind, wave, third, fourth] = payload
    if (!(wave instanceof Uint8Array) || wave.length !== waveBytes) return []
    if (kind === 1) {
      const nodes = wholeNumber(fourth) ?? 0
      return this.#onTell(toHex(wave), from, third === true, Math.max(0, nodes))
    }
    if (kind !== 0 || !(third instanceof Uint8Array)) return []
    const equal = bytesEqual(third, about.digest)
    const isKnown = this.#waves.has(toHex(wave))
    if (!equal || isKnown || this.#waves.size >= maxWaves)
      return [tell(from, wave, equal && isKnown, isKnown ? 0 : 1)]
    const others = about.neighbours.filter((id) => id !== from)
    return this.#open({ peer: from }, wave, { ...about, neighbours: others }, monoMs)
  }

  /** A neighbour is gone and will not answer any more. */
  forget(peer: string): readonly AgreementEffect[] {
    return [...this.#waves.keys()].flatMap((name) => this.#onTell(name, peer, false, 0))
  }

  /** Ends the waves whose time is up. */
  expire(monoMs: number): readonly AgreementEffect[] {
    const effects: AgreementEffect[] = []
    for (const [name, wave] of this.#waves) {
      if (wave.deadlineMs > monoMs) continue
      if (wave.waiting.size > 0) {
        wave.equal = false
        effects.push(...this.#finish(wave))
      }
      this.#waves.delete(name)
    }
    return effects
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { deadlineMs } of this.#waves.values()) next = Math.min(next, deadlineMs)
    return next
  }

  #open(
    from: Wave['from'],
    bytes: Uint8Array,
    about: {
      readonly digest: Uint8Array
      readonly neighbours: readonly string[]
      readonly withinMs?: number | undefined
    },
    monoMs: number,
  ): readonly AgreementEffect[] {
    const { withinMs = answerWithinMs } = about
    const wave: Wave = {
      from,
      bytes,
      waiting: new Set(about.neighbours),
      equal: true,
      nodes: 1,
      deadlineMs: monoMs + Math.min(withinMs, answerWithinMs),
    }
    // Kept until its time is up even when it is answered, so that a second question finds it.
    this.#waves.set(toHex(bytes), wave)
    if (wave.waiting.size === 0) return this.#finish(wave)
    const payload = [agreementFlag, 0, bytes, about.digest]
    return about.neighbours.map((peer) => ({ type: 'whisper', peer, payload }))
  }

  #onTell(name: string, peer: string, equal: boolean, nodes: number): readonly AgreementEffect[] {
    const wave = this.#waves.get(name)
    if (wave === undefined || !wave.waiting.delete(peer)) return []
    wave.equal &&= equal
    wave.nodes += nodes
    return wave.waiting.size === 0 ? this.#finish(wave) : []
  }

  #finish({ from, bytes, equal, nodes }: Wave): readonly AgreementEffect[] {
    if ('peer' in from) return [tell(from.peer, bytes, equal, nodes)]
    return [{ type: 'outcome', request: from.request, equal, nodes }]
  }
}

function tell(peer: string, wave: Uint8Array, equal: boolean, nodes: number): AgreementEffect {
  return { type: 'whisper', peer, payload: [agreementFlag, 1, wave, equal, nodes] }
}
