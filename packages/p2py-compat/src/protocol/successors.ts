/**
 * Whom a node wants in its peer book.
 *
 * p2py: every x − 2^i and x + 2^i inside the network. We add the next living UUID below and above,
 * because UUIDs of the departed leave gaps: with these two links a search that always goes to the
 * neighbour nearest to its goal never gets stuck between our nodes. The rule is symmetric: when we
 * want somebody, he wants us.
 *
 * Source: spec p2py, 4.1; p2py 0.23 p2p.py, get_successors.
 */

/** p2py's set for a network of UUIDs below `networkSize`, in ascending order. */
export function successorsOf(uuid: number, networkSize: number): readonly number[] {
  const below: number[] = []
  const above: number[] = []
  for (let step = 1; uuid - step >= 0; step *= 2) below.unshift(uuid - step)
  for (let step = 1; uuid + step < networkSize; step *= 2) above.push(uuid + step)
  return [...below, ...above]
}

/** True when p2py nodes of these UUIDs keep each other in their peer books. */
export function areSuccessors(one: number, other: number): boolean {
  const distance = Math.abs(one - other)
  return distance > 0 && Number.isInteger(Math.log2(distance))
}
