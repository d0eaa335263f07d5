/**
 * Reading UTF-8 under Node: the native slice is about twice as fast as TextDecoder but writes U+FFFD
 * for what is wrong, so a text that holds one is read again by the strict decoder.
 */
import { Buffer } from 'node:buffer'
import { readUtf8Strictly } from '../text.ts'

type Slice = (this: Uint8Array, start: number, end: number) => string
const { utf8Slice, hexSlice } = Buffer.prototype as unknown as {
  readonly utf8Slice: Slice
  readonly hexSlice: Slice
}

/** Text of the bytes from `start` to `end`; undefined when they are not UTF-8. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = utf8Slice.call(bytes, start, end)
  return text.includes('\ufffd') ? readUtf8Strictly(bytes, start, end) : text
}

/** Two hexadecimal digits per byte: a text made of pieces would be a tree of them. */
export function writeHex(bytes: Uint8Array): string {
  return hexSlice.call(bytes, 0, bytes.length)
}
