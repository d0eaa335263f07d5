// What a node takes from a rendezvous server, field by field.
import { expect, test } from '@jest/globals'
import { PyTuple, type PyValue } from '../../src/pickle/values.ts'
import type { OutgoingMessage, Response } from '../../src/protocol/messages.ts'
import { addressToTuple } from '../../src/protocol/node-address.ts'
import {
  encodeIntroduction,
  encodeUnknownTarget,
  readIntroduction,
  readRelay,
  readYourAddress,
  relay,
  relayEnd,
  yourAddress,
  type Endpoints,
} from '../../src/protocol/rendezvous-messages.ts'
import { onWire } from './wire.ts'

/** A message as its reader gets it. */
function read(message: OutgoingMessage): Response {
  const fields = onWire(message)
  if (!(fields instanceof Map)) throw new Error('a message is a dict')
  return { type: message.type, data: fields.get('data') as PyValue, fields }
}

const ends = (name: number): Endpoints => ({
  publicAddress: { host: '203.0.113.1', port: name },
  privateAddress: { host: '10.0.0.1', port: name },
})
const introduction = {
  target: ends(1),
  source: ends(2),
  token: 'ab'.repeat(16),
  isRequester: true,
  isIndependent: false,
  isPeerIndependent: true,
}
const dict = (fields: { readonly [name: string]: PyValue }): Map<PyValue, PyValue> =>
  new Map<PyValue, PyValue>(Object.entries(fields))

test('an introduction is read as it was written', () => {
  expect(readIntroduction(read(encodeIntroduction('ANY', introduction)))).toEqual(introduction)
})

test('the answer for an unknown target introduces nobody', () => {
  expect(readIntroduction(read(encodeUnknownTarget(ends(2))))).toBe(undefined)
})

test('an introduction needs two addresses at each end, and a token of the right length', () => {
  const good = encodeIntroduction('ANY', introduction)
  const pair = addressToTuple({ host: '10.0.0.1', port: 1 })
  const bad = addressToTuple({ host: '10.0.0.1', port: 0 })
  for (const change of [
    { trg_address: 'nowhere' },
    { trg_address: new PyTuple([pair]) },
    { trg_address: new PyTuple([bad, pair]) },
    { src_address: new PyTuple([pair, bad]) },
    { src_address: null },
    { punch: 'token' },
    { punch: dict({}) },
    { punch: dict({ token: 5 }) },
    { punch: dict({ token: 'ab' }) },
  ]) {
    expect(readIntroduction(read({ ...good, ...change }))).toBe(undefined)
  }
})

test('what a NAT does is believed only when it is said by True', () => {
  const good = encodeIntroduction('ANY', introduction)
  const punch = dict({ token: introduction.token, requester: 1, peer_independent: 'yes' })
  expect(readIntroduction(read({ ...good, punch }))).toEqual({
    ...introduction,
    isRequester: false,
    isPeerIndependent: false,
  })
})

test('relayed bytes come with their token, the end of a relay without bytes', () => {
  const { token } = introduction
  const bytes = Uint8Array.of(1, 2, 3)
  expect(readRelay(read(relay(token, bytes)))).toEqual({ token, bytes })
  expect(readRelay(read(relayEnd(token)))).toEqual({ token, bytes: new Uint8Array(0) })
  for (const data of [
    'bytes',
    dict({ bytes }),
    dict({ token: 5, bytes }),
    dict({ token: 'ab', bytes }),
    dict({ token, bytes: 'text' }),
  ]) {
    expect(readRelay({ type: 'RELAY', data, fields: new Map() })).toBe(undefined)
  }
})

test('a node learns its own address, or nothing from what is none', () => {
  const address = { host: '203.0.113.1', port: 7 }
  expect(readYourAddress(read(yourAddress(address)))).toEqual(address)
  expect(readYourAddress(read({ type: 'YOUR ADDRESS', data: 'here' }))).toBe(undefined)
})
