/**
 * Puts our peer layer in the place of each recorded node in turn: it gets the frames that node got, at
 * the times they came, under the same id and clock. Ours must never throw, must say of itself what the
 * node said, must open the peers, must hand up every message, and may close a link only for a reason
 * that stands in the recording.
 */
import assert from 'node:assert/strict'
import { defaultLimits, Peers } from '@p2p/base'
import type { PeersEffect, PeersInput } from '@p2p/base'
import { P2pError } from '@p2p/base'
import {
  decodableMethods,
  decodeFrame,
  encodeFrame,
  encodeValue,
  flags,
  idText,
  wholeNumber,
} from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import * as z from 'zod'
import type { Check, Verdict } from '../fixture-set.ts'
import { skipped } from '../fixture-set.ts'
import { foreignMethod } from '../foreign-method.ts'
import { bytesFromHex, hexOf } from '../recorded-bytes.ts'
import { refusalOf } from '../refusal.ts'
import { tagged, taggedList, valueOf } from '../tagged-value.ts'
import type { EventEntry, FrameEntry, Transcript } from '../transcript.ts'

const nodeShape = z.object({
  impl: z.string(),
  id: tagged,
  out_addr: z.tuple([z.string(), z.number()]),
  protocol: tagged,
  subnet: z.string(),
  compression: z.array(z.number()),
})
type RecordedNode = z.infer<typeof nodeShape>

/** One check per recorded node. */
export function* replayChecks(transcript: Transcript): Iterable<Check> {
  for (const [name, fields] of Object.entries(transcript.nodes)) {
    const node = nodeShape.safeParse(fields)
    yield {
      name: `in the place of ${name}`,
      run: (): Verdict | undefined => {
        if (!node.success) return skipped('a node is described in a way this set does not know')
        new Replay(transcript, name, node.data).run()
        return undefined
      },
    }
  }
}

/** What is known of a recorded connection while it is replayed. */
interface ReplayedLink {
  readonly link: number
  readonly other: string
  isOpen: boolean
}

class Replay {
  readonly #transcript: Transcript
  readonly #name: string
  readonly #node: RecordedNode
  readonly #peers: Peers
  readonly #links = new Map<string, ReplayedLink>()
  /** Recorded time of milliseconds zero, UTC seconds. */
  readonly #utcOrigin: number
  #ms = 0
  #request = 0

