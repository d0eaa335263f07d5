/**
 * The transports that a node in a browser has when none are passed. Links in memory join the nodes of
 * tests; whoever wants them there passes `MemoryTransport` as well.
 */
import { BrowserWebSocketTransport } from '../transports/websocket-browser.ts'
import type { Transport } from '../transport.ts'

export function createDefaultTransports(): readonly Transport[] {
  return [new BrowserWebSocketTransport()]
}
