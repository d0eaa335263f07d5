import { expect, test } from '@jest/globals'
import type { Peer } from '@p2p/base'
import { RingKeeper } from '../src/protocol/ring-keeper.ts'

const member = {
  id: 'b'.repeat(66),
  incarnation: 1,
  state: 'storing',
  isOld: false,
  addresses: ['tcp://127.0.0.1:4000'],
} as const
const messenger: Peer = {
  id: 'c'.repeat(66),
  link: 1,
  transport: 'tcp',
  kind: 'ours',
  outgoing: true,
  address: undefined,
  addresses: [],
  supports: () => true,
}
const now = { monoMs: 1_000, utcSeconds: 1_500_000_000 }

function keeperWithMember(): RingKeeper {
  const keeper = new RingKeeper({
    id: 'a'.repeat(66),
    random: (count) => new Uint8Array(count),
    isTalking: true,
    line: {
      peers: new Map(),
      send: () => undefined,
      spread: () => undefined,
      dial: () => undefined,
      ringChanged: () => undefined,
    },
  })
  keeper.setAddresses(['tcp://127.0.0.1:4001'], now)
  keeper.handle({ type: 'members', members: [member] }, messenger, false, now)
  return keeper
}

test('a member that does not answer two dials is gone', () => {
  const keeper = keeperWithMember()
  keeper.dialEnded(member.id, 'P2P_CONNECTION_REFUSED', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
  keeper.dialEnded(member.id, 'P2P_CONNECTION_REFUSED', now)
  expect(keeper.view.get(member.id)?.state).toBe('gone')
})

test('a member that is full, or was dialled twice at once, is not gone', () => {
  const keeper = keeperWithMember()
  const codes = ['P2P_CLOSED_IN_HANDSHAKE', 'P2P_DUPLICATE_LINK', 'P2P_CROSSED_LINKS']
  for (const code of [...codes, 'P2P_TOO_MANY_DIALS']) {
    for (let dial = 0; dial < 5; dial += 1) keeper.dialEnded(member.id, code, now)
  }
  expect(keeper.view.get(member.id)?.state).toBe('storing')
})

test('a member that cannot be dialled is given the time to dial', () => {
  const keeper = keeperWithMember()
  keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
  for (let wait = 0; wait < 2; wait += 1) keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('gone')
})

test('of two that cannot be dialled neither finds the other gone', () => {
  const keeper = keeperWithMember()
  keeper.setAddresses([], now)
  for (let wait = 0; wait < 5; wait += 1) keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
})
