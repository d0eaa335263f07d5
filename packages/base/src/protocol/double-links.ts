/**
 * Two links to one peer id: which of them stays.
 *
 * Nodes of ours ask on the established link whether the peer opened the other one too (hello.ts,
 * `claim`). If so, both ends must drop the same link: the one dialled by the smaller id stays; of two
 * in the same direction the one whose dialler drew the smaller nonce. If not, somebody else claims
 * the id and is refused: the first live link wins.
 *
 * Old peers cannot be asked; that the established link still answers has to do. Where both ends
 * dialled at about the same time, an old peer forgets or closes either link (spec/mesh.md, 3.4), so
 * both are given up and dialled again after a random pause.
 */
import { createMessage, flags } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import type { Connection } from './connection.ts'
import { nonceText } from './hello.ts'
import type { LinkId } from './link.ts'
import type { Now } from './machine.ts'

/** How long after its opening an established link may still be half of a crossing pair. */
export const crossingWindowMs = 10_000

/** The one of two links to the same peer of ours that both ends will keep. */
export function survivorOf(
  ownId: string,
  pair: { readonly incumbent: Connection; readonly newcomer: Connection },
): Connection {
  const { incumbent, newcomer } = pair
  if (incumbent.outgoing !== newcomer.outgoing) {
    const peerId = newcomer.handshake?.id ?? ''
    return newcomer.outgoing === isSmallerId(ownId, peerId) ? newcomer : incumbent
  }
  return diallerNonce(newcomer) < diallerNonce(incumbent) ? newcomer : incumbent
}

/** True when one of our links to this peer, or to somebody still unknown, has this nonce of ours. */
export function hasLinkTo(
  peerId: string | undefined,
  nonce: Uint8Array,
  connections: ReadonlyMap<LinkId, Connection>,
): boolean {
  const wanted = nonceText(nonce)
  for (const connection of connections.values()) {
    const isTo = connection.handshake === undefined || connection.handshake.id === peerId
    if (isTo && nonceText(connection.nonce) === wanted) return true
  }
  return false
}

/** True when an old peer and we dialled each other at about the same time. */
export function isCrossing(
  pair: { readonly incumbent: Connection; readonly newcomer: Connection },
  monoMs: number,
): boolean {
  const { incumbent, newcomer } = pair
  const isYoung = monoMs - incumbent.openedMs < crossingWindowMs
  return isYoung && incumbent.outgoing !== newcomer.outgoing
}

/** What the peer on the established link is asked about the other one, and what will answer it. */
export function questionAbout(
  pair: { readonly incumbent: Connection; readonly newcomer: Connection },
  sender: string | Uint8Array,
  now: Now,
): { readonly isByClaim: boolean; readonly frame: Uint8Array } {
  const { incumbent, newcomer } = pair
  const { hello } = newcomer
  if (hello !== undefined && incumbent.supports('claim') && newcomer.supports('claim')) {
    const nonce = Uint8Array.from(hello.nonce, (letter) => letter.charCodeAt(0))
    return { isByClaim: true, frame: incumbent.controlFrame({ verb: 'claim', nonce }, now) }
  }
  const frame = incumbent.supports('heartbeat')
    ? incumbent.pingFrame(now)
    : incumbent.encode(signOfLifeRequest(sender, now), 'control')
  return { isByClaim: false, frame }
}

/** Order of ids as numbers: base58 without leading zeros sorts by length, then by its characters. */
export function isSmallerId(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}

function diallerNonce(connection: Connection): string {
  return connection.outgoing ? nonceText(connection.nonce) : (connection.hello?.nonce ?? '')
}

/**
 * What makes an old peer give a sign of life: a request for its peers. Both originals answer it, if
 * it is bytes (spec/mesh.md, 5.2).
 */
function signOfLifeRequest(sender: string | Uint8Array, now: Now): WireMessage {
  const payload = [flags.request, Uint8Array.of(0x2a)]
  return createMessage({
    type: flags.whisper,
    sender,
    time: Math.floor(now.utcSeconds),
    payload,
  })
}
