// The machine against itself in the simulator: joining, books, routing, requests, leaving.
import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { SimulatedNetwork } from '../sim/simulated-network.ts'

describe('joining', () => {
  test('UUIDs are handed out in order, and the first node of a network is 0', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(6)
    expect(peers.map(({ uuid }) => uuid)).toEqual([0, 1, 2, 3, 4, 5])
    network.run(2_000)
    for (const { machine } of peers) expect(machine.state.networkSize).toBe(6)
  })

  test('peer books hold the UUIDs at distances of powers of two', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(5)
    network.run(20_000)
    expect(peers.map(({ book }) => book)).toEqual([
      [1, 2, 4],
      [0, 2, 3],
      [0, 1, 3, 4],
      [1, 2, 4],
      [0, 2, 3],
    ])
  })

  test('nodes that join all at once get different UUIDs', () => {
    const network = new SimulatedNetwork({ seed: 3 })
    const [first] = network.grow(1)
    const others = Array.from({ length: 20 }, () => network.add())
    const commands = others.map((peer) => peer.join(first!))
    others.forEach((peer, index) => expect(network.answer(peer, commands[index]!)).toBe('done'))
    const uuids = others.map(({ uuid }) => uuid).sort((a, b) => Number(a) - Number(b))
    expect(uuids).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('the next address is tried when nobody is at the first', () => {
    const network = new SimulatedNetwork()
    const [first, gone] = network.grow(2)
    gone!.sim.crash()
    const late = network.add()
    expect(network.answer(late, late.join(gone!, first!))).toBe('done')
  })

  test('joining fails with a reason when no address answers', () => {
    const network = new SimulatedNetwork()
    const lonely = network.add()
    const gone = network.add()
    gone.sim.crash()
    const answer = network.answer(lonely, lonely.join(gone))
    expect(isP2pError(answer) && [answer.code, answer.facts]).toEqual([
      'P2P_JOIN_FAILED',
      { lastCode: 'P2P_CONNECTION_REFUSED' },
    ])
    expect(lonely.uuid).toBeNull()
  })
})

describe('messages', () => {
  test('a text reaches a neighbour and a node that has to be searched', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(8)
    network.run(5_000)
    for (const target of [1, 3, 6, 7]) {
      const text = `to ${target}`
      expect(
        network.answer(peers[0]!, peers[0]!.send({ uuid: target }, { type: 'TEXT', data: text })),
      ).toBe('done')
      network.run(1_000)
      expect(peers[target]!.texts()).toEqual([text])
    }
  })

  test('a message to nobody fails with a reason', () => {
    const network = new SimulatedNetwork()
    const [one, two] = network.grow(2)
    const lonely = network.add()
    const message = { type: 'TEXT', data: 'x' }
    network.answer(one!, one!.send({ uuid: 5 }, message))
    expect(one!.codeOf(1)).toBe('P2P_UUID_UNKNOWN')
    network.answer(one!, one!.send({ uuid: 0 }, message))
    expect(one!.codeOf(2)).toBe('P2P_SELF')
    network.answer(lonely, lonely.send({ uuid: 0 }, message))
    expect(lonely.codeOf(1)).toBe('P2P_NOT_JOINED')
    two!.sim.crash({ silent: true })
    const late = one!.send({ address: lonely.address }, message)
    expect(network.answer(one!, late)).toBe('done')
  })

  test('a message to the peer book reaches its members and nobody else', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(6)
    network.run(5_000)
    peers[0]!.announce({ type: 'TEXT', data: 'all' }, [2])
    network.run(1_000)
    expect(peers.map((peer) => peer.texts().length)).toEqual([0, 1, 0, 0, 1, 0])
  })

  test('a temporary connection is closed after some silence, one of the peer book is not', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(4)
    network.run(20_000)
    const before = peers[0]!.machine.state.links
    peers[0]!.send({ uuid: 3 }, { type: 'TEXT', data: 'x' })
    network.run(2_000)
    expect(peers[0]!.machine.state.links).toBe(before + 1)
    network.run(10_000)
    expect(peers[0]!.machine.state.links).toBe(before)
    expect(peers[0]!.book).toEqual([1, 2])
  })
})

