/**
 * The limit: plain 0.7 frames from one node straight to each other one over TCP, those of one turn of
 * the event loop in one write; built, split, verified and decoded by our serializer, and nothing else.
 */
import { createMessage, decodeFrame, encodeFrame, flags, FrameSplitter } from '@p2p/serializer'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { until } from './contender.ts'
import type { MeshContender } from './contender.ts'

const sender = 'a'.repeat(66)

export const rawFrames: MeshContender = {
  name: 'limit',
  maxNodes: Infinity,
  async open(nodeCount, onMessage) {
    const receivers: Socket[] = []
    const server = createServer((socket) => {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      receivers.push(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const sockets: Socket[] = []
    while (sockets.length < nodeCount - 1)
      sockets.push(receive(port, sockets.length + 1, onMessage))
    await until('raw links', () => receivers.length === nodeCount - 1)
    return {
      broadcast(payload) {
        const time = Math.floor(Date.now() / 1_000)
        const message = createMessage({
          type: flags.broadcast,
          sender,
          time,
          payload: [flags.broadcast, payload],
        })
        const frame = encodeFrame(message)
        for (const socket of receivers) {
          if (socket.writableCorked === 0) {
            socket.cork()
            setImmediate(() => socket.uncork())
          }
          socket.write(frame)
        }
      },
      async close() {
        for (const socket of [...sockets, ...receivers]) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
}

function receive(
  port: number,
  index: number,
  onMessage: (node: number, payload: Uint8Array) => void,
): Socket {
  const socket = connect(port, '127.0.0.1')
  const splitter = new FrameSplitter()
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    for (const frame of splitter.push(chunk)) {
      const [, payload] = decodeFrame(frame).payload
      if (payload instanceof Uint8Array) onMessage(index, payload)
    }
  })
  return socket
}
