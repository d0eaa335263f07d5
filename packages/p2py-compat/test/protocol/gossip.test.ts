// Who is there and who left, as one member of a network of Python nodes hears it.
import { describe, expect, test } from '@jest/globals'
import {
  joinFinalized,
  killConnection,
  newPeer,
  peerLeft,
} from '../../src/protocol/membership-messages.ts'
import { encodeInfo } from '../../src/protocol/messages.ts'
import { addressOf, DrivenMachine, ownAddress } from './driven-machine.ts'
import { onWire } from './wire.ts'

/** UUID 2 of ten; 0, 1, 3, 4 and 6 are its neighbours, 5, 7, 8 and 9 are not. */
function secondOfTen(): ReturnType<typeof DrivenMachine.member> {
  const others = [0, 3, 4, 5, 6, 7, 8, 9]
  return DrivenMachine.member({ uuid: 2, adder: 1, others, neighbours: [0, 3, 4, 6] })
}

describe('false departures', () => {
  test('a neighbour with a living link is not believed gone, and the rumour is not passed on', () => {
    const { driven, links } = secondOfTen()
    for (const alive of [0, 3, 4, 6]) {
      driven.say(links.get(1), peerLeft(alive))
      expect(driven.effects).toEqual([])
    }
    driven.lose(links.get(1)) // the node that leaves closes only now, as p2py does
    expect(driven.machine.state.members).toEqual([1, 0, 3, 4, 5, 6, 7, 8, 9])
    expect(driven.machine.state.freeUuids).toEqual([])
  })

  test('a moment later we vouch for a neighbour to all who may have believed it', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(1), peerLeft(3))
    driven.pass(1_000)
    driven.say(links.get(0), peerLeft(3)) // the flood comes by another way
    driven.pass(999)
    expect(driven.effects).toEqual([])
    driven.pass(1)
    for (const uuid of [0, 1, 4, 6])
      expect(driven.heard(links.get(uuid))).toEqual([onWire(newPeer(3, addressOf(3)))])
    expect(driven.heard(links.get(3))).toEqual([])
  })

  test('we do not vouch for a neighbour who said good-bye meanwhile', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(1), peerLeft(3))
    driven.say(links.get(3), killConnection)
    driven.pass(2_000)
    expect(driven.heard(links.get(0))).toEqual([])
  })

  test('a departure of somebody without a link is believed, and told to everybody but its herald', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), peerLeft(7))
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 7 })
    for (const uuid of [0, 1, 4, 6])
      expect(driven.heard(links.get(uuid))).toEqual([onWire(peerLeft(7))])
    expect(driven.heard(links.get(3))).toEqual([])
    driven.say(links.get(4), peerLeft(7)) // the flood comes by another way
    expect(driven.effects).toEqual([])
  })

  test('an announcement by somebody who is no neighbour is not believed', () => {
    const { driven } = secondOfTen()
    const stranger = driven.meet(8)
    driven.say(stranger, peerLeft(7))
    driven.say(stranger, newPeer(10, addressOf(10)))
    expect(driven.machine.state.members).toContain(7)
    expect(driven.machine.state.members).not.toContain(10)
  })

  test('whoever was declared gone and dials us from his old address is a member again', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), peerLeft(10))
    driven.say(links.get(3), newPeer(10, addressOf(10)))
    driven.say(links.get(3), peerLeft(10))
    expect(driven.machine.state.freeUuids).toEqual([10])
    driven.meet(10)
    expect(driven.machine.state.freeUuids).toEqual([])
    expect(driven.effects).toContainEqual({
      type: 'peer-joined',
      uuid: 10,
      address: addressOf(10),
    })
    expect(driven.heard(links.get(0))).toEqual([onWire(newPeer(10, addressOf(10)))])
  })

  test('whoever dials us under a freed UUID from another address is not', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), newPeer(10, addressOf(10)))
    driven.say(links.get(3), peerLeft(10))
    driven.meet(11, 10)
    expect(driven.machine.state.freeUuids).toEqual([10])
  })

  test('when we leave we say good-bye and announce nobody', () => {
    const { driven, links } = secondOfTen()
    driven.command({ type: 'leave', command: 2 })
    for (const link of links.values()) expect(driven.heard(link)).toEqual([onWire(killConnection)])
    expect(driven.types.filter((type) => type === 'close')).toHaveLength(links.size)
  })
})

