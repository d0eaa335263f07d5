import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame, flags } from '@p2p/serializer'
import { createControlPayload, nonceBytes } from '../../src/protocol/hello.ts'
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
