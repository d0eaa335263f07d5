/** Random moments, so that nodes do not all act at once. */
import type { RandomBytes } from '@p2p/base'

/** A random number from 0 up to, and not including, the bound; one of 65,536. */
export function randomBelow(random: RandomBytes, bound: number): number {
  const [high = 0, low = 0] = random(2)
  return (bound * (256 * high + low)) / 65_536
}