test('the end of the link on which we asked to join, after the answer came, is nobody’s departure', () => {
  const driven = new DrivenMachine()
  driven.command({ type: 'join', command: 1, addresses: [addressOf(0)] })
  const contact = driven.takeDial(0)
  const adder = driven.meet(1)
  const welcome = { joinerUuid: 2, adderUuid: 1, networkSize: 3, activePeers: [0, 2] }
  driven.say(adder, joinFinalized(welcome))
  driven.say(contact, killConnection)
  expect(driven.types).not.toContain('peer-left')
  expect(driven.heard(adder)).toEqual([])
  expect(driven.machine.state.members).toEqual([1, 0])
})

describe('contradictions', () => {
  test('a rumour that we are gone is answered by announcing us to all neighbours', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), peerLeft(2))
    for (const link of links.values())
      expect(driven.heard(link)).toEqual([onWire(newPeer(2, ownAddress))])
    expect(driven.machine.state.uuid).toBe(2)
  })

  test('we contradict once in five seconds, however often we are declared gone', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), peerLeft(2))
    for (const passedMs of [0, 2_000, 2_999]) {
      driven.pass(passedMs)
      driven.say(links.get(3), peerLeft(2))
      expect(driven.effects).toEqual([])
    }
    driven.pass(1)
    expect(driven.heard(links.get(0))).toEqual([onWire(newPeer(2, ownAddress))])
  })
})

