// The way of one node into a network, with the test in the place of those whom it asks.
import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import {
  joinFinalized,
  joinRequest,
  killConnection,
} from '../../src/protocol/membership-messages.ts'
import { addressOf, DrivenMachine, ownAddress } from './driven-machine.ts'
import { onWire } from './wire.ts'

function joiningThrough(...uuids: readonly number[]): DrivenMachine {
  const driven = new DrivenMachine()
  driven.command({ type: 'join', command: 1, addresses: uuids.map(addressOf) })
  return driven
}

/** Why the join failed: its code, and the code of what went wrong last. */
function failure(driven: DrivenMachine): unknown {
  const failed = driven.effects.find((effect) => effect.type === 'failed')
  return isP2pError(failed?.error) && [failed.error.code, failed.error.facts]
}

const welcome = { joinerUuid: 2, adderUuid: 0, networkSize: 3, activePeers: [0, 1] }

describe('who is asked', () => {
  test('the first address is asked to let us in', () => {
    const driven = joiningThrough(0)
    const link = driven.takeDial(0)
    expect(driven.heard(link)).toEqual([onWire(joinRequest(ownAddress))])
  })

  test('one who hangs up is asked three times, after longer and longer pauses', () => {
    const driven = joiningThrough(0)
    for (const pauseMs of [1_000, 2_000]) {
      driven.lose(driven.open(driven.dial))
      expect(driven.answers.size).toBe(0)
      driven.pass(pauseMs - 1)
      expect(driven.dialled).toEqual([])
      driven.pass(1)
      expect(driven.dialled).toEqual(['tcp://127.0.0.1:5000'])
    }
    driven.lose(driven.open(driven.dial))
    expect(failure(driven)).toEqual(['P2P_JOIN_FAILED', { lastCode: 'P2P_LINK_LOST' }])
  })

  test('whoever hung up comes back behind the others', () => {
    const driven = joiningThrough(0, 1)
    driven.lose(driven.open(driven.dial))
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5001'])
    driven.refuseDial()
    driven.pass(1_000)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5000'])
  })

  test('the next is asked when no answer came until joinTimeoutMs', () => {
    const driven = new DrivenMachine({ joinTimeoutMs: 4_000 })
    driven.command({ type: 'join', command: 1, addresses: [addressOf(0), addressOf(1)] })
    driven.takeDial(0)
    driven.pass(4_000)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5001'])
    driven.takeDial(1)
    driven.pass(4_000)
    expect(failure(driven)).toEqual(['P2P_JOIN_FAILED', { lastCode: 'P2P_JOIN_TIMEOUT' }])
  })

  test('nobody to ask and only ourselves to ask both fail at once', () => {
    expect(failure(joiningThrough())).toEqual(['P2P_JOIN_FAILED', {}])
    const driven = new DrivenMachine()
    driven.command({ type: 'join', command: 1, addresses: [ownAddress] })
    expect(failure(driven)).toEqual(['P2P_JOIN_FAILED', { lastCode: 'P2P_SELF' }])
  })

  test('a join that takes the place of another one begins with its first address', () => {
    const driven = joiningThrough(0)
    driven.command({ type: 'join', command: 2, addresses: [addressOf(0)] })
    expect(driven.answers).toEqual(new Map([[1, 'P2P_LEFT']]))
    const link = driven.takeDial(0)
    expect(driven.heard(link)).toEqual([onWire(joinRequest(ownAddress))])
  })

  test('a join that is given up is over for whoever was asked, and for the one who asked', () => {
    const driven = joiningThrough(0, 1)
    const link = driven.takeDial(0)
    driven.command({ type: 'cancel', command: 1 })
    expect(driven.answers).toEqual(new Map([[1, 'P2P_CANCELLED']]))
    expect(driven.heard(link)).toEqual([onWire(killConnection)])
    driven.say(driven.meet(3), joinFinalized({ ...welcome, adderUuid: 3 }))
    expect(driven.machine.state.uuid).toBeNull()
  })

  test('a node that leaves while it joins is told so, and what comes later of it changes nothing', () => {
    const driven = joiningThrough(0, 1)
    const dial = driven.dial
    driven.command({ type: 'leave', command: 2 })
    expect(driven.answers).toEqual(
      new Map([
        [1, 'P2P_LEFT'],
        [2, 'done'],
      ]),
    )
    driven.refuseDial(dial)
    expect(driven.effects).toEqual([])
    driven.pass(60_000)
    expect(driven.effects).toEqual([])
  })
})