  constructor(transcript: Transcript, name: string, node: RecordedNode) {
    this.#transcript = transcript
    this.#name = name
    this.#node = node
    this.#utcOrigin = utcOriginOf(transcript)
    this.#peers = newPeers(
      node,
      node.compression.filter((method) => decodableMethods.includes(method)),
    )
    const [host, port] = node.out_addr
    this.#peers.handle(
      { type: 'listening', addresses: [`tcp://${host}:${port}`] },
      { monoMs: 0, utcSeconds: this.#utcOrigin },
    )
  }

  run(): void {
    for (const entry of this.#transcript.entries) {
      if (entry.kind === 'mark') continue
      if (entry.from !== this.#name && entry.to !== this.#name) continue
      this.#passTime(entry.ms)
      if (entry.kind === 'event') this.#onEvent(entry)
      else if (entry.to === this.#name) this.#onFrame(entry)
      else this.#compareHandshake(entry)
    }
    this.#passTime(this.#ms + 120_000)
  }

  /** Lets the deadlines up to this moment pass. */
  #passTime(ms: number): void {
    while (this.#peers.nextDeadline() <= ms) {
      this.#ms = Math.max(this.#ms, this.#peers.nextDeadline())
      this.#carryOut(this.#handle({ type: 'deadline' }))
    }
    this.#ms = ms
  }

  #handle(input: PeersInput): readonly PeersEffect[] {
    const now = { monoMs: this.#ms, utcSeconds: this.#utcOrigin + this.#ms / 1000 }
    return this.#peers.handle(input, now)
  }

  #onEvent(entry: EventEntry): void {
    const known = this.#links.get(entry.conn)
    if (entry.event === 'open' && known === undefined) {
      this.#open(entry)
    } else if (entry.event === 'close' && known?.isOpen === true) {
      known.isOpen = false
      const reason = new P2pError('P2P_LINK_CLOSED', 'closed in the recording')
      this.#carryOut(this.#handle({ type: 'link-closed', link: known.link, reason }))
    }
  }

  #open(entry: EventEntry): void {
    const isOurs = entry.from === this.#name
    const other = isOurs ? entry.to : entry.from
    const known: ReplayedLink = { link: this.#links.size + 1, other, isOpen: true }
    this.#links.set(entry.conn, known)
    const address = isOurs ? this.#addressOf(other) : undefined
    const dial = address === undefined ? undefined : this.#dial(address)
    const remote = address ?? 'tcp://127.0.0.1:50000'
    const input = { type: 'link-open', link: known.link, transport: 'tcp', remote, dial } as const
    this.#carryOut(this.#handle(input))
  }

  /** Asks for a connection, and gives the number of the dial that is to carry it. */
  #dial(address: string): number | undefined {
    this.#request += 1
    const effects = this.#handle({
      type: 'connect',
      request: this.#request,
      address,
      expectedId: undefined,
      timeoutMs: 60_000,
    })
    const dial = effects.find((effect) => effect.type === 'dial')
    return dial?.dial
  }

  #addressOf(name: string): string | undefined {
    const node = nodeShape.safeParse(this.#transcript.nodes[name])
    const [host, port] = node.data?.out_addr ?? []
    return host === undefined ? undefined : `tcp://${host}:${port}`
  }

  #onFrame(entry: FrameEntry): void {
    const known = this.#links.get(entry.conn)
    const frame = readableFrame(entry)
    if (known?.isOpen !== true || frame === undefined) return
    const wasPeer = this.#peerOf(known.link) !== undefined
    const effects = this.#handle({ type: 'link-bytes', link: known.link, bytes: frame })
    const message = messageIn(frame)
    if (message === undefined) {
      assertClosed(effects, known.link, 'P2P_BAD_FRAME', 'what is no frame')
    } else if (isHandshake(message)) this.#checkHandshake(message, effects, known, wasPeer)
    else if (wasPeer && message !== 'ignored' && isForApplication(message)) {
      const handedUp = effects.some(
        (effect) =>
          effect.type === 'peer-message' && hexOf(effect.message.id) === hexOf(message.id),
      )
      assert.ok(handedUp, `${this.#where(entry)}: the message was not handed up`)
    }
    this.#carryOut(effects)
    if (message === undefined) return
    if (!known.isOpen) assert.ok(isHandshake(message), `${this.#where(entry)}: closed the link`)
  }

  #where(entry: FrameEntry): string {
    return `${entry.ms} ms, from ${entry.from} over ${entry.conn}`
  }

  #peerOf(link: number): unknown {
    return [...this.#peers.peers.values()].find((peer) => peer.link === link)
  }

  /** A handshake of our network opens the peer, one of another closes the link. */
  #checkHandshake(
    message: WireMessage | 'ignored',
    effects: readonly PeersEffect[],
    known: ReplayedLink,
    wasPeer: boolean,
  ): void {
    if (message === 'ignored' || wasPeer) return
    const [, id, protocol] = message.payload
    if (idText(protocol) !== idText(valueOf(this.#node.protocol))) {
      assertClosed(effects, known.link, 'P2P_WRONG_NETWORK', 'a handshake of another network')
      return
    }
    const name = idText(id)
    const isSecondLink = [...this.#links.values()].some(
      (link) => link !== known && link.isOpen && link.other === known.other,
    )
    if (isSecondLink) return
    const opened = effects.some((effect) => effect.type === 'peer-open' && effect.peer.id === name)
    assert.ok(opened, 'the handshake did not open the peer')
  }

  /** What the recorded node sent of itself, we would have sent byte for byte. */
  #compareHandshake(entry: FrameEntry): void {
    const frame = readableFrame(entry)
    const message = frame === undefined ? undefined : messageIn(frame)
    if (message === undefined || message === 'ignored' || !isHandshake(message)) return
    if (this.#node.protocol.t !== 'str') return // base58 1.x makes bytes of ids; see observed 3
    const peers = newPeers(this.#node, this.#node.compression)
    const now = { monoMs: 0, utcSeconds: message.time }
    const [host, port] = this.#node.out_addr
    peers.handle({ type: 'listening', addresses: [`tcp://${host}:${port}`] }, now)
    const remote = 'tcp://127.0.0.1:50000'
    const input = { type: 'link-open', link: 1, transport: 'tcp', remote, dial: undefined } as const
    const [sent] = peers.handle(input, now)
    assert.ok(sent?.type === 'send', 'our handshake goes out first')
    assert.equal(hexOf(decodeFrame(sent.bytes).body), hexOf(message.body), 'our handshake')
  }

  /** Frames of ours have to be readable; a link that we close is closed. */
  #carryOut(effects: readonly PeersEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') decodeFrame(effect.bytes)
      if (effect.type !== 'close') continue
      const known = [...this.#links.values()].find(({ link }) => link === effect.link)
      if (known?.isOpen !== true) continue
      known.isOpen = false
      const { link, reason } = effect
      this.#carryOut(this.#handle({ type: 'link-closed', link, reason }))
    }
  }
}

function newPeers(node: RecordedNode, methods: readonly number[]): Peers {
  return new Peers({
    id: idText(valueOf(node.id)) ?? '',
    idEncoding: node.id.t === 'bin' ? 'bytes' : 'text',
    subnet: node.subnet,
    limits: defaultLimits,
    randomBytes: (count) => new Uint8Array(count).fill(7),
    methods,
    extensions: false,
  })
}

/** Milliseconds in a transcript count from its start; the times in its messages tell when that was. */
function utcOriginOf(transcript: Transcript): number {
  for (const entry of transcript.entries) {
    if (entry.kind !== 'frame') continue
    const frame = readableFrame(entry)
    const message = frame === undefined ? undefined : messageIn(frame)
    if (message !== undefined && message !== 'ignored') return message.time - entry.ms / 1000
  }
  return 1_500_000_000
}

const decodedShape = z.object({ type: tagged, sender: tagged, time: tagged, payload: taggedList })

/** The recorded bytes; made from the values when a method we do not read had compressed them. */
function readableFrame(entry: FrameEntry): Uint8Array | undefined {
  if (typeof entry.hex !== 'string') return undefined
  const frame = bytesFromHex(entry.hex)
  if (foreignMethod(frame) === undefined) return frame
  const decoded = decodedShape.safeParse(entry.decoded)
  if (!decoded.success) return undefined
  const { type, sender, time, payload } = decoded.data
  const body = encodeValue([type, sender, time, ...payload].map(valueOf))
  const id = z.object({ id: z.string() }).parse(entry.decoded).id
  return encodeFrame({ body, id: bytesFromHex(id) })
}

/** The message in a frame; `ignored` for an array that is no message, undefined for what is no frame. */
function messageIn(frame: Uint8Array): WireMessage | 'ignored' | undefined {
  let message: WireMessage | undefined
  const refusal = refusalOf(() => {
    message = decodeFrame(frame)
  })
  return refusal?.code === 'P2P_MESSAGE_HEADER' ? 'ignored' : message
}

function isHandshake(message: WireMessage | 'ignored'): boolean {
  return (
    message !== 'ignored' &&
    message.type === flags.whisper &&
    message.payload.length === 5 &&
    message.payload[0] === flags.handshake
  )
}

/** Everything but talk about the link itself. */
function isForApplication(message: WireMessage): boolean {
  if (message.payload.length === 0) return false
  const subFlag = wholeNumber(message.payload[0])
  if (message.type !== flags.renegotiate) {
    return subFlag !== flags.handshake || message.payload.length === 2
  }
  return subFlag !== flags.compression && subFlag !== flags.resend
}

function assertClosed(
  effects: readonly PeersEffect[],
  link: number,
  code: string,
  why: string,
): void {
  const closes = effects.flatMap((effect) =>
    effect.type === 'close' && effect.link === link ? [effect.reason.code] : [],
  )
  assert.deepEqual(closes, [code], `${why} has to close the link`)
}
