/**
 * Connections that a server has accepted but not finished setting up (TLS, HTTP upgrade): they are not
 * links yet, so nobody else counts them. The oldest goes when there are too many, and all of them
 * when the listener closes.
 */
import type { Socket } from 'node:net'

const maxPendingSockets = 256

export class PendingSockets {
  readonly #byKey = new Map<string, Socket>()

  add(socket: Socket): void {
    const key = keyOf(socket)
    this.#byKey.set(key, socket)
    socket.once('close', () => {
      if (this.#byKey.get(key) === socket) this.#byKey.delete(key)
    })
    socket.on('error', () => undefined)
    const [oldest] = this.#byKey.values()
    if (this.#byKey.size > maxPendingSockets) oldest?.destroy()
  }

  /** The connection behind this socket (itself, or what TLS made of it) is a link now. */
  settle(socket: Socket): void {
    this.#byKey.delete(keyOf(socket))
  }

  destroyAll(): void {
    for (const socket of this.#byKey.values()) socket.destroy()
    this.#byKey.clear()
  }
}

/** The same for a TLS socket and the TCP socket below it. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
