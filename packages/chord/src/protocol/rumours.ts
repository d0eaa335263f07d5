/**
 * How news go around a large ring. A broadcast each would cost more than everything else there, because
 * something happens every second and links come and go with the questions. So a node passes what is new to it
 * to some of its neighbours, what came within a while in one message; it went around when nobody finds it new,
 * after a handful of passes. Whoever hears nothing is told at the next comparison.
 *
 * Source: Demers et al., Epidemic Algorithms (1987).
 */
import type { RandomBytes } from '@p2p/base'
import { randomBelow } from './random-below.ts'

/** A ring of so many storing nodes is large. */
export const largeRing = 128
/** So many news make a message worth while … */
const manyNews = 16
/** … and are passed on after this time, fewer after that. A ring in which much happens hears the sooner. */
const passOnMs = { many: 2_000, few: 6_000 }
/** To so many neighbours a node passes them: 98 in 100 nodes hear it so. */
const told = 4

/** How long news wait for others, when so many wait. */
export function passOnAfterMs(waiting: number): number {
  return waiting < manyNews ? passOnMs.few : passOnMs.many
}

/**
 * The neighbours to pass something to, of those that understand it. Never fewer when there are more: with as
 * many on average, one in fifty rumours would be told to nobody by the node that begins it.
 */
export function listenersOf<Neighbour>(
  neighbours: readonly Neighbour[],
  random: RandomBytes,
): readonly Neighbour[] {
  const rest = [...neighbours]
  const drawn = Array.from({ length: told }, () => rest.splice(randomBelow(random, rest.length), 1))
  return drawn.flat()
}
