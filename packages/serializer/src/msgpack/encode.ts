/**
 * msgpack writing, byte for byte as u-msgpack 2.3 (py2p) writes the same values: the shortest form of
 * every integer, text, byte string and container, float64 for every other number.
 *
 * Source: the msgpack specification; spec/wire.md §2.1 for what the originals choose.
 */
import type { Value } from '../value.ts'
import { Writer } from './writer.ts'

/**
 * The value as msgpack.
 *
 * @throws EncodeError `P2P_ENCODE_…` for what this wire cannot carry: undefined, functions, class
 *   instances, integers outside 64 bits, half surrogate pairs, equal keys, more than 64 levels
 * @example encodeValue({ port: 4444 }) // 81 a4706f7274 cd115c
 */
export function encodeValue(value: Value): Uint8Array {
  return writeWith((writer) => {
    writer.begin(0)
    writer.value(value)
    return writer.finish()
  })
}

let idle: Writer | undefined

/**
 * Runs with a writer of its own. The one that is kept for next time is taken away meanwhile, because a
 * getter or proxy inside a value may encode something too.
 */
export function writeWith(write: (writer: Writer) => Uint8Array): Uint8Array {
  const writer = idle ?? new Writer()
  idle = undefined
  try {
    return write(writer)
  } finally {
    idle = writer
  }
}
