/** SHA-1 and SHA-2 in JavaScript, for everything that is not Node. */
import { sha1 as nobleSha1 } from '@noble/hashes/legacy.js'
import {
  sha224 as nobleSha224,
  sha256 as nobleSha256,
  sha384 as nobleSha384,
  sha512 as nobleSha512,
} from '@noble/hashes/sha2.js'

export function sha1(bytes: Uint8Array): Uint8Array {
  return nobleSha1(bytes)
}
export function sha224(bytes: Uint8Array): Uint8Array {
  return nobleSha224(bytes)
}
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes)
}
export function sha384(bytes: Uint8Array): Uint8Array {
  return nobleSha384(bytes)
}
export function sha512(bytes: Uint8Array): Uint8Array {
  return nobleSha512(bytes)
}
