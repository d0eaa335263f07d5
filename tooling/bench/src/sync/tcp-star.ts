/** A hub and its spokes over loopback TCP, with length-prefixed frames: what the others are given as a network. */
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export class TcpStar {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #spokes = new Set<Socket>()
  #onSpoke: (send: (frame: Uint8Array) => void) => void = () => undefined

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      socket.setNoDelay(true)
      this.#keep(socket)
      this.#spokes.add(socket)
      this.#onSpoke((frame) => write(socket, frame))
    })
  }

  static async open(): Promise<TcpStar> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TcpStar(server)
  }

  /** Called with a way to reach each spoke that connects. */
  onSpoke(handler: (send: (frame: Uint8Array) => void) => void): void {
    this.#onSpoke = handler
  }

  /** Sends a frame from the hub to all spokes. */
  broadcast(frame: Uint8Array): void {
    for (const socket of this.#spokes) write(socket, frame)
  }

  /** Connects a spoke; its frames from the hub come to `onFrame`. */
  async connect(onFrame: (frame: Uint8Array) => void): Promise<void> {
    const { port } = this.#server.address() as AddressInfo
    const before = this.#spokes.size
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    this.#keep(socket)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let offset = 0
      while (rest.length - offset >= 4 && rest.length - offset - 4 >= rest.readUInt32BE(offset)) {
        const length = rest.readUInt32BE(offset)
        onFrame(rest.subarray(offset + 4, offset + 4 + length))
        offset += 4 + length
      }
      rest = rest.subarray(offset)
    })
    while (this.#spokes.size === before) await new Promise((resolve) => setImmediate(resolve))
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
  }
}

function write(socket: Socket, frame: Uint8Array): void {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(frame.length)
  // One write for all frames of a turn of the event loop.
  if (socket.writableCorked === 0) {
    socket.cork()
    setImmediate(() => socket.uncork())
  }
  socket.write(header)
  socket.write(frame)
}
