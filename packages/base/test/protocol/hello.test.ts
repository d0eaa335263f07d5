import { createMessage } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import {
  controlFlag,
  createControlPayload,
  createHelloPayload,
  helloFlag,
  parseControl,
  parseHello,
} from '../../src/protocol/hello.ts'

const nonce = new Uint8Array(8).fill(7)
const messageOf = (payload: readonly Value[]): Parameters<typeof parseHello>[0] =>
  createMessage({ type: 2, sender: 'me', time: 1, payload })
const [, fields] = createHelloPayload({
  features: ['tree', 'tree', 'own'],
  nonce,
  addresses: ['tcp://127.0.0.1:4444'],
  maxFrameBytes: 65_536,
})
const hello = fields as { readonly [name: string]: Value }
const parse = (changed: { readonly [name: string]: Value }): ReturnType<typeof parseHello> =>
  parseHello(messageOf([helloFlag, { ...hello, ...changed }]))

test('a hello is read as it was written, each feature once', () => {
  expect(parse({})).toMatchObject({
    version: 1,
    features: new Set(['tree', 'own']),
    addresses: ['tcp://127.0.0.1:4444'],
    maxFrameBytes: 65_536,
  })
})

test('a hello without version, nonce or features is none', () => {
  for (const changed of [
    { version: 'one' },
    { nonce: 'text' },
    { nonce: new Uint8Array(7) },
    { features: 'tree' },
  ]) {
    expect(parse(changed)).toBe(undefined)
  }
  expect(parseHello(messageOf([helloFlag]))).toBe(undefined)
  expect(parseHello(messageOf([helloFlag, [1, 2]]))).toBe(undefined)
})

test('of a hello what makes no sense is left out, and entries of a later version are ignored', () => {
  const features = ['tree', 5, 'f'.repeat(65)]
  const addresses = ['tcp://127.0.0.1:4444', 'nowhere', 7]
  expect(parse({ features, addresses, later: true })).toMatchObject({
    features: new Set(['tree']),
    addresses: ['tcp://127.0.0.1:4444'],
  })
  expect(parse({ addresses: 'tcp://127.0.0.1:4444' })).toMatchObject({ addresses: [] })
  const many = Array.from({ length: 100 }, (_, index) => `feature ${index}`)
  expect(parse({ features: many })?.features.size).toBe(64)
})

test('a control message has a verb that is known and a nonce of eight bytes', () => {
  const read = (payload: readonly Value[]): ReturnType<typeof parseControl> =>
    parseControl(messageOf(payload))
  expect(read(createControlPayload({ verb: 'claim', nonce }))).toMatchObject({ verb: 'claim' })
  expect(read([controlFlag, 'shout', nonce])).toBe(undefined)
  expect(read([controlFlag, 'ping'])).toBe(undefined)
  expect(read([controlFlag, 'ping', 'nonce'])).toBe(undefined)
  expect(read([controlFlag, 'ping', new Uint8Array(9)])).toBe(undefined)
})
