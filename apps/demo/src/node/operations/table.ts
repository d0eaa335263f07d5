/** Every operation by its name on the wire. */
import type { Operation } from '../operation.ts'
import { dictionaryOperations } from './dictionary.ts'
import { lifeOperations } from './life.ts'
import { messageOperations } from './messages.ts'
import { p2pyOperations } from './p2py.ts'
import { peerOperations } from './peers.ts'

export const operations: ReadonlyMap<string, Operation> = new Map(
  Object.entries({
    ...lifeOperations,
    ...peerOperations,
    ...messageOperations,
    ...dictionaryOperations,
    ...p2pyOperations,
  }),
)
