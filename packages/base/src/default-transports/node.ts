/** The transports that a node in Node.js has when none are passed. */
import { MemoryTransport } from '../transports/memory.ts'
import { TcpTransport } from '../transports/tcp.ts'
import type { Transport } from '../transport.ts'

export function createDefaultTransports(): readonly Transport[] {
  return [new TcpTransport(), new MemoryTransport()]
}
