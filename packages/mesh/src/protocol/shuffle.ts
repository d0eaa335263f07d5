import type { RandomBytes } from '@p2p/base'

/** A copy in random order (Fisher and Yates), drawn from the given bytes. At most 2^16 items stay unbiased. */
export function shuffle<Item>(items: readonly Item[], random: RandomBytes): Item[] {
  const shuffled = [...items]
  const bytes = random(4 * shuffled.length)
  for (let last = shuffled.length - 1; last > 0; last -= 1) {
    const pick = randomIndex(bytes, 4 * last, last + 1)
    const item = shuffled[last]
    const other = shuffled[pick]
    if (item === undefined || other === undefined) continue
    shuffled[last] = other
    shuffled[pick] = item
  }
  return shuffled
}

/** A number from 0 to count - 1, from four random bytes. */
function randomIndex(bytes: Uint8Array, offset: number, count: number): number {
  const word =
    (bytes[offset] ?? 0) * 0x1000000 +
    (bytes[offset + 1] ?? 0) * 0x10000 +
    (bytes[offset + 2] ?? 0) * 0x100 +
    (bytes[offset + 3] ?? 0)
  return Math.floor((word / 0x1_0000_0000) * count)
}
