// How UUIDs are handed out, by one member whom newcomers ask.
import { describe, expect, test } from '@jest/globals'
import {
  joinFinalized,
  joinRequest,
  killConnection,
  newPeer,
  peerLeft,
} from '../../src/protocol/membership-messages.ts'
import { maxUuid } from '../../src/protocol/messages.ts'
import { PyByteArray, type PyValue } from '../../src/pickle/values.ts'
import { addressOf, DrivenMachine } from './driven-machine.ts'
import { onWire } from './wire.ts'

/** UUID 5 of six, so the one who hands out UUIDs; 1, 3 and 4 are neighbours, 0 and 2 are not. */
function lastOfSix(): ReturnType<typeof DrivenMachine.member> {
  return DrivenMachine.member({ uuid: 5, adder: 4, others: [0, 1, 2, 3], neighbours: [1, 3] })
}

/** A newcomer at port 5000 + `name` asks; returns the UUID it is given, or undefined. */
function admit(driven: DrivenMachine, name: number): number | undefined {
  const link = driven.meet(name, null)
  driven.say(link, joinRequest(addressOf(name)))
  return givenUuid(driven, link)
}

function givenUuid(driven: DrivenMachine, link: number): number | undefined {
  const [answer] = driven.heard(link)
  const data = answer instanceof Map ? (answer.get('data') as unknown) : undefined
  return data instanceof Map ? (data.get('joiner_UUID') as number) : undefined
}

describe('handing out', () => {
  test('a node in no network becomes its first member when it is asked, and gives away 1', () => {
    const driven = new DrivenMachine()
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    const welcome = { joinerUuid: 1, adderUuid: 0, networkSize: 2, activePeers: [1, 0] }
    expect(driven.heard(link)).toEqual([onWire(joinFinalized(welcome))])
    expect(driven.effects).toContainEqual({ type: 'joined', uuid: 0, networkSize: 1 })
  })

  test('the newcomer is announced to every neighbour, and not to himself', () => {
    const { driven, links } = lastOfSix()
    expect(admit(driven, 90)).toBe(6)
    for (const link of links.values())
      expect(driven.heard(link)).toEqual([onWire(newPeer(6, addressOf(90)))])
  })

  test('a newcomer who does not listen where he asks from is dialled first', () => {
    const { driven } = lastOfSix()
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(91)))
    expect([givenUuid(driven, link), driven.dialled]).toEqual([undefined, ['tcp://127.0.0.1:5091']])
    expect(givenUuid(driven, driven.takeDial(91))).toBe(6)
  })

  test('a newcomer whom nobody can dial gets no UUID, and the next one is served', () => {
    const { driven } = lastOfSix()
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(91)))
    driven.refuseDial()
    expect(driven.rejected).toEqual(['P2P_CONNECTION_REFUSED'])
    expect(admit(driven, 92)).toBe(6)
  })

  test('a newcomer who asks twice gets the same UUID, and is announced once', () => {
    const { driven, links } = lastOfSix()
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    expect(givenUuid(driven, link)).toBe(6)
    driven.pass(29_999)
    driven.say(link, joinRequest(addressOf(90)))
    expect(givenUuid(driven, link)).toBe(6)
    expect(driven.heard(links.get(4))).toEqual([])
  })

  test('a member who asks after half a minute begins a new life: his old UUID is announced gone', () => {
    const { driven, links } = lastOfSix()
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    driven.pass(30_000)
    driven.say(link, joinRequest(addressOf(90)))
    expect(givenUuid(driven, link)).toBe(7)
    const news = [onWire(peerLeft(6)), onWire(newPeer(7, addressOf(90)))]
    expect(driven.heard(links.get(4))).toEqual(news)
  })

  test('a request is passed on to the highest even when there is no link to him yet', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(4), newPeer(8, addressOf(8)))
    const link = driven.meetOld(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5008'])
    const highest = driven.takeDial(8)
    expect(driven.heard(highest)).toEqual([onWire(joinRequest(addressOf(90)))])
    expect(driven.heard(link)).toEqual([onWire(killConnection)])
  })

  test('a highest whom nobody finds is declared gone, and the request is answered by the next', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(4), newPeer(8, addressOf(8)))
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    driven.refuseDial() // neighbours are asked for a better address then
    for (let asked = 0; asked < 3; asked += 1) driven.pass(3_000)
    expect(driven.effects).toContainEqual({ type: 'peer-left', uuid: 8 })
    expect(givenUuid(driven, link)).toBe(9)
  })

  test('nobody is declared gone because we are too busy to look for him', () => {
    const limits = { maxWaitingTasks: 1 }
    const options = { uuid: 5, adder: 4, others: [0, 1, 2, 3], neighbours: [1, 3], limits }
    const { driven, links } = DrivenMachine.member(options)
    for (const uuid of [8, 9]) driven.say(links.get(4), newPeer(uuid, addressOf(uuid)))
    const target = { address: addressOf(70) }
    driven.command({ type: 'send-message', command: 9, target, fields: new Map() })
    driven.say(driven.meet(90, null), joinRequest(addressOf(90)))
    expect([driven.types.includes('peer-left'), driven.rejected]).toEqual([false, ['P2P_TOO_BUSY']])
    expect(driven.machine.state.members).toContain(9)
  })

  test('a node that leaves meanwhile answers nobody, whether it was to dial him or the highest', () => {
    for (const highest of [5, 8]) {
      const { driven, links } = lastOfSix()
      if (highest !== 5) driven.say(links.get(4), newPeer(highest, addressOf(highest)))
      driven.say(driven.meet(90, null), joinRequest(addressOf(91)))
      const { dial } = driven
      driven.command({ type: 'leave', command: 2 })
      driven.refuseDial(dial)
      expect(driven.effects).toEqual([])
    }
  })

  test('a request is passed on by whoever is not the highest, and a temporary link ended', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3, 4], neighbours: [0, 3, 4] }
    const { driven, links } = DrivenMachine.member(options)
    const link = driven.meetOld(90, null)
    // Nothing but the address is kept while it waits: a stranger may send as much as fits into a frame.
    driven.say(link, { ...joinRequest(addressOf(90)), extra: 'dropped' })
    expect(driven.heard(links.get(4))).toEqual([onWire(joinRequest(addressOf(90)))])
    expect(driven.heard(link)).toEqual([onWire(killConnection)])
  })
})

