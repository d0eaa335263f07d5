/** Neighbours, keys and messages for the tests of dissemination. */
import type { Now, Peer, PeerKind } from '@p2p/base'
import {
  createMessage,
  decodeFrame,
  encodeFrame,
  type Value,
  type WireMessage,
} from '@p2p/serializer'
import { messageKey, shortIdBytes, type MessageKey } from '../src/protocol/message-key.ts'
import { treeFeature } from '../src/protocol/tree-control.ts'
import type { TreeNeighbour } from '../src/protocol/tree-dissemination.ts'

export const at = (monoMs: number): Now => ({ monoMs, utcSeconds: 1_500_000_000 + monoMs / 1_000 })

/** A peer that steers with us when it is ours, and floods when it is not. */
export function meshPeer(id: string, kind: PeerKind = 'ours'): Peer {
  return {
    id,
    link: 1,
    transport: 'tcp',
    kind,
    outgoing: true,
    address: undefined,
    addresses: [],
    supports: (feature) => kind === 'ours' && feature === treeFeature,
  }
}

let lastPlace = 0
export function treeNeighbour(id: string, more: Partial<TreeNeighbour> = {}): TreeNeighbour {
  lastPlace += 1
  return {
    peer: meshPeer(id),
    place: lastPlace,
    announceFrom: Infinity,
    wanted: [],
    hasCaughtUp: true,
    penalty: 0,
    lot: 0,
    ...more,
  }
}

export function broadcastOf(sender: string, ...payload: readonly Value[]): WireMessage {
  return createMessage({ type: 0, sender, time: 1_500_000_000, payload: [0, ...payload] })
}

/** A message as it comes off a link, in the middle of a chunk. */
export function inChunk(message: WireMessage, chunkBytes = 65_536): WireMessage {
  const frame = encodeFrame(message)
  const chunk = new Uint8Array(chunkBytes)
  chunk.set(frame, 1)
  return decodeFrame(chunk.subarray(1, 1 + frame.length))
}

/** The ids of messages as control messages name them. */
export function idsOf(...messages: readonly WireMessage[]): Uint8Array {
  return Uint8Array.from(messages.flatMap(({ id }) => [...id.subarray(0, shortIdBytes)]))
}

export function key(number: number): MessageKey {
  return messageKey(broadcastOf('somebody', number).id)
}
