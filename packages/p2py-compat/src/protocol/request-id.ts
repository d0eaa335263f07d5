// Ids of requests: six characters A–Z and 0–9, as p2py draws them (spec p2py, 3).
import type { RandomBytes } from '@p2p/base'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const idLength = 6
/** Bytes from here on are thrown away, so that all characters are equally likely. */
const fairBytes = 256 - (256 % alphabet.length)

export function createRequestId(randomBytes: RandomBytes): string {
  let id = ''
  while (id.length < idLength) {
    for (const byte of randomBytes(idLength)) {
      if (byte < fairBytes && id.length < idLength) id += alphabet.charAt(byte % alphabet.length)
    }
  }
  return id
}
