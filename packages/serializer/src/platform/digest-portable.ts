/** SHA-1 and SHA-2 in JavaScript, for everything that is not Node. Same functions as digest-node.ts. */
import { sha1 as nobleSha1 } from '@noble/hashes/legacy.js'
import {
  sha224 as nobleSha224,
  sha256 as nobleSha256,
  sha384 as nobleSha384,
  sha512 as nobleSha512,
} from '@noble/hashes/sha2.js'

/** Writes the digest, 32 bytes, into `target` from `offset` on. */
export function writeSha256(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  target.set(nobleSha256(bytes), offset)
}

/** True when the digest stands in `source` from `offset` on. */
export function matchesSha256(bytes: Uint8Array, source: Uint8Array, offset: number): boolean {
  const digest = nobleSha256(bytes)
  for (let i = 0; i < 32; i++) if (source[offset + i] !== digest[i]) return false
  return true
}

/** SHA-1 digest, 20 bytes. For chord positions only: collisions can be made. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return nobleSha1(bytes)
}
/** SHA-224 digest, 28 bytes. */
export function sha224(bytes: Uint8Array): Uint8Array {
  return nobleSha224(bytes)
}
/** SHA-256 digest, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes)
}
/** SHA-384 digest, 48 bytes. */
export function sha384(bytes: Uint8Array): Uint8Array {
  return nobleSha384(bytes)
}
/** SHA-512 digest, 64 bytes. */
export function sha512(bytes: Uint8Array): Uint8Array {
  return nobleSha512(bytes)
}
