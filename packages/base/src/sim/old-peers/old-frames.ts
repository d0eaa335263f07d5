/**
 * Frames as the originals read and write them: compressed whenever a common method exists, however
 * small the frame; read by trying what the *sender* announced and falling back to the raw bytes.
 *
 * Source: spec/wire.md §6.2 and §6.3 (both observed).
 */
import { gunzipSync, gzipSync, inflateSync, deflateSync, unzipSync } from 'node:zlib'
import {
  bytesEqual,
  checksumBytes,
  compressionMethods,
  concatBytes,
  encodeFrame,
  frameHeaderBytes,
  messageFromBody,
} from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'

const { gzip, zlib } = compressionMethods

/** Which of the two originals reads: py2p's zlib also takes gzip, js2p's does not. */
export type OldReader = 'py2p' | 'js2p'

/** One frame, compressed with the first of our methods that the peer announced. */
export function encodeOldFrame(
  message: WireMessage,
  options: { readonly ours: readonly number[]; readonly theirs: readonly number[] },
): Uint8Array {
  const plain = encodeFrame(message)
  const method = options.ours.find((candidate) => options.theirs.includes(candidate))
  if (method !== zlib && method !== gzip) return plain
  const block = plain.subarray(frameHeaderBytes)
  const packed = method === zlib ? deflateSync(block, { level: 1 }) : gzipSync(block, { level: 1 })
  const length = new Uint8Array(frameHeaderBytes)
  new DataView(length.buffer).setUint32(0, packed.length)
  return concatBytes(length, packed)
}

/** The message in a block. Throws when the original would close the link. */
export function decodeOldBlock(
  block: Uint8Array,
  options: { readonly reader: OldReader; readonly theirs: readonly number[] },
): WireMessage {
  const plain = inflate(block, options)
  const id = plain.subarray(0, checksumBytes)
  const message = messageFromBody(plain.subarray(checksumBytes))
  if (!bytesEqual(id, message.id)) throw new Error('checksum')
  return message
}

function inflate(
  block: Uint8Array,
  { reader, theirs }: { readonly reader: OldReader; readonly theirs: readonly number[] },
): Uint8Array {
  for (const method of theirs) {
    const plain = attempt(method, block, reader)
    if (plain !== undefined) return plain
  }
  return block
}

function attempt(method: number, block: Uint8Array, reader: OldReader): Uint8Array | undefined {
  try {
    if (method === zlib) return reader === 'py2p' ? unzipSync(block) : inflateSync(block)
    if (method === gzip) return reader === 'py2p' ? unzipSync(block) : gunzipSync(block)
  } catch {
    return undefined
  }
  return undefined
}
