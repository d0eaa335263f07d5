// What one link makes of messages that are out of place, malformed or in the way.
import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { createMessage, encodeFrame, flags, type Value } from '@p2p/serializer'
import { extensionMarker } from '../../src/protocol/handshake.ts'
import { controlFlag, fillerFlag, helloFlag } from '../../src/protocol/hello.ts'
import { ascii, codes, handshake, hello, peerIds, plainNetwork, whisper } from './peer-frames.ts'
import { Bench, type BenchNode } from './peers-bench.ts'

/** Alice, with a link on which the test has said these things. */
function told(...said: readonly Uint8Array[]): {
  readonly bench: Bench
  readonly alice: BenchNode
  readonly link: number
} {
  const bench = new Bench()
  const alice = bench.add('A')
  const link = bench.rawLink(alice)
  for (const bytes of said) alice.handle({ type: 'link-bytes', link, bytes })
  return { bench, alice, link }
}

const ours = (): readonly Uint8Array[] => [
  handshake('B', [0x13, extensionMarker]),
  hello('B', new Uint8Array(8), ['heartbeat', 'claim']),
]
const payloads = (node: BenchNode): unknown[] =>
  node.of('peer-message').map(({ message }) => message.payload)
const renegotiate = (payload: readonly Value[]): Uint8Array =>
  encodeFrame(createMessage({ type: flags.renegotiate, sender: 'B', time: 1, payload }))

describe('handshakes', () => {
  test('a later one that names another network ends the link', () => {
    const { alice } = told(handshake('Js'), handshake('Js', [0x13], 'another'))
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_WRONG_NETWORK'])
  })

  test.each([
    ['a network id of another type', whisper('s', [5, 'S', 7, ['h', 1], []])],
    ['a network id that is too long', whisper('s', [5, 'S', 'x'.repeat(2_000), ['h', 1], []])],
    ['half an address', whisper('s', [5, 'S', plainNetwork, ['h'], []])],
  ])('with %s closes the link', (_case, bytes) => {
    expect(codes(told(bytes).alice, 'close')).toEqual(['P2P_BAD_HANDSHAKE'])
  })

  test('without an address opens a peer that nobody can dial; one that listens everywhere is where it is', () => {
    const nowhere = whisper('Js', [5, 'Js', plainNetwork, [null, null], []])
    const { alice } = told(nowhere)
    expect(alice.of('peer-open')[0]?.peer).toMatchObject({ address: undefined, addresses: [] })
    const everywhere = whisper('Js', [5, 'Js', plainNetwork, ['0.0.0.0', 4444], []])
    for (const [remote, address] of [
      ['memory://far', 'memory://far'],
      ['somewhere', 'memory://0.0.0.0'],
    ] as const) {
      const bench = new Bench()
      const node = bench.add('A')
      const link = bench.rawLink(node, { remote })
      node.handle({ type: 'link-bytes', link, bytes: everywhere })
      expect(node.of('peer-open')[0]?.peer.address).toBe(address)
    }
  })
})