describe('lost neighbours', () => {
  test('a neighbour who said good-bye is gone at once', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(3), killConnection)
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 3 })
    expect(driven.heard(links.get(0))).toEqual([onWire(peerLeft(3))])
  })

  test('a neighbour whose link broke is dialled again, and stays a member when he answers', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    expect(driven.effects).toEqual([])
    driven.pass(1_000)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5003'])
    driven.takeDial(3)
    expect(driven.types).not.toContain('peer-left')
    expect(driven.machine.state.peerBook.map(({ uuid }) => uuid)).toContain(3)
  })

  test('a neighbour who cannot be dialled twice is gone, and announced only then', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.pass(1_000)
    driven.refuseDial()
    expect(driven.types).not.toContain('peer-left')
    driven.pass(2_000)
    driven.refuseDial()
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 3 })
    expect(driven.heard(links.get(0))).toEqual([onWire(peerLeft(3))])
  })

  test('a neighbour is not gone because we are too busy to dial him', () => {
    const limits = { maxWaitingTasks: 1 }
    const options = { uuid: 2, adder: 1, others: [0, 3], neighbours: [0, 3], limits }
    const { driven, links } = DrivenMachine.member(options)
    const target = { address: addressOf(70) }
    driven.command({ type: 'send-message', command: 9, target, fields: new Map() })
    const { dial } = driven
    driven.lose(links.get(3))
    for (let passedMs = 0; passedMs < 20_000; passedMs += 1_000) {
      driven.pass(1_000)
      expect(driven.types).not.toContain('peer-left')
    }
    driven.refuseDial(dial)
    for (const pauseMs of [1_000, 2_000]) {
      driven.pass(pauseMs)
      driven.refuseDial(driven.dialOf('tcp://127.0.0.1:5003'))
    }
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 3 })
  })

  test('one who did not answer is dialled again and again, after longer and longer pauses', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(6)) // not needed: others are nearer
    driven.pass(1_000)
    driven.failDial()
    driven.pass(2_000)
    driven.failDial()
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 6 })
    expect(driven.types).not.toContain('isolated')
    const looksMs: number[] = []
    for (let passedMs = 0; passedMs < 600_000; passedMs += 1_000) {
      driven.pass(1_000)
      if (!driven.dialled.includes('tcp://127.0.0.1:5006')) continue
      looksMs.push(passedMs)
      driven.failDial(driven.dialOf('tcp://127.0.0.1:5006'))
    }
    const pausesMs = looksMs.slice(1).map((atMs, index) => atMs - (looksMs[index] ?? 0))
    expect(pausesMs).toEqual([...pausesMs].sort((one, other) => one - other))
    expect(looksMs.length).toBeGreaterThan(3)
    expect(Math.max(...pausesMs)).toBeLessThan(320_000)
  })

  test('whoever has lost all neighbours is told so, once until there is one again', () => {
    const { driven, links } = DrivenMachine.member({
      uuid: 1,
      adder: 0,
      others: [],
      neighbours: [],
    })
    const lost = (link: number | undefined): number => {
      driven.lose(link)
      driven.pass(1_000)
      driven.failDial()
      driven.pass(2_000)
      driven.failDial()
      return driven.types.filter((type) => type === 'isolated').length
    }
    expect(lost(links.get(0))).toBe(1)
    driven.pass(15_000)
    driven.failDial()
    expect(driven.types).toEqual([])
    expect(lost(driven.meet(0))).toBe(1)
  })

  test('that another node has our UUID is believed for a minute after we were cut off, and else never', () => {
    const elsewhere = newPeer(1, addressOf(70))
    for (const [passedMs, left] of [
      [59_999, ['left']],
      [60_000, []],
    ] as const) {
      const options = { uuid: 1, adder: 0, others: [], neighbours: [] }
      const { driven, links } = DrivenMachine.member(options)
      driven.say(links.get(0), elsewhere)
      expect(driven.machine.state.uuid).toBe(1)
      driven.lose(links.get(0))
      driven.pass(1_000)
      driven.failDial()
      driven.pass(2_000)
      driven.failDial()
      const link = driven.meet(0)
      driven.say(link, newPeer(1, ownAddress))
      driven.pass(passedMs)
      driven.say(link, elsewhere)
      expect(driven.types.filter((type) => type === 'left')).toEqual(left)
    }
  })

  test('one of ours that comes back is told who has its UUID now, and not taken for him', () => {
    const { driven, links } = secondOfTen()
    const link = driven.open()
    const info = encodeInfo({ address: addressOf(70), uuid: 3, isOurs: true })
    driven.sayValue(link, info)
    expect(driven.heard(link)).toEqual([onWire(newPeer(3, addressOf(3)))])
    driven.lose(links.get(3))
    driven.pass(1_000)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5003'])
  })

  test('one who was lost is a member again once he answers', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.pass(1_000)
    driven.failDial()
    driven.pass(2_000)
    driven.failDial()
    driven.pass(15_000)
    driven.takeDial(3)
    expect(driven.effects).toContainEqual({ type: 'peer-joined', uuid: 3, address: addressOf(3) })
    expect(driven.heard(links.get(0))).toEqual([onWire(newPeer(3, addressOf(3)))])
    expect(driven.machine.state.peerBook.map(({ uuid }) => uuid)).toContain(3)
  })

  test('a neighbour who has a second link to us is not lost with the first', () => {
    const { driven, links } = secondOfTen()
    const second = driven.meet(3)
    driven.lose(links.get(3))
    driven.pass(60_000)
    expect(driven.dialled).toEqual([])
    driven.command({
      type: 'send-to-book',
      command: 2,
      fields: new Map([['type', 'X']]),
      exclude: [],
    })
    expect(driven.heard(second)).toEqual([onWire({ type: 'X' })])
  })

  test('a node without UUID at the address of a lost neighbour may be him, and is taken for him', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.pass(1_000)
    driven.takeDial(3, null)
    expect(driven.types).not.toContain('peer-left')
    expect(driven.machine.state.peerBook.map(({ uuid }) => uuid)).toContain(3)
  })

  test('one who is declared gone before he could be dialled again is not dialled', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.say(links.get(4), peerLeft(3))
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 3 })
    driven.pass(1_000)
    expect(driven.dialled).not.toContain('tcp://127.0.0.1:5003')
  })

  test('nobody of the next network is dialled for one who was lost in the last', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.command({ type: 'join', command: 2, addresses: [addressOf(40)] })
    const adder = driven.takeDial(40)
    driven.sayValue(adder, true)
    const welcome = { joinerUuid: 9, adderUuid: 8, networkSize: 10, activePeers: [8, 9] }
    driven.say(adder, joinFinalized({ ...welcome, adderUuid: 40 }))
    driven.say(adder, newPeer(3, addressOf(3)))
    driven.pass(1_000)
    expect(driven.dialled).toEqual([])
  })

  test('one who dials us himself first is not dialled again, nor lost when that dial fails', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.pass(1_000)
    const { dial } = driven
    driven.meet(3)
    driven.refuseDial(dial)
    driven.pass(10_000)
    expect(driven.types).not.toContain('peer-left')
    expect(driven.machine.state.members).toContain(3)
  })

  test('another node at the address of a lost neighbour is not taken for him', () => {
    const { driven, links } = secondOfTen()
    driven.lose(links.get(3))
    driven.pass(1_000)
    driven.takeDial(9)
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 3 })
  })
})

