/** A neighbour for tests of the parts of the machine. */
import type { Peer, PeerKind } from '@p2p/base'

export function peerOf(id: string, kind: PeerKind = 'ours'): Peer {
  return {
    id,
    link: 1,
    transport: 'tcp',
    kind,
    outgoing: true,
    address: undefined,
    addresses: [],
    supports: () => kind === 'ours',
  }
}
