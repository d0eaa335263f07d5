/** The failures that the peer layer reports in more than one place, each made in one. */
import { P2pError } from './errors.ts'

export function selfError(address: string): P2pError {
  return new P2pError('P2P_SELF', `${address} is this node itself`)
}

export function idMismatchError(expected: string | undefined, got: string): P2pError {
  return new P2pError('P2P_ID_MISMATCH', 'the peer has another id than the expected one', {
    facts: { expected: expected ?? '', got },
  })
}

export function handshakeTimeoutError(): P2pError {
  return new P2pError('P2P_HANDSHAKE_TIMEOUT', 'the other end sent no handshake in time')
}

export function duplicateLinkError(): P2pError {
  return new P2pError('P2P_DUPLICATE_LINK', 'another link to this peer is in use')
}

export function silentPeerError(): P2pError {
  return new P2pError('P2P_PEER_SILENT', 'the peer gave no sign of life')
}

export function wrongNetworkError(expected: string, got: string): P2pError {
  const text = 'the peer belongs to another network (subnet, encryption or version differ)'
  return new P2pError('P2P_WRONG_NETWORK', text, { facts: { expected, got } })
}

/** Why a dial failed whose link broke before it became a peer; our own verdicts keep their code. */
export function brokenDialError(reason: P2pError, sawHandshake: boolean): P2pError {
  if (!reason.code.startsWith('P2P_LINK_')) return reason
  const text = sawHandshake
    ? 'closed by the other end after the handshakes: it may be full, or connected already'
    : 'closed by the other end before a handshake: not a p2p node, another network, or full'
  return new P2pError('P2P_CLOSED_IN_HANDSHAKE', text, { cause: reason })
}

export function crossedLinksError(): P2pError {
  const text = 'an old peer and this node dialled each other'
  return new P2pError('P2P_CROSSED_LINKS', text)
}

export function abandonedError(): P2pError {
  return new P2pError('P2P_CANCELLED', 'nobody waits for this link')
}