describe('requests', () => {
  test('an answer comes back to the request it belongs to', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(4)
    network.run(2_000)
    const first = peers[0]!.request({ uuid: 3 }, { type: 'ADD', data: 17 })
    const second = peers[0]!.request({ uuid: 3 }, { type: 'ADD', data: 1 })
    network.run(3_000)
    const received = peers[3]!.requests()
    expect(received.map(({ message }) => message.data).sort()).toEqual([1, 17])
    for (const { request, message } of received) {
      peers[3]!.respond(request, { type: 'ADD RESP', data: Number(message.data) + 1 })
    }
    expect(network.answer(peers[0]!, first)).toMatchObject({ type: 'ADD RESP', data: 18 })
    expect(network.answer(peers[0]!, second)).toMatchObject({ type: 'ADD RESP', data: 2 })
  })

  test('a bounced request is answered by the other node, straight to the requester', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(6)
    const command = peers[0]!.request({ uuid: 1 }, { type: 'ADD', data: 17 })
    network.run(2_000)
    peers[1]!.bounce(peers[1]!.requests()[0]!.request, { uuid: 5 })
    network.run(2_000)
    const [bounced] = peers[5]!.requests()
    expect(bounced!.callbackAddress).toEqual(peers[0]!.address)
    peers[5]!.respond(bounced!.request, { type: 'ADD RESP', data: 18 })
    expect(network.answer(peers[0]!, command)).toMatchObject({ data: 18 })
  })

  test('TEST is answered by the node itself, also towards a stranger', () => {
    const network = new SimulatedNetwork()
    const [member] = network.grow(2)
    const stranger = network.add()
    const command = stranger.request({ address: member!.address }, { type: 'TEST' })
    expect(network.answer(stranger, command)).toMatchObject({ type: 'TEXT', data: 'Hi!' })
  })

  test('a stranger is heard with nothing but what strangers may say', () => {
    const network = new SimulatedNetwork()
    const [member] = network.grow(2)
    const stranger = network.add()
    const ignored = stranger.request({ address: member!.address }, { type: 'ADD', data: 1 }, 4_000)
    stranger.send({ address: member!.address }, { type: 'TEXT', data: 'hello' })
    network.answer(stranger, ignored)
    expect(stranger.codeOf(ignored)).toBe('P2P_REQUEST_TIMEOUT')
    expect(member!.requests()).toEqual([])
    expect(member!.texts()).toEqual(['hello'])
  })

  test('an answered request cannot be answered or bounced again', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(2)
    peers[0]!.request({ uuid: 1 }, { type: 'ADD', data: 1 })
    network.run(1_000)
    const { request } = peers[1]!.requests()[0]!
    expect(network.answer(peers[1]!, peers[1]!.respond(request, { type: 'R' }))).toBe('done')
    const again = peers[1]!.bounce(request, { uuid: 0 })
    network.answer(peers[1]!, again)
    expect(peers[1]!.codeOf(again)).toBe('P2P_REQUEST_GONE')
  })
})

describe('leaving', () => {
  test('a node that leaves is forgotten everywhere, and the next newcomer gets its UUID', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(6)
    network.run(5_000)
    peers[3]!.leave()
    network.run(5_000)
    expect(peers[3]!.uuid).toBeNull()
    for (const index of [0, 1, 2, 4, 5]) {
      expect(peers[index]!.machine.state.networkSize).toBe(5)
      expect(peers[index]!.machine.state.members).not.toContain(3)
    }
    network.run(15_000) // the highest member only heard of it, so it waits before it uses 3 again
    const [late] = network.grow(1)
    expect(late!.uuid).toBe(3)
    network.run(5_000)
    for (const index of [0, 1, 2, 4, 5]) expect(peers[index]!.machine.state.networkSize).toBe(6)
  })

  test('the rest still reach each other when several nodes crash', () => {
    const network = new SimulatedNetwork({ seed: 5 })
    const peers = network.grow(12)
    network.run(5_000)
    for (const index of [1, 4, 5, 6, 11]) peers[index]!.sim.crash()
    network.run(60_000)
    const alive = peers.filter((_, index) => ![1, 4, 5, 6, 11].includes(index))
    for (const from of alive) {
      for (const to of alive) {
        if (from === to) continue
        const command = from.send({ uuid: to.uuid! }, { type: 'TEXT', data: `${from.uuid}` })
        expect(network.answer(from, command)).toBe('done')
      }
    }
    network.run(5_000)
    for (const peer of alive) expect(new Set(peer.texts()).size).toBe(alive.length - 1)
    const late = network.add()
    expect(network.answer(late, late.join(alive[0]!))).toBe('done')
  })

  test('a connection that only broke is mended without anybody being declared gone', () => {
    const network = new SimulatedNetwork()
    const peers = network.grow(4)
    network.run(5_000)
    for (const end of network.simulator.network.openLinks()) end.reset()
    network.run(20_000)
    for (const peer of peers)
      expect(peer.events.some(({ type }) => type === 'peer-left')).toBe(false)
  })
})
