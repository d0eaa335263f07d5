/**
 * SHA-1 and SHA-2 by Node's one-shot digest: about nine times as fast as JavaScript from a few KiB on.
 *
 * The digest comes back as a binary (latin1) text, one character per byte: making a Buffer costs Node more than
 * hashing a short message.
 */
import { hash } from 'node:crypto'

function digest(algorithm: string, bytes: Uint8Array): Uint8Array {
  const text = hash(algorithm, bytes, 'binary')
  const result = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) result[i] = text.charCodeAt(i)
  return result
}

/** Writes the digest, 32 bytes, into `target` from `offset` on. */
export function writeSha256(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  const text = hash('sha256', bytes, 'binary')
  for (let i = 0; i < 32; i++) target[offset + i] = text.charCodeAt(i)
}

/** True when the digest stands in `source` from `offset` on. */
export function matchesSha256(bytes: Uint8Array, source: Uint8Array, offset: number): boolean {
  const text = hash('sha256', bytes, 'binary')
  for (let i = 0; i < 32; i++) if (source[offset + i] !== text.charCodeAt(i)) return false
  return true
}

/** SHA-1 digest, 20 bytes. For chord positions only: collisions can be made. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return digest('sha1', bytes)
}
/** SHA-224 digest, 28 bytes. */
export function sha224(bytes: Uint8Array): Uint8Array {
  return digest('sha224', bytes)
}
/** SHA-256 digest, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return digest('sha256', bytes)
}
/** SHA-384 digest, 48 bytes. */
export function sha384(bytes: Uint8Array): Uint8Array {
  return digest('sha384', bytes)
}
/** SHA-512 digest, 64 bytes. */
export function sha512(bytes: Uint8Array): Uint8Array {
  return digest('sha512', bytes)
}
