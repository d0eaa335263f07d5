/** Sums over all links of a node, those that are gone included. */
import type { Connection } from './connection.ts'
import type { P2pError } from './errors.ts'
import type { PeersCounters } from './peers-contract.ts'

type Summed = Pick<PeersCounters, 'bytesIn' | 'bytesOut' | 'ignoredMessages' | 'withheldAnswers'>

const nothing: Summed = { bytesIn: 0, bytesOut: 0, ignoredMessages: 0, withheldAnswers: 0 }

export class LinkTotals {
  #past: Summed = nothing
  readonly #closedByCode = new Map<string, number>()

  onGone(connection: Connection, reason: P2pError): void {
    this.#past = plus(this.#past, connection)
    this.#closedByCode.set(reason.code, (this.#closedByCode.get(reason.code) ?? 0) + 1)
  }

  with(connections: Iterable<Connection>): Summed & Pick<PeersCounters, 'closedByCode'> {
    let sum = this.#past
    for (const connection of connections) sum = plus(sum, connection)
    return { ...sum, closedByCode: Object.fromEntries(this.#closedByCode) }
  }
}

function plus(a: Summed, b: Summed): Summed {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    ignoredMessages: a.ignoredMessages + b.ignoredMessages,
    withheldAnswers: a.withheldAnswers + b.withheldAnswers,
  }
}
