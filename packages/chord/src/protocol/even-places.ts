/**
 * How evenly places on the ring share the load, and which place would share it better. A node may choose how far
 * ahead of its id it stands (`shiftedPosition`), so it can try some places and take the best. That does the work of
 * virtual nodes without theirs.
 *
 * A node holds what lies between its own place and the place of the node number r ahead of it. One number
 * tells how even a ring is: the sum of the eighth powers of these shares, in which those that hold most
 * count for nearly everything. A newcomer takes the place that adds least to it, and a node moves where it adds less.
 *
 * Places are fractions of the ring (`fractionOf`).
 *
 * Source: the power of several choices on rings (Byers, Considine, Mitzenmacher 2003); that light nodes
 * move to where the load is, after Karger and Ruhl (2004).
 */
import type { StoringNodes } from './storing-nodes.ts'

const power = 8

/** Places in ring order, each at least 0 and below 1. */
export type Places = readonly number[]

/** `except`: a node that is left out. */
export function placesOf(nodes: StoringNodes, except?: string): Places {
  const ids = [...nodes.values()].map(({ id }) => id)
  return nodes.fractions.filter((_, index) => ids[index] !== except)
}

/** The load of the node with most, over the mean; 1 where everybody holds everything. */
export function mostToMean(places: Places, replicas: number): number {
  const most = places.reduce((so, _, index) => Math.max(so, share(places, index, replicas)), 0)
  return places.length === 0 ? 1 : (most * places.length) / Math.min(replicas, places.length)
}

/** What a newcomer at this place adds to the unevenness of the ring. */
export function costOfAdding(places: Places, place: number, replicas: number): number {
  const ahead = countUpTo(places, place)
  const at = (index: number): number => places[(index + places.length) % places.length] ?? 0
  let cost = weight(place, at(ahead + replicas - 1))
  for (let steps = 1; steps <= replicas; steps += 1) {
    const from = at(ahead - steps)
    const end = ahead + replicas - steps
    cost += weight(from, end === ahead ? place : at(end - 1)) - weight(from, at(end))
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

/** The part of the ring that the node of this index holds. */
export function share(places: Places, index: number, replicas: number): number {
  const size = places.length
  return size <= replicas ? 1 : distance(places[index] ?? 0, places[(index + replicas) % size] ?? 0)
}

/** Clockwise; once around to the same place. */
function distance(from: number, to: number): number {
  const length = to - from
  return length > 0 ? length : length + 1
}

function weight(from: number, to: number): number {
  return distance(from, to) ** power
}
