/** UTF-8, strict in both directions: nothing is replaced, a byte order mark is a character. */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const loneSurrogate = /[\ud800-\udfff]/u

/** False for text with half a surrogate pair, which UTF-8 cannot carry. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text)
}

/** UTF-8 bytes of well-formed text; half surrogate pairs become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The text, or undefined when the bytes are not UTF-8. */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  return readUtf8Strictly(bytes, 0, bytes.length)
}

/** Text of the bytes from `start` to `end`; undefined when they are not UTF-8. */
export function readUtf8Strictly(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/**
 * Writes as much of well-formed text as fits before `end`, which is counted from the end of `target` when it is
 * negative; `read` counts UTF-16 units, `written` bytes.
 */
export function writeUtf8(
  text: string,
  target: Uint8Array,
  start: number,
  end: number,
): { read: number; written: number } {
  return encoder.encodeInto(text, target.subarray(start, end))
}
