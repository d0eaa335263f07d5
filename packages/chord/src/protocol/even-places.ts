/**
 * How evenly places on the ring share the load, and which place would share it better. A node's place is a
 * hash over a salt that the node may choose (`saltedPosition`), so it can try some and take the best. That
 * does the work of virtual nodes without theirs.
 *
 * A node holds what lies between its own place and the place of the node number r ahead of it. One number
 * tells how even a ring is: the sum of the eighth powers of these shares, in which those that hold most
 * count for nearly everything. A newcomer takes the place that adds least to it; and a node that adds much
 * where others are dense goes to where they are not.
 *
 * Places are fractions of the ring: 52 of its 384 bits, which tell thousands of nodes apart.
 *
 * Source: the power of several choices on rings (Byers, Considine, Mitzenmacher 2003); that light nodes
 * move to where the load is, after Karger and Ruhl (2004).
 */
import { ringBits } from './ring.ts'
import type { Position } from './ring.ts'
import type { StoringNodes } from './storing-nodes.ts'

const fractionBits = 52

/** Places in ring order, each at least 0 and below 1. */
export type Places = readonly number[]

export function fractionOf(position: Position): number {
  return Number(position >> BigInt(ringBits - fractionBits)) / 2 ** fractionBits
}

export function placesOf(nodes: StoringNodes): Places {
  return [...nodes.values()].map(({ position }) => fractionOf(position))
}

/** The load of the node with most, over the mean; 1 where everybody holds everything. */
export function mostToMean(places: Places, replicas: number): number {
  const most = places.reduce((so, _, index) => Math.max(so, share(places, index, replicas)), 0)
  return places.length === 0 ? 1 : (most * places.length) / Math.min(replicas, places.length)
}

/** How many hold more than so many times the mean. */
export function countAbove(places: Places, replicas: number, timesMean: number): number {
  const most = (timesMean * replicas) / places.length
  return places.filter((_, index) => share(places, index, replicas) > most).length
}

/** What a newcomer at this place adds to the unevenness of the ring. */
export function costOfAdding(places: Places, place: number, replicas: number): number {
  const size = places.length
  if (size < replicas) return 0
  const mean = replicas / size
  const index = countUpTo(places, place)
  /** The place so many steps ahead of the newcomer, with the newcomer on the ring. */
  const there = (steps: number): number =>
    steps === 0 ? place : (places[(index + steps - (steps > 0 ? 1 : 0) + size) % size] ?? 0)
  let cost = weight(distance(place, there(replicas)) / mean)
  for (let steps = 1; steps <= replicas; steps += 1) {
    const from = there(-steps)
    cost += weight(distance(from, there(replicas - steps)) / mean)
    cost -= weight(distance(from, there(replicas - steps + 1)) / mean)
  }
  return cost
}

/** What the ring gains or loses when the node of this index goes, on the same scale. */
export function costOfRemoving(places: Places, index: number, replicas: number): number {
  const size = places.length
  const mean = replicas / size
  const there = (steps: number): number => places[(index + steps + size) % size] ?? 0
  let cost = -weight(share(places, index, replicas) / mean)
  for (let steps = 1; steps <= replicas; steps += 1) {
    const from = there(-steps)
    cost += weight(distance(from, there(replicas - steps + 1)) / mean)
    cost -= weight(distance(from, there(replicas - steps)) / mean)
  }
  return cost
}

/** How many stand at or behind the place, counted from 0. */
function countUpTo(places: Places, place: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((places[middle] ?? 1) <= place) low = middle + 1
    else high = middle
  }
  return low
}

function share(places: Places, index: number, replicas: number): number {
  const size = places.length
  return size <= replicas ? 1 : distance(places[index] ?? 0, places[(index + replicas) % size] ?? 0)
}

/** Clockwise; once around to the same place. */
function distance(from: number, to: number): number {
  const length = to - from
  return length > 0 ? length : length + 1
}

/** The eighth power. */
function weight(timesMean: number): number {
  const squared = timesMean * timesMean
  return squared * squared * squared * squared
}
