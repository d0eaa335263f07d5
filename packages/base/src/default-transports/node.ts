/** The transports that a node in Node.js has when none are passed. */
import { LazyTransport } from '../transports/lazy.ts'
import { MemoryTransport } from '../transports/memory.ts'
import { TcpTransport } from '../transports/tcp.ts'
import type { Transport } from '../transport.ts'

export function createDefaultTransports(): readonly Transport[] {
  return [
    new TcpTransport(),
    new MemoryTransport(),
    new LazyTransport(['tls'], async () => {
      const { TlsTransport } = await import('../transports/tls.ts')
      return new TlsTransport()
    }),
    new LazyTransport(['ws', 'wss'], async () => {
      const { WebSocketTransport } = await import('../transports/websocket.ts')
      return new WebSocketTransport()
    }),
  ]
}
