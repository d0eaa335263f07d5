import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  bytesToInteger,
  decodeBase58Integer,
  encodeBase58Integer,
  idText,
  integerToBytes,
  networkId,
  nodeId,
  sameId,
} from '@p2p/serializer'

test('base58 integers come back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 512n }), (integer) => {
      const text = encodeBase58Integer(integer)
      expect(decodeBase58Integer(text)).toBe(integer)
      expect(encodeBase58Integer(integerToBytes(integer, 80))).toBe(text)
    }),
  )
})

test.each([
  [0n, '1'],
  [57n, 'z'],
  [58n, '21'],
  [255n, '5Q'],
  [2n ** 32n, '7YXq9H'],
  [1_500_000_000n, '3HYtjy'],
])('%p is %s', (integer, text) => {
  expect(encodeBase58Integer(integer)).toBe(text)
})

test.each(['0', 'O', 'I', 'l', 'é', '11 ', '1'.repeat(1025)])('%p is no base58', (text) => {
  expect(() => decodeBase58Integer(text)).toThrow(
    expect.objectContaining({ code: 'P2P_BASE58_INVALID' }),
  )
})

test('the empty text is 0, as the originals read it', () => {
  expect(decodeBase58Integer('')).toBe(0n)
})

test('an integer that does not fit its bytes is a RangeError', () => {
  expect(integerToBytes(255n, 1)).toEqual(new Uint8Array([255]))
  expect(() => integerToBytes(256n, 1)).toThrow(RangeError)
  expect(() => integerToBytes(-1n, 1)).toThrow(RangeError)
  expect(() => encodeBase58Integer(-1n)).toThrow(RangeError)
  expect(bytesToInteger(new Uint8Array([1, 0]))).toBe(256n)
})

test.each([
  ['mesh', 'Plaintext', 'EpAmyZWv9rZUKmjQgU3FTUD4GrJHvVEXizmghVBc8eGD'],
  ['sync1', 'SSL', 'ANBM6pF8DhyLoKw2PEj8wwg9WbmxbYvmZt4d9ca3nJ7B'],
  ['chord', 'ws', '2QzUWVZNBopm9xxDfse6pMnTXctThBUV81wjCuUuq5sd'],
])('the network id of %s over %s is that of the originals', (subnet, encryption, id) => {
  expect(networkId({ subnet, encryption })).toBe(id)
})

test('the version text makes the ids of older protocols', () => {
  expect(networkId({ subnet: 'mesh', encryption: 'Plaintext', version: '0.3' })).toBe(
    'ERdWKvYsifaiXVCnUhP67ieCeWUgktTJxndSnx6VeBeV',
  )
})

test('node ids are those of the originals for the same salt', () => {
  const node = {
    host: '127.0.0.1',
    port: 44_565,
    networkId: networkId({ subnet: 'mesh', encryption: 'Plaintext' }),
    salt: '00000000-0000-4000-8000-000000000000',
  }
  expect(nodeId(node)).toBe('33f1ryCmw6MKTmTMQ1StfvqCtiYpCSwzfKbLdnWMwR1L4RiBY2hoo6m7rRXE93ucPr')
  expect(nodeId({ ...node, addressStyle: 'js2p' })).toBe(
    '7Jomaim6etg4x1aeYxofp7TDFiCSVeDxLogk5NzFmJ9y7SJ4vfBrfT5AZRLuT8HvQc',
  )
})

test('a salt is the same as text and as bytes, and a host is quoted as Python quotes it', () => {
  const node = { host: 'it', port: 1, networkId: 'x', salt: 'salt' }
  expect(nodeId({ ...node, salt: new TextEncoder().encode('salt') })).toBe(nodeId(node))
  const quotedAs = (host: string, quoted: string): void => {
    expect(nodeId({ ...node, host })).toBe(nodeId({ ...node, host: quoted, addressStyle: 'js2p' }))
  }
  quotedAs(`it`, `'it'`)
  quotedAs(`it's`, `"it's"`)
  quotedAs(`it's "it"`, `'it\\'s "it"'`)
  quotedAs(`a\\b`, `'a\\\\b'`)
})

test('an id is the same as text and as bytes', () => {
  const bytes = new TextEncoder().encode('3HYtjy')
  expect(idText(bytes)).toBe('3HYtjy')
  expect(sameId('3HYtjy', bytes)).toBe(true)
  expect(sameId('3HYtjx', bytes)).toBe(false)
  expect(idText(5)).toBeUndefined()
  expect(idText(new Uint8Array([0xff]))).toBeUndefined()
  expect(sameId(undefined, undefined)).toBe(false)
})
