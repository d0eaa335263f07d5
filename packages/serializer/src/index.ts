export {
  decodeBase58Integer,
  encodeBase58Integer,
  bytesToInteger,
  integerToBytes,
} from './base58.ts'
export { bytesEqual, compareBytes, concatBytes, fromHex, toHex } from './bytes.ts'
export { decodableMethods, looksCompressed } from './compression.ts'
export type { Inflater, InflateResult } from './compression.ts'
export { DecodeError, EncodeError } from './errors.ts'
export type { DecodeErrorCode, EncodeErrorCode, ErrorFacts } from './errors.ts'
export { compressionMethods, flags } from './flags.ts'
export { FrameSplitter } from './frame-splitter.ts'
export { decodeFrame, encodeFrame, openFrame } from './frame.ts'
export type { DecodeFrameOptions } from './frame.ts'
export { idText, networkId, nodeId, protocolVersion, sameId } from './ids.ts'
export { defaultLimits } from './limits.ts'
export type { Limits } from './limits.ts'
export {
  checksumBytes,
  createMessage,
  decodeMessage,
  frameHeaderBytes,
  messageFromBody,
  wholeNumber,
} from './message.ts'
export type { DecodeMessageOptions, SealedBody, WireMessage } from './message.ts'
export { decodeValue } from './msgpack/decode.ts'
export type { DecodeOptions } from './msgpack/decode.ts'
export { encodeValue } from './msgpack/encode.ts'
export { intersect, negotiate, offeredMethods } from './negotiate.ts'
export { utf8Decode, utf8Encode } from './text.ts'
export { Extension, Float } from './value.ts'
export type { Value } from './value.ts'
export { sha1, sha224, sha256, sha384, sha512 } from '#digest'
