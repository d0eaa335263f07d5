/** Waits for a socket to be usable, whichever comes first: that, an error, the time-out, the signal. */
import type { Socket } from 'node:net'
import { cancelled } from '../cancellation.ts'
import { P2pError } from '../protocol/errors.ts'
import { dialError } from './socket-errors.ts'

export function dialledSocket<Dialled extends Socket>(
  socket: Dialled,
  options: {
    readonly address: string
    /** The event after which the socket is usable. */
    readonly readyEvent: 'connect' | 'secureConnect'
    readonly signal?: AbortSignal | undefined
    readonly timeoutMs: number
  },
): Promise<Dialled> {
  const { address, readyEvent, signal, timeoutMs } = options
  return new Promise<Dialled>((resolve, reject) => {
    const timer = setTimeout(() => {
      fail(new P2pError('P2P_DIAL_TIMEOUT', `no answer from ${address} in ${timeoutMs} ms`))
    }, timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      socket.off('close', onClose)
      socket.off(readyEvent, onReady)
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
    const onClose = (): void => {
      fail(new P2pError('P2P_LINK_CLOSED', `${address} closed the connection at once`))
    }
    const onAbort = (): void => {
      fail(cancelled(signal))
    }
    const onReady = (): void => {
      settle()
      resolve(socket)
    }
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.on(readyEvent, onReady)
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) onAbort()
  })
}
