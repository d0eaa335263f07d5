/**
 * The message with which two of our own nodes steer who sends what. A whisper with a sub-flag that
 * no old program knows, sent only after both hellos named the feature:
 *
 * ```
 *  [0x7040, announced, wanted, pruned, since]
 *  announced  bin   16-byte message ids, end to end: "I have these"
 *  wanted     bin   the same: "send me these, and what follows on their trees"
 *  pruned     bin   the same: "I had this already; announce instead on its tree"
 *  since      uint  "announce what you first saw in the last … seconds", or 0
 * ```
 *
 * Source: spec/capabilities.md, 3.2 (layer B); research/reliability.md, 3.4.
 */
import type { Value } from '@p2p/serializer'
import { shortIdBytes } from './message-key.ts'

export const treeControlSubFlag = 0x7040
/** Named in the hello by nodes that speak this. */
export const treeFeature = 'tree'
/** Ids of one kind in one message; more are refused, and more to send take another message. */
export const maxIdsPerControl = 4_096

/** Each list is ids end to end, `shortIdBytes` of each. */
export interface TreeControl {
  readonly announced: Uint8Array
  readonly wanted: Uint8Array
  readonly pruned: Uint8Array
  readonly sinceSeconds: number
}

export function encodeTreeControl(control: TreeControl): Value[] {
  const { announced, wanted, pruned, sinceSeconds } = control
  return [treeControlSubFlag, announced, wanted, pruned, sinceSeconds]
}

/** Reads the payload of a control message; undefined when it is none. */
export function decodeTreeControl(payload: readonly unknown[]): TreeControl | undefined {
  const [, announced, wanted, pruned, since] = payload
  if (!isIdList(announced) || !isIdList(wanted) || !isIdList(pruned)) return undefined
  const sinceSeconds = typeof since === 'number' && since > 0 ? since : 0
  return { announced, wanted, pruned, sinceSeconds }
}

function isIdList(bytes: unknown): bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array)) return false
  return bytes.length % shortIdBytes === 0 && bytes.length <= shortIdBytes * maxIdsPerControl
}