describe('UUIDs are reused only when', () => {
  test('their last owner said good-bye: at once', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(3), killConnection)
    expect(admit(driven, 90)).toBe(3)
  })

  test('their last owner cannot be dialled any more: at once', () => {
    const { driven, links } = lastOfSix()
    driven.lose(links.get(3))
    driven.pass(1_000)
    driven.refuseDial()
    driven.pass(2_000)
    driven.refuseDial()
    expect(admit(driven, 90)).toBe(3)
  })

  /** UUID 5 of five, who knows where 2 is and hears that it left. */
  function toldThatTwoLeft(): ReturnType<typeof DrivenMachine.member> {
    const member = DrivenMachine.member({
      uuid: 5,
      adder: 4,
      others: [0, 1, 3],
      neighbours: [1, 3],
    })
    member.driven.say(member.links.get(4), newPeer(2, addressOf(2)))
    member.driven.say(member.links.get(4), peerLeft(2))
    return member
  }

  test('others announced that their owner left, and after ten seconds it was dialled in vain', () => {
    const { driven } = toldThatTwoLeft()
    driven.pass(15_000)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5002'])
    driven.failDial()
    expect(admit(driven, 90)).toBe(2)
  })

  test('not before it was dialled, and that only after ten seconds', () => {
    const { driven } = toldThatTwoLeft()
    driven.pass(9_999)
    expect(driven.dialled).toEqual([])
    expect(admit(driven, 90)).toBe(6)
  })

  test('not when its owner answers: he is taken back', () => {
    const { driven, links } = toldThatTwoLeft()
    driven.pass(15_000)
    driven.takeDial(2)
    expect(driven.heard(links.get(1))).toEqual([onWire(newPeer(2, addressOf(2)))])
    expect(driven.machine.state.freeUuids).toEqual([])
    expect(admit(driven, 90)).toBe(6)
  })

  test('another node is at its address: after ten seconds', () => {
    const { driven } = toldThatTwoLeft()
    driven.pass(15_000)
    driven.takeDial(70, null)
    expect(admit(driven, 90)).toBe(2)
  })

  test('never when nobody knows where its owner was; Python nodes are not asked for it', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(4), peerLeft(2))
    for (let passedMs = 0; passedMs < 120_000; passedMs += 5_000) {
      driven.pass(5_000)
      expect(driven.effects).toEqual([])
    }
    expect(admit(driven, 90)).toBe(6)
  })

  test('nobody of ours who is asked knows the address of its owner: after ten seconds', () => {
    const { driven, links } = lastOfSix()
    driven.lose(links.get(3))
    const ours = driven.meetOurs(3, 5_003)
    driven.say(links.get(4), peerLeft(2))
    driven.pass(15_000)
    expect(driven.heard(ours)).toHaveLength(1)
    for (const asked of [1, 4]) expect(driven.heard(links.get(asked))).toEqual([])
    driven.pass(3_000)
    expect(admit(driven, 90)).toBe(2)
  })

  test('a member that does not hand out UUIDs dials nobody whom others announced gone', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3, 4, 6], neighbours: [0, 3, 4] }
    const { driven, links } = DrivenMachine.member(options)
    driven.say(links.get(4), newPeer(9, addressOf(9)))
    driven.say(links.get(4), peerLeft(9))
    driven.say(links.get(4), newPeer(8, addressOf(8))) // the highest now
    driven.pass(15_000)
    expect(driven.dialled).not.toContain('tcp://127.0.0.1:5009')
  })

  test('their owner has no living link: a rumour about a neighbour frees nothing', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(4), peerLeft(3))
    driven.pass(60_000)
    expect(driven.machine.state.freeUuids).toEqual([])
    expect(admit(driven, 90)).toBe(6)
  })

  test('the highest of all is freed by a rumour: the newcomer gets the next one, not that', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(3), newPeer(6, addressOf(6)))
    driven.say(links.get(3), peerLeft(6))
    expect(admit(driven, 90)).toBe(7)
  })

  test('the largest UUID there can be is said to be gone: the newcomer gets the next above ours', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(3), newPeer(maxUuid, addressOf(8)))
    driven.say(links.get(3), peerLeft(maxUuid))
    driven.say(links.get(3), newPeer(6, addressOf(6)))
    driven.say(links.get(3), peerLeft(6))
    expect(admit(driven, 90)).toBe(7)
  })

  test('the largest UUID but one is: the newcomer gets the largest, and can read that', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(3), newPeer(maxUuid - 1, addressOf(8)))
    driven.say(links.get(3), peerLeft(maxUuid - 1))
    const link = driven.meet(90, null)
    driven.say(link, joinRequest(addressOf(90)))
    expect(givenUuid(driven, link)).toBe(maxUuid)
    const newcomer = new DrivenMachine()
    newcomer.command({ type: 'join', command: 1, addresses: [addressOf(5)] })
    newcomer.sayValue(newcomer.takeDial(5), driven.heard(link)[0] ?? null)
    expect(newcomer.machine.state.uuid).toBe(maxUuid)
    expect(admit(newcomer, 91)).toBe(6)
  })

  test('several are free: the one that was freed last, as in p2py', () => {
    const { driven, links } = lastOfSix()
    driven.say(links.get(1), killConnection)
    driven.say(links.get(3), killConnection)
    expect(admit(driven, 90)).toBe(3)
    expect(admit(driven, 91)).toBe(1)
    expect(admit(driven, 92)).toBe(6)
  })
})