describe('who asks us while we ask', () => {
  const [smaller, larger] = [3_000, 6_000] // ports beside ours, 4444

  /** We ask the first of these nodes of ours, which asks us, too. */
  function crossing(ports: readonly number[]): { driven: DrivenMachine; link: number } {
    const driven = new DrivenMachine()
    const addresses = ports.map((port) => ({ host: '127.0.0.1', port }))
    driven.command({ type: 'join', command: 1, addresses })
    const link = driven.openOurs({ uuid: null, port: ports[0] ?? 0, dial: driven.dial })
    driven.say(link, joinRequest({ host: '127.0.0.1', port: ports[0] ?? 0 }))
    return { driven, link }
  }

  test('a node of ours with a larger address: with nobody else to ask we are the first, and let it in', () => {
    const { driven, link } = crossing([larger])
    expect(driven.answers).toEqual(new Map([[1, 'done']]))
    expect(driven.effects).toContainEqual({ type: 'joined', uuid: 0, networkSize: 1 })
    const first = { joinerUuid: 1, adderUuid: 0, networkSize: 2, activePeers: [1, 0] }
    expect(driven.heard(link)).toEqual([onWire(joinFinalized(first))])
  })

  test('a node of ours with a larger address: others are asked first', () => {
    const { driven } = crossing([larger, 5_001])
    expect([driven.machine.state.uuid, driven.dialled]).toEqual([null, ['tcp://127.0.0.1:5001']])
    driven.refuseDial()
    expect(driven.machine.state.uuid).toBe(0)
  })

  test('a node of ours with a smaller address: we wait, and do not take it in when it took us in', () => {
    const { driven, link } = crossing([smaller])
    expect(driven.effects).toEqual([])
    driven.say(link, joinFinalized({ ...welcome, joinerUuid: 1, activePeers: [1] }))
    expect(driven.types).not.toContain('send')
    driven.say(link, joinRequest({ host: '127.0.0.1', port: smaller })) // was under way on another link
    expect(driven.types).not.toContain('peer-left')
    expect(driven.machine.state).toMatchObject({ uuid: 1, members: [0] })
  })

  test('a Python node: it answers, so we wait for that', () => {
    const driven = joiningThrough(0)
    const link = driven.takeDial(0, null)
    driven.say(link, joinRequest(addressOf(0)))
    expect(driven.effects).toEqual([])
    driven.say(link, joinFinalized({ ...welcome, joinerUuid: 1, activePeers: [1] }))
    expect(driven.machine.state.uuid).toBe(1)
  })

  test.each([
    [15_000, 0],
    [15_001, null],
  ])('somebody else, who waits for %i ms when our join fails: we are UUID %j', (waitedMs, uuid) => {
    const driven = joiningThrough(0)
    const { dial } = driven
    driven.say(driven.meet(1, null), joinRequest(addressOf(1)))
    driven.pass(waitedMs)
    driven.refuseDial(dial)
    expect(driven.answers).toEqual(new Map([[1, 'P2P_JOIN_FAILED']]))
    driven.pass(60_000)
    expect(driven.machine.state.uuid).toBe(uuid)
  })

  test('somebody else: it is let in when we are in, unless it has waited for joinTimeoutMs', () => {
    for (const [waitedMs, expected] of [
      [29_999, [1, 0, 3]],
      [30_000, [1, 0]],
    ] as const) {
      const driven = joiningThrough(0, 1)
      driven.say(driven.meet(7, null), joinRequest(addressOf(7)))
      driven.pass(1) // so that the next one has a moment longer
      driven.refuseDial(1)
      driven.pass(waitedMs - 1)
      driven.say(driven.meet(1), joinFinalized({ ...welcome, adderUuid: 1 }))
      expect(driven.machine.state.members).toEqual(expected)
    }
  })
})

describe('the answer', () => {
  test('it makes us a member, once', () => {
    const driven = joiningThrough(0)
    const link = driven.takeDial(0)
    driven.say(link, joinFinalized(welcome))
    expect(driven.answers).toEqual(new Map([[1, 'done']]))
    driven.say(link, joinFinalized({ ...welcome, joinerUuid: 7 }))
    expect(driven.machine.state).toMatchObject({ uuid: 2, members: [0, 1], networkSize: 3 })
  })

  test('one that makes no sense, or comes from another member than it names, is not believed', () => {
    const driven = joiningThrough(0)
    const link = driven.takeDial(0)
    driven.say(link, joinFinalized({ ...welcome, joinerUuid: 0 }))
    driven.say(link, joinFinalized({ ...welcome, activePeers: [-1] }))
    driven.say(link, { type: 'JOIN REQUEST FINALIZED', data: 'welcome' })
    driven.say(driven.meet(1), joinFinalized(welcome))
    expect(driven.machine.state.uuid).toBeNull()
    driven.say(link, joinFinalized(welcome))
    expect(driven.machine.state.uuid).toBe(2)
  })
})
