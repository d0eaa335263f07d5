/**
 * A peer that means harm: it dials nodes of ours, says something bad in one of many manners, and goes
 * on to the next. Some of it is noise; most of it looks like a member of the network, because that
 * is what gets past the handshake.
 *
 * Sources of the manners: research/reliability.md §6, spec/mesh.md §9, spec/capabilities.md §2.
 */
import { scriptedPeer } from '@p2p/base/sim'
import type { ScriptedPeerHands, SeededRandom } from '@p2p/base/sim'
import {
  Float,
  FrameSplitter,
  concatBytes,
  encodeValue,
  flags,
  networkId,
  sha256,
  utf8Encode,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

export interface HostileTargets {
  /** Addresses of nodes that it may dial, as they are at the moment. */
  addresses(): readonly string[]
  /** Ids of nodes, to pose as one of them. */
  ids(): readonly string[]
}

type Manner = 'silent' | 'noise' | 'oversized' | 'half-frame' | 'member' | 'impostor'

const manners: readonly Manner[] = [
  'silent',
  'noise',
  'oversized',
  'half-frame',
  'member',
  'member',
  'member',
  'impostor',
]
const actPauseMs = 700
const actsPerLink = 12
/** Frames are kept for so long to be sent again: around the sixty seconds after which peers forget one. */
const replayAfterMs = 57_000
const keepEveryMs = 500
const maxKeptFrames = 128
const meshId = networkId({ subnet: 'mesh', encryption: 'Plaintext' })
/** Sub-flags that mean something to somebody, and some that do not. */
const subFlags: readonly Value[] = [
  ...Object.values(flags),
  0x31,
  0x7032,
  0x7033,
  0x7034,
  'x',
  null,
]

/** Options for `Simulator.addNode`. */
export function hostilePeer(
  random: SeededRandom,
  targets: HostileTargets,
): ReturnType<typeof scriptedPeer> {
  return scriptedPeer(new HostileScript(random, targets))
}

class HostileScript {
  readonly #random: SeededRandom
  readonly #targets: HostileTargets
  #link: number | undefined
  #manner: Manner = 'silent'
  #actsLeft = 0
  #splitter = new FrameSplitter()
  /** The last frame it was sent, for replays at once. */
  #heard: Uint8Array | undefined
  /** Frames of the last minute, oldest first, for replays when peers begin to forget them. */
  readonly #kept: { readonly frame: Uint8Array; readonly atMs: number }[] = []

  constructor(random: SeededRandom, targets: HostileTargets) {
    this.#random = random
    this.#targets = targets
  }

  onStart(hands: ScriptedPeerHands): void {
    hands.wakeAfter(actPauseMs)
  }

  onOpen(link: number, hands: ScriptedPeerHands): void {
    this.#link = link
    this.#splitter = new FrameSplitter()
    this.#manner = this.#random.pick(manners)
    this.#actsLeft = actsPerLink
    switch (this.#manner) {
      case 'silent':
        return
      case 'noise':
        hands.send(link, this.#random.bytes(1 + this.#random.below(2_000)))
        return
      case 'oversized':
        hands.send(link, new Uint8Array(64).fill(0xff))
        return
      case 'half-frame':
        hands.send(link, new Uint8Array([0, 0, 4, 0, 1, 2, 3]))
        return
      case 'member':
        hands.send(link, this.#handshake(hands, `hostile${this.#random.uint32()}`))
        return
      case 'impostor':
        hands.send(link, this.#handshake(hands, this.#someId()))
    }
  }

  onBytes(_link: number, bytes: Uint8Array, hands: ScriptedPeerHands): void {
    try {
      const frame = this.#splitter.push(bytes).at(-1)
      if (frame === undefined) return
      this.#heard = frame
      const newest = this.#kept.at(-1)
      if (newest !== undefined && hands.now.monoMs < newest.atMs + keepEveryMs) return
      this.#kept.push({ frame, atMs: hands.now.monoMs })
      if (this.#kept.length > maxKeptFrames) this.#kept.shift()
    } catch {
      this.#splitter = new FrameSplitter()
    }
  }

  onClosed(): void {
    this.#link = undefined
  }

  onWake(hands: ScriptedPeerHands): void {
    hands.wakeAfter(actPauseMs)
    const link = this.#link
    if (link === undefined) {
      const addresses = this.#targets.addresses()
      if (addresses.length > 0) hands.dial(this.#random.pick(addresses))
      return
    }
    this.#actsLeft -= 1
    if (this.#actsLeft <= 0) {
      hands.close(link)
      this.#link = undefined
    } else if (this.#manner === 'member' || this.#manner === 'impostor') {
      hands.send(link, this.#nastyFrames(hands))
      const [oldest] = this.#kept
      if (oldest === undefined || hands.now.monoMs < oldest.atMs + replayAfterMs) return
      hands.send(link, oldest.frame)
      this.#kept.shift()
    }
  }

  #nastyFrames(hands: ScriptedPeerHands): Uint8Array {
    const now = Math.floor(hands.now.utcSeconds)
    const broadcast = (time: Value, payload: readonly Value[]): Uint8Array =>
      frameOf([flags.broadcast, this.#someId(), time, ...payload])
    const whisper = (...payload: readonly Value[]): Uint8Array =>
      frameOf([flags.whisper, 'hostile', now, ...payload])
    const text = utf8Encode('nasty')
    const makers: readonly (() => Uint8Array)[] = [
      () => whisper(flags.peers, this.#manyPeers()),
      () => whisper(flags.peers, [[null, null], 7, [['10.0.0.1'], 'x'], [[1, 2], 3]]),
      () => whisper(flags.request, '*'),
      () => concatBytes(...Array.from({ length: 50 }, () => whisper(flags.request, '*'))),
      () => frameOf([flags.renegotiate, 'hostile', now, flags.compression, [0x13, 0x11]]),
      () => frameOf([flags.renegotiate, 'hostile', now, flags.compression]),
      () => frameOf([flags.renegotiate, 'hostile', now, flags.resend]),
      () => broadcast(now, [flags.handshake, this.#someId(), meshId, ['10.0.0.1', 1], []]),
      () => broadcast(now, [flags.peers, this.#manyPeers()]),
      () => broadcast(new Float(now + 0.5), [flags.broadcast, text]),
      () => broadcast(now + 1_000_000, [flags.broadcast, text]),
      () => broadcast(now - 60, [flags.broadcast, this.#random.bytes(4)]),
      () => broadcast(now, [flags.request, 'search', this.#someId()]),
      () => broadcast(now, [flags.response, 'search', [['10.0.0.1', 9], this.#someId()]]),
      () => broadcast(null, [flags.broadcast, text]),
      () => frameOf([flags.broadcast, null, now, flags.broadcast, text]),
      () => frameOf([flags.broadcast, 'hostile']),
      () => frameOf([]),
      () => whisper(this.#random.pick(subFlags), this.#anyValue(3)),
      () => broadcast(now, [this.#random.pick(subFlags), this.#anyValue(3)]),
      () => this.#heard ?? whisper(flags.whisper),
      () => this.#mutated(this.#heard ?? whisper(flags.whisper, text)),
      () => this.#handshake(hands, this.#someId()),
    ]
    return this.#random.pick(makers)()
  }

  #handshake(hands: ScriptedPeerHands, id: string): Uint8Array {
    const time = Math.floor(hands.now.utcSeconds)
    const address: Value = ['203.0.113.7', 1 + this.#random.below(65_000)]
    const methods = this.#random.chance(0.5) ? [0x13, 0x11] : []
    return frameOf([flags.whisper, id, time, flags.handshake, id, meshId, address, methods])
  }

  #manyPeers(): Value[] {
    return Array.from({ length: this.#random.below(300) }, (): Value => {
      const host = `198.${18 + this.#random.below(2)}.${this.#random.below(256)}.${this.#random.below(256)}`
      return [[host, 1 + this.#random.below(65_535)], `nobody${this.#random.uint32()}`]
    })
  }

  #someId(): string {
    const ids = this.#targets.ids()
    return ids.length === 0 || this.#random.chance(0.3) ? 'hostile' : this.#random.pick(ids)
  }

  #anyValue(depth: number): Value {
    const kinds: readonly (() => Value)[] = [
      () => null,
      () => this.#random.chance(0.5),
      () => this.#random.below(0x1_0000_0000) - 0x8000_0000,
      () => new Float(this.#random.fraction()),
      () => 'text',
      () => this.#random.bytes(this.#random.below(80)),
      () => Array.from({ length: this.#random.below(5) }, () => this.#anyValue(depth - 1)),
      () => new Map([[this.#anyValue(0), this.#anyValue(depth - 1)]]),
    ]
    return this.#random.pick(depth > 0 ? kinds : kinds.slice(0, 6))()
  }

  #mutated(frame: Uint8Array): Uint8Array {
    const mutated = frame.slice()
    const index = this.#random.below(mutated.length)
    mutated[index] = this.#random.below(256)
    return mutated
  }
}

/** A frame with a right checksum around whatever the values are. */
function frameOf(values: readonly Value[]): Uint8Array {
  const body = encodeValue(values)
  const block = concatBytes(sha256(body), body)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, block.length)
  return concatBytes(length, block)
}
