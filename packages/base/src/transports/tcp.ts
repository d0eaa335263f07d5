/**
 * TCP, the transport of py2p and js2p (`Plaintext` in a network id).
 *
 * Writes leave at once (TCP_NODELAY): the runtime gathers what belongs together. Silent links are
 * probed by the operating system, which is all that can be done for old peers.
 */
import { connect, createServer } from 'node:net'
import { parseAddress } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Link, Listener, Transport } from '../transport.ts'
import { dialledSocket } from './dialled-socket.ts'
import { bindServer } from './bind-server.ts'
import { SocketLink, keepAliveDelayMs, remoteAddress } from './socket-link.ts'

const socketOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveDelayMs,
} as const

/** For sockets that were opened in another way, such as by hole punching. */
export { SocketLink } from './socket-link.ts'

export class TcpTransport implements Transport {
  readonly schemes = ['tcp'] as const

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const { host, port } = tcpAddress(address)
    const socket = connect({ host, port, ...socketOptions })
    await dialledSocket(socket, { address, readyEvent: 'connect', ...options })
    return new SocketLink({ transport: 'tcp', remote: address, socket })
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const wanted = tcpAddress(address)
    const server = createServer(socketOptions)
    server.on('connection', (socket) => {
      onLink(new SocketLink({ transport: 'tcp', remote: remoteAddress('tcp', socket), socket }))
    })
    return bindServer(server, wanted)
  }
}

function tcpAddress(address: string): Address {
  const parsed = parseAddress(address)
  if (parsed?.transport !== 'tcp') {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no TCP address`)
  }
  return parsed
}
