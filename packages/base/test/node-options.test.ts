import { describe, expect, test } from '@jest/globals'
import { resolveNodeOptions } from '../src/node-options.ts'

const kind = { subnet: 'mesh', ownNames: ['leasing'], ownLimits: ['maxKeys'] }

function storeWithout(method: string): object {
  const methods = ['get', 'put', 'delete', 'batch', 'iterate'].filter((name) => name !== method)
  return Object.fromEntries(methods.map((name) => [name, () => undefined]))
}

test('a store that has all that a node calls is taken', () => {
  const store = storeWithout('close')
  expect(resolveNodeOptions({ store: store as never }, kind).store).toBe(store)
})

test('what is not given has its default', () => {
  expect(resolveNodeOptions({}, kind)).toMatchObject({
    listen: [],
    connect: [],
    advertise: [],
    subnet: 'mesh',
    idEncoding: 'text',
    extensions: true,
  })
})

test('one address is a list of one, and names of the kind of node are left to it', () => {
  const options = {
    connect: 'tcp://127.0.0.1:4444',
    leasing: false,
    limits: { maxDepth: 9, maxKeys: 3 },
  }
  expect(resolveNodeOptions(options, kind)).toMatchObject({
    connect: ['tcp://127.0.0.1:4444'],
    limits: { maxDepth: 9 },
  })
})

describe('an option that cannot be is refused with a text that names it', () => {
  const bad: readonly (readonly [
    what: string,
    options: unknown,
    type: ErrorConstructor,
    text: RegExp,
  ])[] = [
    ['no object', 7, TypeError, /options must be an object/],
    ['an unknown name', { conect: 'tcp://127.0.0.1:1' }, TypeError, /conect/],
    ['a limit that the decoder refuses', { limits: { maxDepth: 513 } }, RangeError, /512/],
    ['an unknown limit', { limits: { maxPeer: 3 } }, TypeError, /maxPeer/],
    ['a subnet that is no text', { subnet: 7 }, TypeError, /subnet must be a string, got 7/],
    ['half a character in a subnet', { subnet: 'a\ud800' }, RangeError, /subnet has half/],
    ['an address that is none', { listen: 'nowhere at all' }, RangeError, /"nowhere at all"/],
    ['an address that is no text', { connect: [7] }, TypeError, /connect must be .* got 7/],
    ['an encoding of ids', { idEncoding: 'hex' }, TypeError, /idEncoding must be .* got "hex"/],
    ['a switch that is no switch', { extensions: 1 }, TypeError, /extensions must be a boolean/],
    ['a compression by name', { compression: ['zlib'] }, TypeError, /compression must be a list/],
    ['a store without methods', { store: {} }, TypeError, /store must have a method get/],
    ['a store without batch', { store: storeWithout('batch') }, TypeError, /method batch\(\)/],
    ['a store without delete', { store: storeWithout('delete') }, TypeError, /method delete\(\)/],
    [
      'a logger that is a function',
      { logger: () => undefined },
      TypeError,
      /logger must be an object/,
    ],
  ]
  test.each(bad)('%s', (_what, options, type, text) => {
    const resolve = (): unknown => resolveNodeOptions(options as never, kind)
    expect(resolve).toThrow(type)
    expect(resolve).toThrow(text)
  })
})