describe('newcomers', () => {
  test('a newcomer is passed on once, to everybody but his herald and himself', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(4), newPeer(10, addressOf(10)))
    for (const uuid of [0, 1, 3, 6])
      expect(driven.heard(links.get(uuid))).toEqual([onWire(newPeer(10, addressOf(10)))])
    expect(driven.heard(links.get(4))).toEqual([])
    driven.say(links.get(6), newPeer(10, addressOf(10)))
    expect(driven.effects).toEqual([])
  })

  test('one who belongs into the peer book is dialled after a pause, another one is not', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(4), newPeer(10, addressOf(10))) // 2 + 8
    expect(driven.dialled).toEqual([])
    driven.pass(500)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5010'])
    driven.say(links.get(4), newPeer(11, addressOf(11)))
    driven.pass(500)
    expect(driven.dialled).toEqual([])
  })

  test('a neighbour whose link comes after the announcement is told, once it had time to know us', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3], neighbours: [3] }
    const { driven, links } = DrivenMachine.member(options)
    driven.say(links.get(3), newPeer(4, addressOf(4)))
    expect(driven.heard(links.get(1))).toEqual([onWire(newPeer(4, addressOf(4)))])
    driven.pass(500)
    const late = driven.meet(0)
    expect(driven.heard(late)).not.toContainEqual(onWire(newPeer(4, addressOf(4))))
    driven.pass(1_000)
    expect(driven.heard(late)).toEqual([onWire(newPeer(4, addressOf(4)))])
    driven.pass(10_000)
    expect(driven.heard(late)).toEqual([])
  })

  test('one of ours is told at once', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3], neighbours: [3] }
    const { driven, links } = DrivenMachine.member(options)
    driven.say(links.get(3), newPeer(4, addressOf(4)))
    driven.pass(500)
    const link = driven.open()
    driven.sayValue(link, encodeInfo({ address: addressOf(0), uuid: 0, isOurs: true }))
    expect(driven.heard(link)).toEqual([onWire(newPeer(4, addressOf(4)))])
  })

  test('maxMembers are believed, one more is not, and is not passed on either', () => {
    const limits = { maxMembers: 3 }
    const options = { uuid: 2, adder: 1, others: [0], neighbours: [0], limits }
    const { driven, links } = DrivenMachine.member(options)
    driven.say(links.get(0), newPeer(3, addressOf(3)))
    driven.say(links.get(0), newPeer(4, addressOf(4)))
    expect(driven.effects).toEqual([])
    expect(driven.machine.state.members).toEqual([1, 0, 3])
  })

  test('maxFreeUuids of the departed are remembered, the oldest is forgotten for one more', () => {
    const others = [0, 3, 4, 5, 6, 7, 8, 9]
    const limits = { maxFreeUuids: 2 }
    const { driven, links } = DrivenMachine.member({
      uuid: 2,
      adder: 1,
      others,
      neighbours: [3],
      limits,
    })
    for (const uuid of [7, 8, 9]) driven.say(links.get(3), peerLeft(uuid))
    expect(driven.machine.state.freeUuids).toEqual([8, 9])
  })

  test('who comes half a minute after a newcomer is not told of it', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3], neighbours: [3] }
    const { driven, links } = DrivenMachine.member(options)
    driven.say(links.get(3), newPeer(4, addressOf(4)))
    for (let waited = 0; waited < 30_000; waited += 500) driven.pass(500)
    const late = driven.meet(0)
    driven.pass(1_000)
    expect(driven.heard(late)).toEqual([])
  })

  test('announcements beyond the rate of one link are dropped, others are still heard', () => {
    const others = [0]
    const limits = { maxAnnouncementsPerSecond: 1 } // and a burst of ten
    const options = { uuid: 2, adder: 1, others, neighbours: [0], limits }
    const { driven, links } = DrivenMachine.member(options)
    for (let uuid = 100; uuid < 112; uuid += 1)
      driven.say(links.get(0), newPeer(uuid, addressOf(uuid)))
    const heard = driven.machine.state.members.filter((uuid) => uuid >= 100)
    expect(heard).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109])
    driven.say(links.get(1), newPeer(112, addressOf(112)))
    expect(driven.machine.state.members).toContain(112)
  })
})
