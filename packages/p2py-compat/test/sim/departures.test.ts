// Departures that never were: who is declared gone although he lives has to become a member again.
import { expect, test } from '@jest/globals'
import type { Cut } from '@p2p/base/sim'
import { killConnection, newPeer, peerLeft } from '../../src/protocol/membership-messages.ts'
import { maxUuid } from '../../src/protocol/messages.ts'
import { SimulatedNetwork, type SimulatedPeer } from './simulated-network.ts'

const seed = process.env['SEED'] ?? 1

function grown(count: number): { network: SimulatedNetwork; peers: SimulatedPeer[] } {
  const network = new SimulatedNetwork({ seed })
  const peers = network.grow(count)
  network.run(40_000)
  return { network, peers }
}

/** Cuts the links between members of the two groups, which cannot dial each other until that is healed. */
function keepApart(
  network: SimulatedNetwork,
  options: {
    readonly one: readonly SimulatedPeer[]
    readonly other: readonly SimulatedPeer[]
  },
): Cut {
  const namesOf = (group: readonly SimulatedPeer[]): Set<string> =>
    new Set(group.map(({ sim }) => sim.name))
  const [one, other] = [namesOf(options.one), namesOf(options.other)]
  for (const end of network.simulator.network.openLinks()) {
    const owners = [end.owner.name, end.other.owner.name]
    const isBetween = owners.some((name) => one.has(name)) && owners.some((name) => other.has(name))
    if (!isBetween) continue
    end.reset()
    end.other.reset()
  }
  const groups = [options.one, options.other]
  return network.simulator.network.cutGroups(groups.map((g) => new Set(g.map(({ sim }) => sim))))
}

/** All have UUIDs of their own, and each knows all others and nobody else. */
function expectWhole(peers: readonly SimulatedPeer[]): void {
  const uuids = peers.map(({ uuid }) => uuid ?? -1).sort((a, b) => a - b)
  expect(uuids).toEqual([...new Set(uuids)])
  const known = peers.map(({ uuid, machine }) =>
    [...machine.state.members, uuid ?? -1].sort((a, b) => a - b).join(' '),
  )
  expect(known).toEqual(peers.map(() => uuids.join(' ')))
}

test.each([
  [1, 2],
  [6, 7],
  [0, 1],
])('nodes %d and %d lose each other for a while: everybody knows both again', (one, other) => {
  const { network, peers } = grown(8)
  const pair = { one: [peers[one]!], other: [peers[other]!] }
  const { heal } = keepApart(network, pair)
  network.run(30_000)
  heal()
  network.run(30_000)
  expectWhole(peers)
  network.grow(3)
  network.run(10_000)
  expectWhole(network.peers)
})

test.each([[[2]], [[7]], [[1, 4, 6]]])('%j are cut off for a while, and come back', (away) => {
  const { network, peers } = grown(8)
  const one = peers.filter(({ uuid }) => away.includes(uuid ?? -1))
  const other = peers.filter((peer) => !one.includes(peer))
  const { heal } = keepApart(network, { one, other })
  network.run(60_000)
  heal()
  network.run(180_000)
  expectWhole(peers)
  network.grow(2)
  network.run(10_000)
  expectWhole(network.peers)
})

test('whoever hands out UUIDs is cut off, and comes back when another one has handed some out', () => {
  const { network, peers } = grown(8)
  const last = peers[7]!
  const { heal } = keepApart(network, { one: [last], other: peers.slice(0, 7) })
  network.run(30_000)
  network.grow(3)
  network.run(30_000)
  heal()
  network.run(180_000)
  expectWhole(network.peers)
  const late = network.add()
  expect(network.answer(late, late.join(last))).toBe('done')
  network.run(10_000)
  expectWhole(network.peers)
})

test('whoever was away so long that a newcomer has its UUID leaves, and may join again', () => {
  const { network, peers } = grown(8)
  const away = peers[2]!
  const { heal } = keepApart(network, { one: [away], other: peers.filter((peer) => peer !== away) })
  network.run(90_000)
  const [newcomer] = network.grow(1)
  expect(newcomer!.uuid).toBe(2)
  network.run(10_000)
  heal()
  network.run(180_000)
  expect([away.uuid, away.events.filter(({ type }) => type === 'left').length]).toEqual([null, 1])
  expectWhole(network.peers.filter((peer) => peer !== away))
  expect(network.answer(away, away.join(peers[0]!))).toBe('done')
  network.run(10_000)
  expectWhole(network.peers)
})

test('a member that never was keeps no newcomers out', () => {
  const { network, peers } = grown(4)
  peers[2]!.announce(newPeer(maxUuid, { host: 'nowhere.test', port: 4444 }))
  network.run(1_000)
  network.grow(4)
  network.run(10_000)
  expectWhole(network.peers)
})

test('a node that leaves as p2py does takes nobody with it', () => {
  const { network, peers } = grown(9)
  const leaving = peers[8]!
  const told = new Set(leaving.book)
  leaving.book.forEach((uuid, index) => {
    if (index % 2 === 1) return
    told.delete(uuid)
    leaving.send({ uuid }, killConnection)
    for (const other of told) leaving.send({ uuid: other }, peerLeft(uuid))
  })
  network.run(500)
  leaving.sim.crash()
  network.run(30_000)
  const rest = peers.slice(0, 8)
  expectWhole(rest)
})