describe('ignored, and the link stays', () => {
  test.each<[string, readonly Uint8Array[]]>([
    ['a second hello', [hello('B', new Uint8Array(8), ['claim'])]],
    ['a hello that does not read as one', [whisper('B', [helloFlag, 'hi'])]],
    ['a control message without a verb', [whisper('B', [controlFlag, 'jump', new Uint8Array(8)])]],
    ['methods that are no list', [renegotiate([flags.compression, 'all'])]],
    ['more methods than there are', [renegotiate([flags.compression, [...ascii('x'.repeat(65))]])]],
    ['a handshake of three fields', [whisper('B', [flags.handshake, 1, 2])]],
    ['a request to send again what was never sent', [renegotiate([flags.resend])]],
  ])('%s', (_case, said) => {
    const { alice } = told(...ours(), ...said)
    expect(peerIds(alice)).toEqual(['B'])
    expect(payloads(alice)).toEqual([])
    expect(alice.peers.counters().ignoredMessages).toBe(1)
  })

  test('an array that is no message, which old peers ignore too', () => {
    const body = Uint8Array.of(0x91, 0x01)
    const digest = createHash('sha256').update(body).digest()
    const frame = Uint8Array.of(0, 0, 0, digest.length + body.length, ...digest, ...body)
    const { alice } = told(handshake('Js'), frame)
    expect(peerIds(alice)).toEqual(['Js'])
    expect(alice.peers.counters().ignoredMessages).toBe(1)
  })

  test.each([
    ['too deep', () => new Uint8Array(100).fill(0x91)],
    [
      'of too many values',
      () => Buffer.concat([Uint8Array.of(0xdd, 0, 5, 0, 0), new Uint8Array(5 * 65_536)]),
    ],
  ])('a payload that is %s, which an old peer passes on; ours writes none', (_case, value) => {
    const body = Buffer.concat([Uint8Array.of(0x94, 0x00, 0xa1, 0x78, 0x01), value()])
    const digest = createHash('sha256').update(body).digest()
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, digest.length + body.length)
    const frame = Buffer.concat([length, digest, body])
    const old = told(handshake('Js'), frame).alice
    expect(peerIds(old)).toEqual(['Js'])
    expect(old.peers.counters().ignoredMessages).toBe(1)
    const { alice } = told(...ours(), frame)
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_BAD_FRAME'])
    expect(codes(told(frame).alice, 'close')).not.toEqual([])
  })

  test('a filler, without being counted', () => {
    const { alice } = told(...ours(), whisper('B', [fillerFlag, 0]))
    expect(payloads(alice)).toEqual([])
    expect(alice.peers.counters().ignoredMessages).toBe(0)
  })
})

test('a renegotiation of something unheard of is a message like any other', () => {
  const { alice } = told(...ours(), renegotiate(['unheard of']))
  expect(payloads(alice)).toEqual([['unheard of']])
})

test('a message instead of the announced hello: an old peer chose the marker by chance', () => {
  const { alice } = told(handshake('Js', [0x13, extensionMarker]))
  expect(peerIds(alice)).toEqual([])
  const link = 1
  alice.handle({ type: 'link-bytes', link, bytes: whisper('Js', [2, 'hello']) })
  expect(peerIds(alice)).toEqual(['Js'])
  expect(payloads(alice)).toEqual([[2, 'hello']])
})

test('nothing is sent again that would exceed what the peer has earned', () => {
  const { alice, link } = told(handshake('Js'))
  const message = createMessage({ type: 0, sender: 'A', time: 1, payload: [0, 'x'.repeat(60_000)] })
  const again = renegotiate([flags.resend])
  const sent = (): number => alice.sent.get(link)?.length ?? 0
  for (let count = 0; count < 20; count += 1) {
    alice.handle({ type: 'send-message', peer: 'Js', message, priority: 'own' })
    alice.handle({ type: 'link-bytes', link, bytes: again })
  }
  expect(sent()).toBeLessThan(1 + 20 + 20)
  expect(alice.peers.counters().withheldAnswers).toBeGreaterThan(0)
})

describe('half-received frames', () => {
  const half = (byteCount: number): Uint8Array =>
    Uint8Array.of(0, 0, 0x20, 0, ...new Uint8Array(byteCount))

  test('of all links together are limited: the one under way longest goes', () => {
    const bench = new Bench()
    const alice = bench.add('A', { limits: { maxReceivingBytes: 2_000 } })
    const links = ['X', 'Y'].map((id) => {
      const link = bench.rawLink(alice)
      alice.handle({ type: 'link-bytes', link, bytes: handshake(id) })
      alice.handle({ type: 'link-bytes', link, bytes: half(900) })
      bench.advance(10)
      return link
    })
    expect(codes(alice, 'close')).toEqual([])
    alice.handle({ type: 'link-bytes', link: links[1] ?? -1, bytes: new Uint8Array(300) })
    expect(alice.of('close').map(({ link, reason }) => [link, reason.code])).toEqual([
      [links[0], 'P2P_RECEIVE_BUDGET'],
    ])
  })

  test('a frame that keeps its pace is left alone until it is whole', () => {
    const { bench, alice, link } = told(handshake('Js'), half(1_000))
    for (let count = 0; count < 6; count += 1) {
      bench.advance(2_000)
      alice.handle({ type: 'link-bytes', link, bytes: new Uint8Array(1_000) })
    }
    bench.advance(2_000)
    expect(peerIds(alice)).toEqual(['Js'])
  })
})
