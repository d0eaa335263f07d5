// Chance that a seed decides, for the measurements of this folder.

/** mulberry32: 32 random bits per call. */
export function seededRandom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** A place on the ring of 2^384. */
export function randomPosition(random) {
  let hex = '0x'
  for (let word = 0; word < 12; word += 1) hex += random().toString(16).padStart(8, '0')
  return BigInt(hex)
}
