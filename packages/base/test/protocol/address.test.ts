import { describe, expect, test } from '@jest/globals'
import {
  addressToPair,
  formatAddress,
  hostGroup,
  pairToAddress,
  parseAddress,
} from '../../src/protocol/address.ts'

describe('parseAddress', () => {
  test.each([
    'tcp://127.0.0.1:4444',
    'tls://example.org:1',
    'ws://10.0.0.1:80',
    'wss://example.org:443/p2p',
    'tcp://[2001:db8::1]:4444',
    'tcp://0.0.0.0:0',
    'memory://alice',
  ])('reads %s, and formatAddress writes it back', (text) => {
    const address = parseAddress(text)
    expect(address).toBeDefined()
    if (address !== undefined) expect(formatAddress(address)).toBe(text)
  })

  test('fills in the port of a web address and drops a lone slash', () => {
    expect(parseAddress('wss://example.org')).toEqual({
      transport: 'wss',
      host: 'example.org',
      port: 443,
      path: '',
    })
    expect(parseAddress('tcp://h:1/')?.path).toBe('')
  })

  test.each([
    '',
    'tcp://',
    'tcp://host',
    'tcp://host:65536',
    'tcp://host:1/path',
    'tcp://ho st:1',
    'tcp://user@host:1',
    'http://host:1',
    'tcp://[::1:1',
    'tcp://a:b:1',
    'memory://a:1',
    'memory://',
    'ws://host:1/a b',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })
})

describe('pairToAddress', () => {
  test('takes the pair of the link it came over, with items behind it', () => {
    expect(pairToAddress(['10.0.0.1', 4444, new Map()], 'tls')).toEqual({
      transport: 'tls',
      host: '10.0.0.1',
      port: 4444,
      path: '',
    })
    expect(pairToAddress([new TextEncoder().encode('h'), 1], 'tcp')?.host).toBe('h')
  })

  test.each([
    [null],
    [[null, null]],
    [['h']],
    [['h', 0]],
    [['h', 65_536]],
    [['h', 1.5]],
    [['h', '1']],
    [['', 1]],
    [['a b', 1]],
    [['x'.repeat(300), 1]],
    [{ host: 'h', port: 1 }],
  ])('finds nothing to dial in %j', (pair) => {
    expect(pairToAddress(pair, 'tcp')).toBeUndefined()
  })

  test('undoes addressToPair', () => {
    const address = parseAddress('tcp://10.0.0.1:9')
    expect(pairToAddress(addressToPair(address), 'tcp')).toEqual(address)
    expect(addressToPair(undefined)).toEqual([null, null])
  })
})

test('hostGroup joins what one owner is likely to hold', () => {
  expect(hostGroup('10.1.2.3')).toBe(hostGroup('10.1.9.9'))
  expect(hostGroup('10.1.2.3')).not.toBe(hostGroup('10.2.2.3'))
  expect(hostGroup('2001:db8:1::1')).toBe(hostGroup('2001:DB8:2::1'))
  expect(hostGroup('a.example.org')).toBe('example.org')
})
