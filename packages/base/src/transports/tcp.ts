/**
 * TCP, the transport of py2p and js2p (`Plaintext` in a network id).
 *
 * Writes leave at once (TCP_NODELAY): the runtime gathers what belongs together. Silent links are
 * probed by the operating system, which is all that can be done for old peers.
 */
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { parseAddress } from '../protocol/address.ts'
import type { Address } from '../protocol/address.ts'
import { P2pError } from '../protocol/errors.ts'
import type { Link, Listener, Transport } from '../transport.ts'
import { dialError, listenError } from './socket-errors.ts'
import { SocketLink, keepAliveDelayMs, remoteAddress } from './socket-link.ts'
import { advertisedAddress } from './advertised-address.ts'

export class TcpTransport implements Transport {
  readonly schemes = ['tcp'] as const

  async dial(
    address: string,
    options: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<Link> {
    const { host, port } = tcpAddress(address)
    const { signal, timeoutMs } = options
    return new Promise<Link>((resolve, reject) => {
      const socket = connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveDelayMs,
      })
      const timer = setTimeout(() => {
        fail(new P2pError('P2P_DIAL_TIMEOUT', `no answer from ${address} in ${timeoutMs} ms`))
      }, timeoutMs)
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        socket.off('error', onError)
        socket.off('connect', onConnect)
      }
      const fail = (error: P2pError): void => {
        settle()
        // What still comes from a socket that is given up is of no interest.
        socket.on('error', () => undefined)
        socket.destroy()
        reject(error)
      }
      const onError = (error: Error): void => {
        fail(dialError(address, error))
      }
      const onAbort = (): void => {
        fail(new P2pError('P2P_CANCELLED', 'the dial was cancelled', { cause: signal?.reason }))
      }
      const onConnect = (): void => {
        settle()
        resolve(new SocketLink({ transport: 'tcp', remote: address, socket }))
      }
      socket.on('error', onError)
      socket.on('connect', onConnect)
      signal?.addEventListener('abort', onAbort)
      if (signal?.aborted === true) onAbort()
    })
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const wanted = tcpAddress(address)
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveDelayMs,
    })
    server.on('connection', (socket) => {
      onLink(new SocketLink({ transport: 'tcp', remote: remoteAddress('tcp', socket), socket }))
    })
    return listenOn(server, wanted)
  }
}

/** Binds a server; shared with TLS. */
export async function listenOn(server: Server, wanted: Address): Promise<Listener> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      reject(listenError(wanted, error))
    }
    server.once('error', onError)
    server.listen({ host: wanted.host, port: wanted.port }, () => {
      server.off('error', onError)
      resolve()
    })
  })
  // Errors of single connections (too many open files) must not end the process; the link is lost.
  server.on('error', () => undefined)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : wanted.port
  return {
    ...advertisedAddress({ ...wanted, port }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
      }),
  }
}

function tcpAddress(address: string): Address {
  const parsed = parseAddress(address)
  if (parsed?.transport !== 'tcp') {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no TCP address`)
  }
  return parsed
}
