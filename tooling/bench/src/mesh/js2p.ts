/** The original: js2p's own mesh sockets. */
import { freePort } from '../free-port.ts'
import { loadJs2p } from '../js2p.ts'
import { until } from './contender.ts'
import type { MeshContender } from './contender.ts'

interface Message {
  readonly packets: readonly unknown[]
}
interface MeshSocket {
  readonly routing_table: { readonly size: number }
  on(event: 'message', handler: () => void): void
  recv(): Message | undefined
  send(packets: readonly unknown[]): void
  connect(host: string, port: number): unknown
  close(): void
}
interface Sockets {
  readonly mesh: {
    readonly MeshSocket: new (host: string, port: number, protocol: object) => MeshSocket
  }
}

export async function js2p(): Promise<MeshContender> {
  const library = await loadJs2p<Sockets>()
  return {
    name: 'js2p',
    maxNodes: 20,
    async open(nodeCount, onMessage) {
      const protocol = new library.base.Protocol('bench', 'Plaintext')
      const firstPort = await freePort()
      const first = new library.mesh.MeshSocket('127.0.0.1', firstPort, protocol)
      const sockets = [first]
      while (sockets.length < nodeCount) {
        const index = sockets.length
        const socket = new library.mesh.MeshSocket('127.0.0.1', await freePort(), protocol)
        socket.on('message', () => {
          for (let next = socket.recv(); next !== undefined; next = socket.recv()) {
            const [, payload] = next.packets
            if (payload instanceof Uint8Array) onMessage(index, payload)
          }
        })
        socket.connect('127.0.0.1', firstPort)
        sockets.push(socket)
        await until('a js2p link', () => socket.routing_table.size > 0)
      }
      await until('js2p links', () => first.routing_table.size >= nodeCount - 1)
      return {
        broadcast: (payload) => first.send([Buffer.from(payload)]),
        async close() {
          for (const socket of sockets) socket.close()
          await Promise.resolve()
        },
      }
    },
  }
}
