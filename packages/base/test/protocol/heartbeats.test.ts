import { expect, test } from '@jest/globals'
import { createMessage, decodeFrame, encodeFrame, flags } from '@p2p/serializer'
import { createControlPayload, nonceBytes, parseControl } from '../../src/protocol/hello.ts'
import { Bench } from './peers-bench.ts'
import type { BenchNode } from './peers-bench.ts'

const controlFrameBytes = encodeFrame(
  createMessage({
    type: flags.whisper,
    sender: 'A',
    time: 1_500_000_000,
    payload: createControlPayload({ verb: 'ping', nonce: new Uint8Array(nonceBytes) }),
  }),
).length

const none = new Uint8Array(0)

function connect(node: BenchNode | undefined, address: string): void {
  node?.handle({ type: 'connect', request: 1, address, expectedId: undefined, timeoutMs: 5_000 })
}

test('on a silent link the end that dialled asks, in time, and the other end only answers', () => {
  const bench = new Bench()
  const [alice, bob] = [bench.add('A'), bench.add('B')]
  connect(alice, 'memory://B')
  bench.settle()
  const before = [alice, bob].map(({ peers }) => peers.counters().bytesOut)
  bench.advance(100_000)
  for (const [index, { peers }] of [alice, bob].entries()) {
    const frames = (peers.counters().bytesOut - (before[index] ?? 0)) / controlFrameBytes
    expect(frames).toBeGreaterThanOrEqual(10)
    expect(frames).toBeLessThanOrEqual(12)
  }
})

test('a peer that falls silent is given up within interval and time-out, whoever dialled', () => {
  for (const dies of ['A', 'B']) {
    const bench = new Bench()
    const nodes = [bench.add('A'), bench.add('B')]
    connect(nodes[0], 'memory://B')
    bench.settle()
    bench.advance(12_345)
    for (const node of nodes) node.isDead = node.name === dies
    bench.advance(15_000)
    const survivor = nodes.find(({ isDead }) => !isDead)
    expect(survivor?.of('peer-closed')[0]?.reason.code).toBe('P2P_PEER_SILENT')
  }
})

test('a peer that falls silent straight after its handshake, before its hello, is given up as well', () => {
  const bench = new Bench()
  const [alice, bob] = [bench.add('A'), bench.add('B')]
  const [handshake = none] = bob.sent.get(bench.rawLink(bob)) ?? []
  const link = bench.rawLink(alice)
  alice.handle({ type: 'link-bytes', link, bytes: handshake })
  bench.advance(2_000)
  expect(alice.of('peer-open')).toHaveLength(1)
  bench.advance(13_000)
  expect(alice.of('peer-closed')[0]?.reason.code).toBe('P2P_PEER_SILENT')
})

test('pings of many silent links fall into step, so that the node wakes seldom', () => {
  const bench = new Bench()
  const alice = bench.add('A')
  const linkCount = 9
  for (let index = 0; index < linkCount; index += 1) {
    const { name } = bench.add(`B${index + 1}`)
    connect(alice, `memory://${name}`)
    bench.settle()
    bench.advance(617)
  }
  bench.advance(60_000)
  const handled = { wakes: 0, pings: 0 }
  const before = alice.peers.counters().bytesOut
  for (let ms = 0; ms < 90_000; ms += 100) {
    if (alice.peers.nextDeadline() <= bench.now.monoMs + 100) handled.wakes += 1
    bench.advance(100)
  }
  handled.pings = (alice.peers.counters().bytesOut - before) / controlFrameBytes
  // Each link is asked every nine seconds, as it would be alone, and that takes four moments in all.
  expect(handled.pings).toBeGreaterThanOrEqual(linkCount * 9)
  expect(handled.pings).toBeLessThanOrEqual(linkCount * 11)
  expect(handled.wakes).toBeLessThanOrEqual(10 * 8)
})

test('whoever falls silent among many is given up in time, and nobody else', () => {
  const bench = new Bench()
  const alice = bench.add('A')
  const others = Array.from({ length: 8 }, (_, index) => bench.add(`B${index + 1}`))
  for (const [index, other] of others.entries()) {
    const [from, to] = index % 2 === 0 ? [alice, other] : [other, alice]
    connect(from, `memory://${to.name}`)
    bench.settle()
    bench.advance(1_234)
  }
  bench.advance(33_333)
  for (const [count, other] of others.entries()) {
    other.isDead = true
    bench.advance(15_000)
    const closed = alice.of('peer-closed')
    expect(closed).toHaveLength(count + 1)
    expect(closed.at(-1)?.peer.id).toBe(other.name)
    bench.advance(777)
  }
})

test('links that are asked together get the same bytes, and others in another second', () => {
  const bench = new Bench()
  const alice = bench.add('A')
  for (const name of ['B', 'C']) connect(alice, `memory://${bench.add(name).name}`)
  bench.settle()
  const asked = (): readonly (Uint8Array | undefined)[] =>
    [...alice.sent.values()].map((frames) => frames.at(-1))
  bench.advance(11_000)
  const [first, second] = asked()
  expect(parseControl(decodeFrame(first ?? none))?.verb).toBe('ping')
  expect(second).toBe(first)
  bench.advance(11_000)
  const [third, fourth] = asked()
  expect(third).not.toEqual(first)
  expect(fourth).toBe(third)
})
