import { createMessage, decodeFrame, encodeFrame } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import type { Contender } from './contender.ts'

/** @p2p/serializer as a node uses it. */
export const ours: Contender = {
  name: 'p2p',
  takes: 'Uint8Array',
  encode: (fields) => encodeFrame(createMessage({ ...fields, payload: fields.payload as Value[] })),
  decode: (frame) => decodeFrame(frame).payload[1],
}