describe('bad requests', () => {
  test('one that nests as deep as can be read does no harm, and the next newcomer is served', () => {
    const options = { uuid: 2, adder: 1, others: [0, 3, 4], neighbours: [0, 3, 4] }
    const { driven, links } = DrivenMachine.member(options)
    let extra: PyValue = new PyByteArray(new Uint8Array(1))
    for (let levels = 1; levels < 256; levels += 1) extra = [extra]
    driven.say(driven.meet(90, null), { ...joinRequest(addressOf(90)), extra })
    driven.say(driven.meet(91, null), joinRequest(addressOf(91)))
    expect(driven.heard(links.get(4))).toEqual([onWire(joinRequest(addressOf(91)))])
  })

  test('a request without a dialable address is refused with a code', () => {
    const { driven } = lastOfSix()
    const link = driven.meet(90, null)
    for (const address of [null, 'x', ['127.0.0.1'], ['127.0.0.1', 0], ['127.0.0.1', 65_536]]) {
      driven.say(link, { type: 'JOIN REQUEST', data: { address } })
      expect(driven.rejected).toEqual(['P2P_BAD_MESSAGE'])
    }
    expect(driven.machine.state.members).toHaveLength(5)
  })

  test('maxWaitingJoins requests wait, one more is refused', () => {
    const driven = new DrivenMachine({ maxWaitingJoins: 2 })
    const link = driven.meet(90, null)
    const refused = [91, 92, 93, 94].map((name) => {
      driven.say(link, joinRequest(addressOf(name))) // each has to be dialled, the first one now
      return driven.rejected
    })
    expect(refused).toEqual([[], [], [], ['P2P_TOO_BUSY']])
  })

  test('an answer too large for the newcomer is not sent, and nobody is told of a member that is none', () => {
    const others = Array.from({ length: 200 }, (_, index) => index)
    const limits = { maxFrameBytesToPython: 500 }
    const { driven, links } = DrivenMachine.member({
      uuid: 201,
      adder: 200,
      others,
      neighbours: [],
      limits,
    })
    expect(admit(driven, 90)).toBeUndefined()
    expect([driven.rejected, driven.heard(links.get(200))]).toEqual([['P2P_MESSAGE_TOO_LARGE'], []])
    expect(driven.machine.state.members).not.toContain(202)
    const ours = driven.meetOurs(null, 5_091)
    driven.say(ours, joinRequest(addressOf(91)))
    expect(givenUuid(driven, ours)).toBe(202)
  })

  test.each([
    [7, 6],
    [6, undefined],
  ])(
    'of maxMembers %i the seventh gets UUID %j: beyond, nobody could read who is there',
    (maxMembers, uuid) => {
      const options = { uuid: 5, adder: 4, others: [0, 1, 2, 3], neighbours: [1, 3] }
      const { driven } = DrivenMachine.member({ ...options, limits: { maxMembers } })
      expect(admit(driven, 90)).toBe(uuid)
      expect(driven.rejected).toEqual(uuid === undefined ? ['P2P_TOO_BUSY'] : [])
    },
  )

  test('who asks for many newcomers that cannot be dialled does not keep others waiting, or out', () => {
    const driven = new DrivenMachine({ maxWaitingJoins: 2 })
    const [crowd, other] = [driven.meet(90, null), driven.meet(80, null)]
    driven.say(crowd, joinRequest(addressOf(91)))
    const first = driven.dial
    for (const name of [92, 93]) driven.say(crowd, joinRequest(addressOf(name)))
    expect(driven.rejected).toEqual([])
    driven.say(other, joinRequest(addressOf(81)))
    expect(driven.rejected).toEqual(['P2P_TOO_BUSY'])
    driven.refuseDial(first)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5081'])
    driven.refuseDial()
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5092'])
    driven.refuseDial()
    expect(driven.dialled).toEqual([])
  })
})
