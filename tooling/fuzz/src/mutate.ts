/** Small damage of the kinds that find bugs in parsers. */
import type { Random } from './random.ts'

const telling = [0x00, 0x01, 0x7f, 0x80, 0x90, 0xc1, 0xc4, 0xc6, 0xd9, 0xdb, 0xdd, 0xdf, 0xfe, 0xff]

/** The bytes with one to four changes: bytes flipped, replaced, cut out, repeated, or the end lost. */
export function mutate(original: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = original.slice()
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes--) {
    bytes = mutateOnce(bytes, random)
  }
  return bytes
}

function mutateOnce(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length)
  const end = Math.min(bytes.length, at + 1 + random.below(8))
  switch (random.below(6)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return bytes
    case 1:
      bytes[at] = random.pick(telling)
      return bytes
    case 2:
      bytes.set(random.bytes(end - at), at)
      return bytes
    case 3:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)])
    case 4:
      return Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)])
    default:
      return bytes.subarray(0, at)
  }
}
