/**
 * Replays a transcript with a machine of ours in the place of one recorded node: it gets the frames that
 * node got, at the times they came, under the same id and clock. Links open and close as recorded, and
 * when ours closes them; dials of its own come to nothing. Every frame it sends has to be readable.
 */
import { P2pError } from '@p2p/base'
import type { LinkEffect, LinkInput, Now } from '@p2p/base'
import { decodeFrame } from '@p2p/serializer'
import { contentOf, readNode, utcOriginOf } from './recorded-node.ts'
import type { FrameContent } from './recorded-node.ts'
import type { EventEntry, FrameEntry, Transcript } from './transcript.ts'

type CommonInput =
  | LinkInput
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  | {
      readonly type: 'connect'
      readonly request: number
      readonly address: string
      readonly timeoutMs: number
    }

/** A machine as the replay drives it: the peer layer, or a network on top of it. */
export interface ReplayedMachine<Effect extends { readonly type: string }> {
  handle(input: CommonInput, now: Now): readonly (Effect | LinkEffect)[]
  nextDeadline(): number
}

export interface ReplayedLink {
  readonly link: number
  /** Name of the recorded node at the other end. */
  readonly other: string
  isOpen: boolean
}

/** One recorded frame, and what the machine answered. */
export interface ReplayStep<Effect> {
  readonly entry: FrameEntry
  readonly content: Exclude<FrameContent, { readonly type: 'unknown' }>
  readonly link: ReplayedLink
  readonly effects: readonly (Effect | LinkEffect)[]
  /** True when the machine closed a link in this step. */
  readonly closed: boolean
}

/** Half a minute of silence at the end lets every deadline of a handshake or a queue pass. */
const silenceMs = 30_000

export class Replay<Effect extends { readonly type: string }> {
  /** By the name of the recorded connection. */
  readonly links: Map<string, ReplayedLink> = new Map()
  readonly #transcript: Transcript
  readonly #name: string
  readonly #machine: ReplayedMachine<Effect>
  readonly #utcOrigin: number
  #ms = 0
  #request = 0

  constructor(transcript: Transcript, name: string, machine: ReplayedMachine<Effect>) {
    this.#transcript = transcript
    this.#name = name
    this.#machine = machine
    this.#utcOrigin = utcOriginOf(transcript)
  }

  /** Plays everything; `onStep` is called after each frame that the recorded node received. */
  run(onStep: (step: ReplayStep<Effect>) => void): void {
    const address = readNode(this.#transcript, this.#name)?.address
    if (address !== undefined) this.#settle({ type: 'listening', addresses: [address] })
    for (const entry of this.#transcript.entries) {
      if (entry.kind === 'mark') continue
      this.#passTime(entry.ms)
      if (entry.kind === 'event') this.#onEvent(entry)
      else if (entry.to === this.#name) this.#onFrame(entry, onStep)
    }
    this.#passTime(this.#ms + silenceMs)
  }

  /** Lets the deadlines up to this moment pass. */
  #passTime(ms: number): void {
    while (this.#machine.nextDeadline() <= ms) {
      this.#ms = Math.max(this.#ms, this.#machine.nextDeadline())
      this.#settle({ type: 'deadline' })
    }
    this.#ms = ms
  }

  #onEvent(entry: EventEntry): void {
    if (entry.from !== this.#name && entry.to !== this.#name) return
    const known = this.links.get(entry.conn)
    if (entry.event === 'open' && known === undefined) this.#open(entry)
    if (entry.event === 'close' && known?.isOpen === true) {
      known.isOpen = false
      const reason = new P2pError('P2P_LINK_CLOSED', 'closed in the recording')
      this.#settle({ type: 'link-closed', link: known.link, reason })
    }
  }

  #open(entry: EventEntry): void {
    const isOurs = entry.from === this.#name
    const other = isOurs ? entry.to : entry.from
    const known: ReplayedLink = { link: this.links.size + 1, other, isOpen: true }
    this.links.set(entry.conn, known)
    const address = isOurs ? readNode(this.#transcript, other)?.address : undefined
    const dial = address === undefined ? undefined : this.#dial(address)
    const remote = address ?? 'tcp://127.0.0.1:50000'
    this.#settle({ type: 'link-open', link: known.link, transport: 'tcp', remote, dial })
  }

  /** Asks for a connection, and gives the number of the dial that is to carry it. */
  #dial(address: string): number | undefined {
    this.#request += 1
    const request = this.#request
    const effects = this.#handle({ type: 'connect', request, address, timeoutMs: 60_000 })
    return dialsIn(effects)[0]
  }

  #onFrame(entry: FrameEntry, onStep: (step: ReplayStep<Effect>) => void): void {
    const link = this.links.get(entry.conn)
    const content = contentOf(entry)
    if (link?.isOpen !== true || content.type === 'unknown') return
    const openBefore = this.#openLinks()
    const effects = this.#settle({ type: 'link-bytes', link: link.link, bytes: content.frame })
    onStep({ entry, content, link, effects, closed: this.#openLinks() < openBefore })
  }

  #openLinks(): number {
    return [...this.links.values()].filter(({ isOpen }) => isOpen).length
  }

  #handle(input: CommonInput): readonly (Effect | LinkEffect)[] {
    const now = { monoMs: this.#ms, utcSeconds: this.#utcOrigin + this.#ms / 1000 }
    return this.#machine.handle(input, now)
  }

  /** Handles an input and carries out what follows from it; returns all effects. */
  #settle(input: CommonInput): readonly (Effect | LinkEffect)[] {
    const effects = [...this.#handle(input)]
    for (const frame of sendsIn(effects)) decodeFrame(frame.bytes)
    for (const dial of dialsIn(effects)) {
      const error = new P2pError('P2P_CONNECTION_REFUSED', 'not in the recording')
      effects.push(...this.#settle({ type: 'dial-failed', dial, error }))
    }
    for (const { link, reason } of closesIn(effects)) {
      const known = [...this.links.values()].find((candidate) => candidate.link === link)
      if (known?.isOpen !== true) continue
      known.isOpen = false
      effects.push(...this.#settle({ type: 'link-closed', link, reason }))
    }
    return effects
  }
}

type Typed = { readonly type: string }
type EffectOf<Type extends LinkEffect['type']> = Extract<LinkEffect, { readonly type: Type }>

export function sendsIn(effects: readonly Typed[]): readonly EffectOf<'send'>[] {
  return effects.filter((effect): effect is EffectOf<'send'> => effect.type === 'send')
}

export function closesIn(effects: readonly Typed[]): readonly EffectOf<'close'>[] {
  return effects.filter((effect): effect is EffectOf<'close'> => effect.type === 'close')
}

function dialsIn(effects: readonly Typed[]): readonly number[] {
  return effects
    .filter((effect): effect is EffectOf<'dial'> => effect.type === 'dial')
    .map(({ dial }) => dial)
}
