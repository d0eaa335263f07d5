import { expect, test } from '@jest/globals'
import { PyRequest, PyTuple } from '../../src/pickle/values.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import {
  readJoinFinalized,
  readNewPeer,
  readPeerLeft,
  readUuidAddressRequest,
  readUuidAddressResponse,
} from '../../src/protocol/membership-messages.ts'
import { encodeMessage, encodeResponse, readInfo, readUnit } from '../../src/protocol/messages.ts'

const dict = (fields: { readonly [name: string]: PyValue }): Map<PyValue, PyValue> =>
  new Map<PyValue, PyValue>(Object.entries(fields))
const address = new PyTuple(['127.0.0.1', 4444])
const response = (data: PyValue): Parameters<typeof readNewPeer>[0] => ({
  type: 'X',
  data,
  fields: dict({ type: 'X', data }),
})

test('an info has a host, a port, and a UUID or none', () => {
  const info = { HOST: '127.0.0.1', PORT: 4444, UUID: null }
  expect(readInfo(dict(info))).toMatchObject({ uuid: null, isOurs: false })
  expect(readInfo(dict({ HOST: '127.0.0.1', PORT: 4444 }))).toMatchObject({ uuid: null })
  expect(readInfo(dict({ ...info, UUID: 3 }))).toMatchObject({ uuid: 3 })
  expect(readInfo(dict({ ...info, UUID: 2 ** 20 - 1 }))).toMatchObject({ uuid: 2 ** 20 - 1 })
  for (const bad of [
    { UUID: 2 ** 20 },
    { UUID: -1 },
    { UUID: 'three' },
    { PORT: 0 },
    { PORT: 65_536 },
    { HOST: 5 },
  ]) {
    expect(readInfo(dict({ ...info, ...bad }))).toBe(undefined)
  }
  expect(readInfo('info')).toBe(undefined)
})

test('what follows is a flag, a message, a request, or means nothing', () => {
  expect(readUnit(true)).toEqual({ kind: 'flag', value: true })
  expect(readUnit(dict({ type: 'TEXT', data: 'Hi!' }))).toMatchObject({
    kind: 'message',
    message: { type: 'TEXT', data: 'Hi!' },
  })
  expect(readUnit(dict({ request_id: 'ABC123' }))).toMatchObject({ requestId: 'ABC123' })
  for (const meaningless of [
    null,
    [1],
    dict({}),
    dict({ type: 5 }),
    dict({ type: 'TEXT', request_id: 5 }),
    dict({ type: 'TEXT', request_id: '' }),
  ]) {
    expect(readUnit(meaningless).kind).toBe('meaningless')
  }
})

test('a Request has an address, a short id and typed contents', () => {
  const state = {
    callback_address: address,
    request_id: 'ABC123',
    contents: dict({ type: 'ADD', data: 17 }),
  }
  const unit = (changed: { readonly [name: string]: PyValue }): string =>
    readUnit(new PyRequest(new Map<string, PyValue>(Object.entries({ ...state, ...changed })))).kind
  expect(unit({})).toBe('request')
  for (const changed of [
    { callback_address: 'here' },
    { callback_address: new PyTuple(['127.0.0.1']) },
    { request_id: 5 },
    { contents: 'ADD' },
    { contents: dict({ data: 17 }) },
  ]) {
    expect(unit(changed)).toBe('meaningless')
  }
})

test('news about members without a UUID, an address or a list is no news', () => {
  expect(readNewPeer(response(dict({ UUID: 4, Address: address })))).toMatchObject({ uuid: 4 })
  expect(readNewPeer(response(dict({ UUID: 'four', Address: address })))).toBe(undefined)
  expect(readNewPeer(response(dict({ UUID: 4, Address: 'there' })))).toBe(undefined)
  expect(readNewPeer(response('news'))).toBe(undefined)
  expect(readPeerLeft(response(dict({ UUID: 4 })))).toBe(4)
  expect(readPeerLeft(response(dict({})))).toBe(undefined)
  expect(readUuidAddressRequest(response(dict({ UUID: 4 })))).toBe(4)
  expect(readUuidAddressRequest(response(dict({ UUID: 1.5 })))).toBe(undefined)
  const answer = dict({ UUID: 4, address })
  expect(readUuidAddressResponse(response(answer))).toMatchObject({ uuid: 4 })
  expect(readUuidAddressResponse(response(dict({ UUID: 4 })))).toBe(undefined)
})

test('the end of joining names two different nodes and a list that is not too long', () => {
  const data = { joiner_UUID: 2, adder_UUID: 1, network_size: 3, active_peers: [0, 1] }
  const read = (changed: { readonly [name: string]: PyValue }): unknown =>
    readJoinFinalized(response(dict({ ...data, ...changed })), 2)
  expect(read({})).toEqual({ joinerUuid: 2, adderUuid: 1, networkSize: 3, activePeers: [0, 1] })
  for (const changed of [
    { joiner_UUID: 1 },
    { joiner_UUID: null },
    { adder_UUID: 'one' },
    { network_size: -1 },
    { active_peers: 'all' },
    { active_peers: [0, 'one'] },
    { active_peers: [0, 1, 2] },
  ]) {
    expect(read(changed)).toBe(undefined)
  }
})

test('a message without data has none, and an answer has the id behind everything else', () => {
  expect([...encodeMessage({ type: 'TEXT' })]).toEqual([['type', 'TEXT']])
  const answer = encodeResponse(dict({ request_id: 'OLD', type: 'SUM' }), 'ABC123')
  expect([...answer]).toEqual([
    ['type', 'SUM'],
    ['request_id', 'ABC123'],
  ])
})
