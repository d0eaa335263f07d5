/** Every operation of a kind of node by its name on the wire. */
import type { Kind } from '../kind-names.ts'
import type { Operation } from '../operation.ts'
import { dictionaryOperations } from './dictionary.ts'
import { hashTableOperations } from './hash-table.ts'
import { lifeOperations } from './life.ts'
import { messageOperations } from './messages.ts'
import { p2pyOperations } from './p2py.ts'
import { peerOperations } from './peers.ts'

/** A dictionary and a hash table have operations of the same names. */
export function operationsOf(kind: Kind): ReadonlyMap<string, Operation> {
  return new Map(
    Object.entries({
      ...lifeOperations,
      ...peerOperations,
      ...messageOperations,
      ...(kind === 'chord' ? hashTableOperations : dictionaryOperations),
      ...p2pyOperations,
    }),
  )
}
