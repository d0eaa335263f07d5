import { expect, test } from '@jest/globals'
import { AcceptGate } from '../../src/protocol/accept-gate.ts'
import { resolveLimits, type NodeLimits } from '../../src/protocol/limits.ts'

function gateOf(limits: Partial<NodeLimits>): AcceptGate {
  return new AcceptGate(resolveLimits(limits))
}

/** The limit that turns the link away; undefined when it may come in. */
function refusal(
  gate: AcceptGate,
  link: number,
  remote: string,
  { monoMs = 0, peerCount = 0 } = {},
): unknown {
  return (gate.refusePeer(peerCount) ?? gate.enter(link, remote, monoMs))?.facts['limit']
}

test('with maxPeers peers nobody comes in any more', () => {
  const gate = gateOf({ maxPeers: 2 })
  expect(refusal(gate, 1, 'tcp://10.0.0.1:1', { peerCount: 1 })).toBeUndefined()
  expect(refusal(gate, 2, 'tcp://10.0.0.2:1', { peerCount: 2 })).toBe('maxPeers')
  expect([gate.pendingCount, gate.refusedCount]).toEqual([1, 1])
})

test('four times as many silent links as may stay come in at once, one more is turned away', () => {
  const gate = gateOf({ maxPendingLinks: 2, maxPendingLinksPerHost: 100 })
  const refused = Array.from({ length: 9 }, (_, link) => refusal(gate, link, 'tcp://127.0.0.1:1'))
  expect(refused).toEqual([...Array.from({ length: 8 }, () => undefined), 'maxPendingLinks'])
})

test('one host opens so many links per second, and more when time has passed; loopback any number', () => {
  const gate = gateOf({ maxAcceptsPerSecondPerHost: 2 })
  const enter = (link: number, remote: string, monoMs: number): unknown =>
    refusal(gate, link, remote, { monoMs })
  expect([1, 2, 3].map((link) => enter(link, 'tcp://10.0.0.1:1', 0))).toEqual([
    undefined,
    undefined,
    'maxAcceptsPerSecondPerHost',
  ])
  expect(enter(4, 'tcp://10.0.0.2:1', 0)).toBeUndefined()
  expect(enter(5, 'tcp://10.0.0.1:1', 499)).toBe('maxAcceptsPerSecondPerHost')
  expect(enter(6, 'tcp://10.0.0.1:1', 500)).toBeUndefined()
  expect([7, 8, 9].map((link) => enter(link, 'tcp://[::1]:1', 0))).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('a remote end that is no address counts as a host of its own', () => {
  const gate = gateOf({ maxAcceptsPerSecondPerHost: 1 })
  expect(refusal(gate, 1, 'somewhere')).toBeUndefined()
  expect(refusal(gate, 2, 'somewhere')).toBe('maxAcceptsPerSecondPerHost')
  expect(refusal(gate, 3, 'elsewhere')).toBeUndefined()
})

test('the pace of 4,096 hosts is remembered, the longest unheard is forgotten for one more', () => {
  const gate = gateOf({ maxAcceptsPerSecondPerHost: 1, maxPendingLinks: 10_000 })
  for (let host = 0; host <= 4_096; host += 1) {
    expect(refusal(gate, host, `host ${host}`)).toBeUndefined()
  }
  expect(refusal(gate, 5_000, 'host 1')).toBe('maxAcceptsPerSecondPerHost')
  expect(refusal(gate, 5_001, 'host 0')).toBeUndefined()
})

test('of the links whose grace is over only so many go as are too many', () => {
  const gate = gateOf({ maxPendingLinks: 3, maxPendingLinksPerHost: 2 })
  const remotes = ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2']
  remotes.forEach((host, link) => refusal(gate, link, `tcp://${host}:1`, { monoMs: 10 * link }))
  expect(gate.nextTrimMs()).toBe(500)
  expect(gate.trim(499)).toEqual([])
  expect(gate.trim(2_000).map(({ link }) => link)).toEqual([0])
  expect(gate.nextTrimMs()).toBe(Infinity)
  gate.leave(0)
  expect(gate.pendingCount).toBe(3)
})
