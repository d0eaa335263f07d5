/** One of our machines in the place of one recorded p2py node: same links, same bytes, same moments. */
import assert from 'node:assert/strict'
import {
  decodeFrame,
  decodePickle,
  FrameSplitter,
  P2pyMachine,
  PyRequest,
  PyTuple,
} from '@p2p/p2py-compat'
import type { P2pyEffect, PyValue } from '@p2p/p2py-compat'
import { differs, type Verdict } from './fixture-set.ts'
import { bytesFromHex } from './recorded-bytes.ts'
import type { P2pyTranscript } from './sets/p2py-transcripts.ts'

const dictOf = (value: PyValue | undefined): ReadonlyMap<PyValue, PyValue> =>
  value instanceof Map ? value : new Map()

/** Throws an AssertionError when the machine refuses something, or fares otherwise than the node. */
export function replayNode(transcript: P2pyTranscript, name: string): Verdict | undefined {
  const replay = new Replay(transcript, name)
  for (const entry of transcript.entries) replay.step(entry)
  return replay.check()
}

class Replay {
  readonly #transcript: P2pyTranscript
  readonly #name: string
  readonly #machine: P2pyMachine
  readonly #links = new Map<string, number>()
  readonly #closed = new Set<number>()
  readonly #answers = new Map<string, string>()
  readonly #expected = new Map<string, string>()
  #nextLink = 1
  #ms = 0
  #uuid: number | null = null
  #hasJoined = false

  constructor(transcript: P2pyTranscript, name: string) {
    this.#transcript = transcript
    this.#name = name
    let seed = 0
    this.#machine = new P2pyMachine({
      address: this.#addressOf(name),
      randomBytes: (count) =>
        Uint8Array.from({ length: count }, () => (seed = (seed * 5 + 3) & 0xff)),
      // Silence in the capture is not ours to end, and nobody is there to be found again.
      limits: { temporaryLinkMs: 1e9, acceptedLinkMs: 1e9, repairIntervalMs: 1e9 },
    })
  }

  step(entry: P2pyTranscript['entries'][number]): void {
    this.#ms = entry.ms
    const { from, to, conn, event, hex } = entry
    if (conn === undefined || from === undefined || to === undefined) return
    if (event === 'open' && (from === this.#name || to === this.#name)) this.#open(conn, from, to)
    else if (hex !== undefined && to === this.#name) this.#receive(conn, bytesFromHex(hex))
    else if (hex !== undefined && from === this.#name) this.#note(this.#expected, bytesFromHex(hex))
  }

  check(): Verdict | undefined {
    const recorded = this.#transcript.state_at_end[this.#name]?.uuid ?? null
    const variants = new Set(Object.values(this.#transcript.nodes).map(({ variant }) => variant))
    // A newer p2py takes the first message of an older one for its flag, and loses it.
    if (variants.size > 1 && this.#uuid !== recorded) return differs('p2py-variants-meet')
    assert.equal(this.#uuid, recorded, 'UUID')
    for (const [requestId, answer] of this.#expected) {
      assert.equal(this.#answers.get(requestId), answer, `answer to ${requestId}`)
    }
    return undefined
  }

  /** The machine gets the link as its own dial when it asked for one, and as an incoming one else. */
  #open(conn: string, from: string, to: string): void {
    const isOurs = from === this.#name
    const isJoin = isOurs && !this.#hasJoined && this.#asksToJoin(conn)
    const other = this.#addressOf(isOurs ? to : from)
    const remote = `tcp://${other.host}:${other.port}`
    let dial: number | undefined
    if (isJoin) {
      this.#hasJoined = true
      for (const link of this.#links.values()) this.#closed.add(link)
      const effects = this.#handle({ type: 'join', command: 1, addresses: [other] })
      dial = effects.find((effect) => effect.type === 'dial')?.dial
    }
    const link = this.#nextLink++
    this.#links.set(conn, link)
    this.#handle({ type: 'link-open', link, transport: 'tcp', remote, dial })
  }

  #receive(conn: string, frame: Uint8Array): void {
    const link = this.#links.get(conn)
    if (link === undefined || this.#closed.has(link)) return
    this.#handle({ type: 'link-bytes', link, bytes: frame })
  }

  #handle(input: Parameters<P2pyMachine['handle']>[0]): readonly P2pyEffect[] {
    const effects = this.#machine.handle(input, { monoMs: this.#ms, utcSeconds: 1_500_000_000 })
    for (const effect of effects) {
      if (effect.type === 'rejected') assert.fail(`refused: ${effect.error.message}`)
      if (effect.type === 'joined') this.#uuid = effect.uuid
      if (effect.type === 'send') this.#note(this.#answers, effect.bytes)
    }
    for (const effect of effects) if (effect.type === 'close') this.#closed.add(effect.link)
    return effects
  }

  /** Remembers answers about addresses, which do not depend on an application. */
  #note(answers: Map<string, string>, frame: Uint8Array): void {
    for (const pickle of new FrameSplitter().push(frame)) {
      const answer = dictOf(decodePickle(pickle))
      if (answer.get('type') !== 'UUID ADDRESS REQUEST RESPONSE') continue
      const data = dictOf(answer.get('data'))
      const address = data.get('address')
      const items = address instanceof PyTuple ? address.items : []
      answers.set(String(answer.get('request_id')), JSON.stringify([data.get('UUID'), ...items]))
    }
  }

  #asksToJoin(conn: string): boolean {
    return this.#transcript.entries.some(({ conn: other, from, hex }) => {
      if (other !== conn || from !== this.#name || hex === undefined) return false
      const value = decodePickle(decodeFrame(bytesFromHex(hex)))
      if (value instanceof PyRequest || dictOf(value).get('type') !== 'JOIN REQUEST') return false
      // Requests of others are passed on over links as well.
      const joiner = dictOf(dictOf(value).get('data')).get('address')
      const own = this.#addressOf(this.#name)
      return (
        joiner instanceof PyTuple && joiner.items[0] === own.host && joiner.items[1] === own.port
      )
    })
  }

  #addressOf(name: string): { host: string; port: number } {
    const [host, port] = this.#transcript.nodes[name]?.address ?? ['', 0]
    return { host, port }
  }
}
