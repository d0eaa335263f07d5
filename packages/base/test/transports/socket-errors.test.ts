import { expect, test } from '@jest/globals'
import { dialError, linkError, listenError } from '../../src/transports/socket-errors.ts'

const systemError = (code: string): Error => Object.assign(new Error(code), { code })
const wanted = { transport: 'tcp', host: 'h', port: 1, path: '' } as const

test.each([
  ['ECONNREFUSED', 'P2P_CONNECTION_REFUSED'],
  ['ENOTFOUND', 'P2P_NAME_NOT_FOUND'],
  ['EHOSTUNREACH', 'P2P_UNREACHABLE'],
  ['ETIMEDOUT', 'P2P_DIAL_TIMEOUT'],
  ['ESOMETHING', 'P2P_DIAL_FAILED'],
])('a dial that ended with %s has the code %s', (code, expected) => {
  const cause = systemError(code)
  expect(dialError('tcp://h:1', cause)).toMatchObject({ code: expected, cause })
  expect(dialError('tcp://h:1', new AggregateError([cause])).code).toBe(expected)
})

test.each([
  ['EADDRINUSE', 'P2P_ADDRESS_IN_USE'],
  ['EACCES', 'P2P_LISTEN_DENIED'],
  ['EADDRNOTAVAIL', 'P2P_LISTEN_HOST'],
  ['ESOMETHING', 'P2P_LISTEN_FAILED'],
])('a listener that ended with %s has the code %s', (code, expected) => {
  expect(listenError(wanted, systemError(code)).code).toBe(expected)
})

test('a link that is broken off is told apart from one that fails otherwise', () => {
  expect(linkError(systemError('EPIPE')).code).toBe('P2P_LINK_RESET')
  expect(linkError(systemError('ESOMETHING')).code).toBe('P2P_LINK_FAILED')
})
