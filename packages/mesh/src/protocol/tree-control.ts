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
import { messageKey, shortIdBytes, writeMessageKey, type MessageKey } from './message-key.ts'

export const treeControlSubFlag = 0x7040
/** Named in the hello by nodes that speak this. */
export const treeFeature = 'tree'
/** Ids of one kind in one message; more are refused, and more to send take another message. */
export const maxIdsPerControl = 4_096

export interface TreeControl {
  readonly announced: readonly MessageKey[]
  readonly wanted: readonly MessageKey[]
  readonly pruned: readonly MessageKey[]
  readonly sinceSeconds: number
}

export function encodeTreeControl(control: TreeControl): Value[] {
  return [
    treeControlSubFlag,
    joinKeys(control.announced),
    joinKeys(control.wanted),
    joinKeys(control.pruned),
    control.sinceSeconds,
  ]
}

/** Reads the payload of a control message; undefined when it is none. */
export function decodeTreeControl(payload: readonly unknown[]): TreeControl | undefined {
  const [, announcedBytes, wantedBytes, prunedBytes, since] = payload
  const announced = splitKeys(announcedBytes)
  const wanted = splitKeys(wantedBytes)
  const pruned = splitKeys(prunedBytes)
  if (announced === undefined || wanted === undefined || pruned === undefined) return undefined
  const sinceSeconds = typeof since === 'number' && since > 0 ? since : 0
  return { announced, wanted, pruned, sinceSeconds }
}

function joinKeys(keys: readonly MessageKey[]): Uint8Array {
  const bytes = new Uint8Array(shortIdBytes * keys.length)
  let offset = 0
  for (const key of keys) {
    writeMessageKey(key, bytes, offset)
    offset += shortIdBytes
  }
  return bytes
}

function splitKeys(bytes: unknown): MessageKey[] | undefined {
  if (!(bytes instanceof Uint8Array)) return undefined
  if (bytes.length % shortIdBytes !== 0) return undefined
  if (bytes.length > shortIdBytes * maxIdsPerControl) return undefined
  const keys: MessageKey[] = []
  for (let offset = 0; offset < bytes.length; offset += shortIdBytes) {
    keys.push(messageKey(bytes, offset))
  }
  return keys
}
