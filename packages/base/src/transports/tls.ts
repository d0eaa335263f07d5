/**
 * TLS over TCP: the `SSL` of py2p and js2p.
 *
 * As there, the certificate is self-signed, made at the first use, and verified by nobody: links are
 * secret against whoever only listens, and prove nothing about the other end.
 */
import { connect, createServer } from 'node:tls'
import { parseAddress } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Link, Listener, Transport } from '../transport.ts'
import { bindServer } from './bind-server.ts'
import { dialledSocket } from './dialled-socket.ts'
import { PendingSockets } from './pending-sockets.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'
import type { KeyAndCertificate } from './self-signed-certificate.ts'
import { SocketLink, keepAliveDelayMs, remoteAddress } from './socket-link.ts'

/** How long an accepted connection may take to become a TLS one. */
const handshakeTimeoutMs = 10_000

export class TlsTransport implements Transport {
  readonly schemes = ['tls'] as const
  #credentials: KeyAndCertificate | undefined

  /** @param credentials key and certificate in PEM; made at the first use when not given */
  constructor(credentials?: KeyAndCertificate) {
    this.#credentials = credentials
  }

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const { host, port } = tlsAddress(address)
    const socket = connect({ host, port, rejectUnauthorized: false })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelayMs)
    await dialledSocket(socket, { address, readyEvent: 'secureConnect', ...options })
    return new SocketLink({ transport: 'tls', remote: address, socket })
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const wanted = tlsAddress(address)
    this.#credentials ??= createSelfSignedCertificate('p2p')
    const pending = new PendingSockets()
    const server = createServer({ ...this.#credentials, handshakeTimeout: handshakeTimeoutMs })
    server.on('connection', (socket) => {
      pending.add(socket)
    })
    // Whoever fails at TLS is closed by the server; there is nobody to tell.
    server.on('tlsClientError', () => undefined)
    server.on('secureConnection', (socket) => {
      pending.settle(socket)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, keepAliveDelayMs)
      onLink(new SocketLink({ transport: 'tls', remote: remoteAddress('tls', socket), socket }))
    })
    return bindServer(server, wanted, pending)
  }
}

function tlsAddress(address: string): Address {
  const parsed = parseAddress(address)
  if (parsed?.transport !== 'tls') {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no TLS address`)
  }
  return parsed
}
