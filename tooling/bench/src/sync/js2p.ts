/** The original: js2p's own sync sockets. */
import { freePort } from '../free-port.ts'
import { loadJs2p } from '../js2p.ts'
import { until } from './contender.ts'
import type { DictionaryContender } from './contender.ts'

interface SyncSocket {
  on(event: 'update', handler: () => void): void
  set(key: string, value: string): void
  connect(host: string, port: number): unknown
  close(): void
  readonly routing_table: { readonly size: number }
}
interface Sockets {
  readonly sync: {
    readonly SyncSocket: new (
      host: string,
      port: number,
      protocol: object,
      leasing: boolean,
    ) => SyncSocket
  }
}

export async function js2p(): Promise<DictionaryContender> {
  const library = await loadJs2p<Sockets>()
  return {
    name: 'js2p',
    maxDeliveries: 5_000,
    async open(nodeCount) {
      const port = await freePort()
      const protocol = new library.base.Protocol('bench', 'Plaintext')
      const create = (at: number): SyncSocket =>
        new library.sync.SyncSocket('127.0.0.1', at, protocol, true)
      const first = create(port)
      const others: { readonly socket: SyncSocket; updates: number }[] = []
      while (others.length < nodeCount - 1) {
        const other = { socket: create(await freePort()), updates: 0 }
        other.socket.on('update', () => {
          other.updates += 1
        })
        other.socket.connect('127.0.0.1', port)
        others.push(other)
        await until(() => other.socket.routing_table.size > 0)
      }
      await until(() => first.routing_table.size >= others.length)
      let written = 0
      return {
        async spread(keys, value) {
          for (const [index, key] of keys.entries()) {
            first.set(key, value(key))
            if (index % 250 === 0) await new Promise((resolve) => setImmediate(resolve))
          }
          written += keys.length
          await until(() => others.every(({ updates }) => updates >= written))
        },
        join: undefined,
        async close() {
          for (const { socket } of [{ socket: first }, ...others]) socket.close()
          await Promise.resolve()
        },
      }
    },
  }
}
