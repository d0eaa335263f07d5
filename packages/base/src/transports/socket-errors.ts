/** What the operating system says, as errors with a code that tells which step failed. */
import { formatAddress } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { P2pErrorCode } from '../protocol/errors.ts'

const dialCodes: ReadonlyMap<string, readonly [P2pErrorCode, string]> = new Map([
  ['ECONNREFUSED', ['P2P_CONNECTION_REFUSED', 'nobody listens there']],
  ['ENOTFOUND', ['P2P_NAME_NOT_FOUND', 'the host name is unknown']],
  ['EAI_AGAIN', ['P2P_NAME_NOT_FOUND', 'the host name could not be looked up']],
  ['ETIMEDOUT', ['P2P_DIAL_TIMEOUT', 'no answer']],
  ['EHOSTUNREACH', ['P2P_UNREACHABLE', 'there is no way to the host']],
  ['ENETUNREACH', ['P2P_UNREACHABLE', 'there is no way to the network']],
  ['ECONNRESET', ['P2P_LINK_RESET', 'the other end broke the connection off']],
])

export function systemCode(error: unknown): string {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : ''
  // Dialling several addresses of one name fails with all their errors in one.
  if (error instanceof AggregateError && code === '') return systemCode(error.errors[0])
  return typeof code === 'string' ? code : ''
}

export function dialError(address: string, cause: Error): P2pError {
  if (systemCode(cause).startsWith('ERR_SSL_')) {
    const text = `${address} answered, but not as a TLS server`
    return new P2pError('P2P_NOT_TLS', text, { cause })
  }
  const [code, text] = dialCodes.get(systemCode(cause)) ?? ['P2P_DIAL_FAILED', cause.message]
  return new P2pError(code, `cannot reach ${address}: ${text}`, { cause })
}

export function listenError(wanted: Address, cause: Error): P2pError {
  const address = formatAddress(wanted)
  switch (systemCode(cause)) {
    case 'EADDRINUSE':
      return new P2pError('P2P_ADDRESS_IN_USE', `${address} is listened on already`, { cause })
    case 'EACCES':
      return new P2pError('P2P_LISTEN_DENIED', `no permission to listen on ${address}`, { cause })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new P2pError('P2P_LISTEN_HOST', `${address} is no address of this machine`, { cause })
    default:
      return new P2pError('P2P_LISTEN_FAILED', `cannot listen on ${address}: ${cause.message}`, {
        cause,
      })
  }
}

/** Why an open link ended; undefined for an orderly end. */
export function linkError(cause: Error): P2pError {
  const isReset = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(systemCode(cause))
  return isReset
    ? new P2pError('P2P_LINK_RESET', 'the other end broke the link off', { cause })
    : new P2pError('P2P_LINK_FAILED', `the link broke: ${cause.message}`, { cause })
}
