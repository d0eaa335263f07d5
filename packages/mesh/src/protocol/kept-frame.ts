/** The message in a frame that was taken before and is kept: uncompressed, its checksum known to be right. */
import {
  checksumBytes,
  decodeMessage,
  frameHeaderBytes,
  type DecodeMessageOptions,
  type WireMessage,
} from '@p2p/serializer'

const bodyAt = frameHeaderBytes + checksumBytes

export function messageIn(frame: Uint8Array, options?: DecodeMessageOptions): WireMessage {
  return decodeMessage(
    { id: frame.subarray(frameHeaderBytes, bodyAt), body: frame.subarray(bodyAt) },
    options,
  )
}
