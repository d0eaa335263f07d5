/** Lets a server of Node listen, for every transport that stands on one. */
import type { Server } from 'node:net'
import type { Address } from '../protocol/address.ts'
import type { Listener } from '../transport.ts'
import { advertisedAddress } from './advertised-address.ts'
import type { PendingSockets } from './pending-sockets.ts'
import { listenError } from './socket-errors.ts'

/** Rejects with a P2pError such as P2P_ADDRESS_IN_USE. */
export async function bindServer(
  server: Server,
  wanted: Address,
  pending?: PendingSockets,
): Promise<Listener> {
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
        pending?.destroyAll()
      }),
  }
}
