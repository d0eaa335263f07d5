/**
 * Byte strings as map keys: a text with one character (0…255) for each byte.
 *
 * Keys and owners of the dictionary are byte strings; py2p writes them as bin, js2p as str, and both
 * mean the same bytes. A Map needs them in one form. For ASCII, which nearly all of them are, this
 * form is the text itself, so nothing is converted on the usual path; comparing two of them compares
 * their bytes.
 */
import { utf8Decode, utf8Encode } from '@p2p/serializer'

declare const byteText: unique symbol

/** A text whose characters are the bytes of a byte string. */
export type ByteText = string & { readonly [byteText]: true }

const beyondAscii = /[^\0-\x7f]/

/** The UTF-8 bytes of a text. */
export function textToByteText(text: string): ByteText {
  return beyondAscii.test(text) ? bytesToByteText(utf8Encode(text)) : (text as ByteText)
}

/** Up to here one call with all characters is faster than the platform's decoder. */
const shortBytes = 64

export function bytesToByteText(bytes: Uint8Array): ByteText {
  return readByteText(bytes, 0, bytes.length)
}

/** The bytes from `start` to `end`. */
export function readByteText(bytes: Uint8Array, start: number, end: number): ByteText {
  if (end - start <= shortBytes) return charactersOf(bytes, start, end) as ByteText
  const long = bytes.subarray(start, end)
  // UTF-8 of ASCII is ASCII, and the platform's decoder is much faster than a loop.
  if (isAscii(long)) return utf8Decode(long) as ByteText
  let text = ''
  for (let at = start; at < end; at += shortBytes) {
    text += charactersOf(bytes, at, Math.min(at + shortBytes, end))
  }
  return text as ByteText
}

/** Used within one call only; an array of this kind is what `apply` takes without converting it. */
const codes: number[] = []

/** One character for each byte. */
function charactersOf(bytes: Uint8Array, start: number, end: number): string {
  codes.length = end - start
  for (let at = start; at < end; at++) codes[at - start] = bytes[at] ?? 0
  return String.fromCharCode.apply(undefined, codes)
}

export function byteTextToBytes(text: ByteText): Uint8Array {
  const bytes = new Uint8Array(text.length)
  writeByteText(text, bytes, 0)
  return bytes
}

/** Writes the bytes at an offset of `target`, which has room for them; returns the offset behind them. */
export function writeByteText(text: ByteText, target: Uint8Array, offset: number): number {
  for (let i = 0; i < text.length; i++) target[offset + i] = text.charCodeAt(i)
  return offset + text.length
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0) > 0x7f) return false
  return true
}

/** The text behind UTF-8 bytes; the bytes themselves when they are not UTF-8. */
export function byteTextToText(text: ByteText): string | Uint8Array {
  if (!beyondAscii.test(text)) return text
  const bytes = byteTextToBytes(text)
  return utf8Decode(bytes) ?? bytes
}

/** Whatever stands for a byte string in a message or in a call; undefined for anything else. */
export function toByteText(value: unknown): ByteText | undefined {
  if (typeof value === 'string') return textToByteText(value)
  return value instanceof Uint8Array ? bytesToByteText(value) : undefined
}

/** Order of the bytes, shorter first when one begins with the other. */
export function compareByteText(a: ByteText, b: ByteText): number {
  return a < b ? -1 : a > b ? 1 : 0
}
