/** Frames that are kept: uncompressed, their checksums known to be right. */
import {
  checksumBytes,
  decodeMessage,
  encodeFrame,
  frameHeaderBytes,
  type WireMessage,
} from '@p2p/serializer'

const bodyAt = frameHeaderBytes + checksumBytes
/** What is kept was within the node's own limit when it came. */
const deepest = { maxDepth: 512 }

/**
 * The frame of a message, in memory of its own when it is a small part of the chunk that it came in. A view would keep
 * all of that alive, 64 KiB of TCP or 17 MiB of WebSocket, where limits count the bytes of the frame.
 */
export function frameToKeep(message: WireMessage): Uint8Array {
  const frame = encodeFrame(message)
  return frame.buffer.byteLength > 8 * frame.length + 8_192 ? frame.slice() : frame
}

export function bodyIn(frame: Uint8Array): Uint8Array {
  return frame.subarray(bodyAt)
}

export function messageIn(frame: Uint8Array, lazyPayload = false): WireMessage {
  const sealed = { id: frame.subarray(frameHeaderBytes, bodyAt), body: bodyIn(frame) }
  return decodeMessage(sealed, { limits: deepest, lazyPayload })
}
