/** The transports that a node in a browser has when none are passed. */
import { BrowserWebSocketTransport } from '../transports/websocket-browser.ts'
import { MemoryTransport } from '../transports/memory.ts'
import type { Transport } from '../transport.ts'

export function createDefaultTransports(): readonly Transport[] {
  return [new BrowserWebSocketTransport(), new MemoryTransport()]
}
