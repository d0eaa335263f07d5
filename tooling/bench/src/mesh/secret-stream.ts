/** A flood over the encrypted streams of Hyperswarm: what a program on it would write first. */
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBenchPeers } from '@p2p/foreign'
import { dialsOf, until } from './contender.ts'
import type { MeshContender, OnMessage } from './contender.ts'

interface SecretStream {
  readonly opened: Promise<boolean>
  on(event: 'data', handler: (data: Uint8Array) => void): void
  on(event: 'error', handler: () => void): void
  write(data: Uint8Array): boolean
  destroy(): void
}
type SecretStreamClass = new (isInitiator: boolean, rawStream: Socket) => SecretStream

export async function secretStream(): Promise<MeshContender> {
  const modules = await ensureBenchPeers()
  const require = createRequire(pathToFileURL(join(modules, 'index.js')))
  const Stream = require('@hyperswarm/secret-stream') as SecretStreamClass
  return {
    name: 'secret-stream flood',
    maxNodes: Infinity,
    async open(nodeCount, onMessage) {
      const nodes: FloodNode[] = []
      for (let index = 0; index < nodeCount; index += 1) {
        const node = await FloodNode.open(Stream, index, onMessage)
        for (const dialled of dialsOf(index)) {
          const target = nodes[dialled]
          if (target !== undefined) await node.dial(target)
        }
        nodes.push(node)
      }
      return {
        broadcast: (payload) => nodes[0]?.take(payload.slice(), undefined),
        async close() {
          await Promise.all(nodes.map((node) => node.close()))
        },
      }
    },
  }
}

/** Passes on what it has not seen, to everybody but whom it came from. The payload begins with its number. */
class FloodNode {
  readonly #Stream: SecretStreamClass
  readonly #index: number
  readonly #onMessage: OnMessage
  readonly #server: Server
  readonly #streams = new Set<SecretStream>()
  readonly #seen = new Set<bigint>()

  private constructor(Stream: SecretStreamClass, index: number, onMessage: OnMessage) {
    this.#Stream = Stream
    this.#index = index
    this.#onMessage = onMessage
    this.#server = createServer((socket) => this.#add(false, socket))
  }

  static async open(
    Stream: SecretStreamClass,
    index: number,
    onMessage: OnMessage,
  ): Promise<FloodNode> {
    const node = new FloodNode(Stream, index, onMessage)
    await new Promise<void>((resolve) => node.#server.listen(0, '127.0.0.1', resolve))
    return node
  }

  async dial(target: FloodNode): Promise<void> {
    const { port } = target.#server.address() as AddressInfo
    const before = target.#streams.size
    const stream = this.#add(true, connect(port, '127.0.0.1'))
    await stream.opened
    await until('a secret stream', () => target.#streams.size > before)
  }

  take(payload: Uint8Array, from: SecretStream | undefined): void {
    const number = new DataView(payload.buffer, payload.byteOffset).getBigUint64(0)
    if (this.#seen.has(number)) return
    this.#seen.add(number)
    for (const stream of this.#streams) if (stream !== from) stream.write(payload)
    if (from !== undefined) this.#onMessage(this.#index, payload)
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #add(isInitiator: boolean, socket: Socket): SecretStream {
    socket.setNoDelay(true)
    const stream = new this.#Stream(isInitiator, socket)
    stream.on('error', () => undefined)
    stream.on('data', (data) => this.take(data, stream))
    this.#streams.add(stream)
    return stream
  }
}
