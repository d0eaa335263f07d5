// One machine driven by hand: the test plays every peer, and the clock.
import { P2pError } from '@p2p/base'
import type { P2pyCommand } from '../../src/protocol/events.ts'
import { P2pyMachine } from '../../src/protocol/machine.ts'
import type { P2pyLimits } from '../../src/protocol/limits.ts'
import { joinFinalized } from '../../src/protocol/membership-messages.ts'
import { encodeInfo, encodeMessage, type OutgoingMessage } from '../../src/protocol/messages.ts'
import { frameOf, type P2pyEffect } from '../../src/protocol/outbox.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import { sentOver } from './wire.ts'

export const ownAddress = { host: '127.0.0.1', port: 4444 }

/** Where the node with this UUID listens, in these tests. */
export function addressOf(uuid: number): { host: string; port: number } {
  return { host: '127.0.0.1', port: 5000 + uuid }
}

export class DrivenMachine {
  readonly machine: P2pyMachine
  /** What the latest input led to. */
  effects: readonly P2pyEffect[] = []
  #nowMs = 0
  #nextLink = 1

  constructor(limits: Partial<P2pyLimits> = {}) {
    // Single bytes make pauses, the longest here; the others ids, each another one.
    let drawn = 0
    const randomBytes = (count: number): Uint8Array =>
      new Uint8Array(count).fill(count === 1 ? 255 : drawn++ % 250)
    this.machine = new P2pyMachine({ address: ownAddress, randomBytes, limits })
  }

  /** A machine that joined through a Python node `adder` and has links to `neighbours`, each by its UUID. */
  static member(options: {
    readonly uuid: number
    readonly adder: number
    readonly others: readonly number[]
    readonly neighbours: readonly number[]
    readonly limits?: Partial<P2pyLimits>
  }): { readonly driven: DrivenMachine; readonly links: ReadonlyMap<number, number> } {
    const { uuid, adder, others, neighbours } = options
    const driven = new DrivenMachine(options.limits)
    driven.command({ type: 'join', command: 1, addresses: [addressOf(adder)] })
    const links = new Map([[adder, driven.takeDial(adder)]])
    const welcome = { joinerUuid: uuid, adderUuid: adder, networkSize: others.length + 2 }
    driven.say(links.get(adder), joinFinalized({ ...welcome, activePeers: others }))
    for (const other of neighbours) links.set(other, driven.meet(other))
    return { driven, links }
  }

  get types(): readonly string[] {
    return this.effects.map(({ type }) => type)
  }

  /** The address URL of each dial the latest input led to. */
  get dialled(): readonly string[] {
    return this.effects.flatMap((effect) => (effect.type === 'dial' ? [effect.address] : []))
  }

  /** The links that the latest input closed, each with the code of the reason. */
  get closed(): readonly (readonly [link: number, code: string])[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'close' ? [[effect.link, effect.reason.code] as const] : [],
    )
  }

  /** How the commands that the latest input ended have ended: "done", or the code of the error. */
  get answers(): ReadonlyMap<number, string> {
    return new Map(
      this.effects.flatMap((effect): [number, string][] => {
        if (effect.type === 'done') return [[effect.command, 'done']]
        return effect.type === 'failed' ? [[effect.command, effect.error.code]] : []
      }),
    )
  }

  /** The codes of what was refused by the latest input. */
  get rejected(): readonly string[] {
    return this.effects.flatMap((effect) => (effect.type === 'rejected' ? [effect.error.code] : []))
  }

  command(command: P2pyCommand): void {
    this.#handle(command)
  }

  /** A Python node opens a link, introduces itself and asks to keep it. */
  meet(uuid: number, announced: number | null = uuid): number {
    const link = this.meetOld(uuid, announced)
    const introduced = this.effects
    this.sayValue(link, true)
    this.effects = [...introduced, ...this.effects]
    return link
  }

  /** The same as an older Python node does it, who says nothing about keeping the link. */
  meetOld(uuid: number, announced: number | null): number {
    return this.#open(addressOf(uuid), announced)
  }

  /** A node of ours, who says at once that it keeps the link. */
  meetOurs(uuid: number | null, port: number): number {
    return this.openOurs({ uuid, port })
  }

  /** The same on a link that we dialled. */
  openOurs({ uuid, port, dial }: { uuid: number | null; port: number; dial?: number }): number {
    const link = this.open(dial)
    this.sayValue(link, encodeInfo({ address: { host: '127.0.0.1', port }, uuid, isOurs: true }))
    this.sayValue(link, true)
    return link
  }

  /** A link opens, dialled by us or by a peer; the peer has said nothing yet. */
  open(dial?: number): number {
    const link = this.#nextLink++
    const remote = `tcp://127.0.0.1:${50_000 + link}`
    this.#handle({ type: 'link-open', link, transport: 'tcp', remote, dial })
    return link
  }

  /** The dial of the latest input comes through to the Python node with this UUID. */
  takeDial(uuid: number, announced: number | null = uuid): number {
    return this.#open(addressOf(uuid), announced, this.dial)
  }

  refuseDial(dial: number = this.dial): void {
    const error = new P2pError('P2P_CONNECTION_REFUSED', 'nobody listens there')
    this.#handle({ type: 'dial-failed', dial, error })
  }

  /** Nobody answers the dial: it may be our own line that is down. */
  failDial(dial: number = this.dial): void {
    const error = new P2pError('P2P_DIAL_TIMEOUT', 'no answer')
    this.#handle({ type: 'dial-failed', dial, error })
  }

  say(link: number | undefined, message: OutgoingMessage): void {
    this.sayValue(link, encodeMessage(message))
  }

  sayValue(link: number | undefined, value: PyValue): void {
    this.bytes(link, frameOf(value))
  }

  bytes(link: number | undefined, bytes: Uint8Array): void {
    this.#handle({ type: 'link-bytes', link: link ?? -1, bytes })
  }

  lose(link: number | undefined): void {
    const reason = new P2pError('P2P_LINK_LOST', 'gone')
    this.#handle({ type: 'link-closed', link: link ?? -1, reason })
  }

  /** Lets time pass, up to the next deadline or for `durationMs`. */
  pass(durationMs: number): void {
    this.#nowMs += durationMs
    if (this.machine.nextDeadline() <= this.#nowMs) this.#handle({ type: 'deadline' })
    else this.effects = []
  }

  /** Messages the latest input sent over this link. */
  heard(link: number | undefined): readonly PyValue[] {
    return sentOver(link ?? -1, this.effects)
  }

  /** The first dial the latest input led to. */
  get dial(): number {
    const dial = this.effects.find((effect) => effect.type === 'dial')
    if (dial === undefined) throw new Error('nothing was dialled')
    return dial.dial
  }

  /** The dial to this address that the latest input led to. */
  dialOf(address: string): number {
    const dial = this.effects.find((effect) => effect.type === 'dial' && effect.address === address)
    if (dial?.type !== 'dial') throw new Error(`${address} was not dialled`)
    return dial.dial
  }

  #open(address: { host: string; port: number }, uuid: number | null, dial?: number): number {
    const link = this.open(dial)
    this.sayValue(link, encodeInfo({ address, uuid, isOurs: false }))
    return link
  }

  #handle(input: Parameters<P2pyMachine['handle']>[0]): void {
    this.effects = this.machine.handle(input, { monoMs: this.#nowMs, utcSeconds: 1_500_000_000 })
  }
}
