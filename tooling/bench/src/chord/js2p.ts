/** The original: js2p's own chord sockets, of which four hold together (spec/chord.md §8). */
import { freePort } from '../free-port.ts'
import { loadJs2p } from '../js2p.ts'
import { until } from '../mesh/contender.ts'
import type { TableContender } from './contender.ts'

interface ChordSocket {
  connect(host: string, port: number): unknown
  join(): void
  set(key: string, value: string): void
  get(key: string): Promise<string>
  close(): void
  readonly data_storing: Iterable<unknown>
  readonly routing_table: { readonly size: number }
}
interface Sockets {
  readonly chord: {
    readonly ChordSocket: new (host: string, port: number, protocol: object) => ChordSocket
  }
}

export async function js2p(): Promise<TableContender> {
  const library = await loadJs2p<Sockets>()
  return {
    name: 'js2p',
    maxNodes: 2,
    operations: 20,
    async open(nodeCount) {
      const protocol = new library.base.Protocol('bench', 'Plaintext')
      const port = await freePort()
      const sockets = [new library.chord.ChordSocket('127.0.0.1', port, protocol)]
      while (sockets.length < nodeCount) {
        const socket = new library.chord.ChordSocket('127.0.0.1', await freePort(), protocol)
        sockets.push(socket)
        socket.connect('127.0.0.1', port)
        await until('a js2p link', () => socket.routing_table.size > 0)
      }
      for (const socket of sockets) {
        socket.join()
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      return {
        async put(node, key, value) {
          sockets[node]?.set(key, value)
          // It acknowledges nothing: what counts is that it can be read.
          for (;;) {
            const found = await sockets[node]?.get(key).catch(() => undefined)
            if (found?.toString() === value) return key
          }
        },
        async get(node, key) {
          return (await sockets[node]?.get(key as string))?.toString()
        },
        join: undefined,
        async close() {
          for (const socket of sockets) socket.close()
          await Promise.resolve()
        },
      }
    },
  }
}
