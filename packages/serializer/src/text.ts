/** UTF-8, strict in both directions: nothing is replaced, a byte order mark is a character. */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const loneSurrogate = /[\ud800-\udfff]/u

/** False for text with half a surrogate pair, which UTF-8 cannot carry. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text)
}

/** UTF-8 bytes of well-formed text (half surrogate pairs become U+FFFD: check first). */
export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The text, or undefined when the bytes are not UTF-8. */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Writes well-formed text at the start of `target`, which has three bytes per UTF-16 unit; returns the byte count. */
export function utf8Write(text: string, target: Uint8Array): number {
  return encoder.encodeInto(text, target).written
}
