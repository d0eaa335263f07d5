/** What must hold in every simulated hash table network. */
import type { Invariant } from '@p2p/base/sim'
import { clockwiseDistance, majority, slotsOf } from '@p2p/chord'
import type { Position, StoringNode } from '@p2p/chord'
import { decodeValue, utf8Encode } from '@p2p/serializer'
import type { ChordWorld, Member } from './chord-world.ts'

export function chordInvariants(world: ChordWorld): Invariant[] {
  return [viewsAreOrdered(world), oneOrderedRing(world), ringsAreWhole(world), ownersHold(world)]
}

/** Each view is sorted, names nobody twice, and names its node exactly while that stores. */
function viewsAreOrdered(world: ChordWorld): Invariant {
  return {
    name: 'views-are-ordered',
    afterTurn: (node) => {
      const machine = world.memberOf(node)?.machine
      if (machine === undefined || !world.isRingChanged) return undefined
      let before: Position | undefined
      for (const { position } of machine.storingNodes.values()) {
        if (before !== undefined && before >= position) return 'a view that is not sorted'
        before = position
      }
      return undefined
    },
  }
}

/**
 * Zave's invariant on the living, in each part of the network that can talk: whoever follows the nearest
 * living node behind comes to one cycle, the same for all, which goes around once. A node that has
 * just joined may not be on the cycle yet, but it leads there. Asked whenever the ring or a view
 * has changed: otherwise the answer is the one before.
 */
function oneOrderedRing(world: ChordWorld): Invariant {
  return {
    name: 'one-ordered-ring',
    afterTurn: () => {
      if (!world.isRingChanged) return undefined
      world.isRingChanged = false
      const { storing } = world
      for (const side of new Set(storing.map((member) => member.side))) {
        const wrong = ringError(storing.filter((member) => member.side === side))
        if (wrong !== undefined) return wrong
      }
      return undefined
    },
  }
}

function ringError(members: readonly Member[]): string | undefined {
  const byId = new Map(members.map((member) => [member.machine.id, member]))
  const behind = new Map<string, string>()
  for (const { machine } of members) {
    const { storingNodes, id } = machine
    const nodes = storingNodes.behind(id, storingNodes.size)
    behind.set(id, nodes.find((node) => byId.has(node.id))?.id ?? id)
  }
  const [first] = members
  if (first === undefined) return undefined
  const cycle = cycleFrom(first.machine.id, behind)
  const onCycle = new Set(cycle)
  for (const { machine } of members) {
    let at = machine.id
    for (let steps = 0; steps <= members.length && !onCycle.has(at); steps += 1) {
      at = behind.get(at) ?? at
    }
    if (!onCycle.has(at)) {
      const known = machine.storingNodes.size
      return `two rings among ${members.length} nodes that can talk, one of ${cycle.length}; ${machine.id.slice(0, 6)} knows ${known} and has ${machine.peers.size} links`
    }
  }
  return goesAroundOnce(cycle.flatMap((id) => byId.get(id) ?? []))
    ? undefined
    : 'a ring out of order'
}

function cycleFrom(start: string, behind: ReadonlyMap<string, string>): readonly string[] {
  let at = start
  for (const _ of behind) at = behind.get(at) ?? at
  const cycle = [at]
  for (let next = behind.get(at); next !== undefined && next !== at; next = behind.get(next))
    cycle.push(next)
  return cycle
}

function goesAroundOnce(cycle: readonly Member[]): boolean {
  const positions = cycle.map(({ machine }) => machine.storingNodes.get(machine.id)?.position ?? 0n)
  let length = 0n
  for (const [index, from] of positions.entries()) {
    const to = positions[(index + 1) % positions.length] ?? from
    length += clockwiseDistance({ from: to, to: from })
  }
  return positions.length < 2 || length === 2n ** 384n
}

/** At rest everybody knows exactly those that store. */
function ringsAreWhole(world: ChordWorld): Invariant {
  return {
    name: 'rings-are-whole',
    atRest: () => {
      const { storing } = world
      const ids = new Set(storing.map(({ machine }) => machine.id))
      for (const { machine, node } of world.living) {
        const known = [...machine.storingNodes.values()].map((other: StoringNode) => other.id)
        const ghosts = known.filter((id) => !ids.has(id)).length
        const missing = ids.size - (known.length - ghosts)
        if (ghosts + missing > 0)
          return { detail: `misses ${missing} and believes in ${ghosts}`, node }
      }
      return undefined
    },
  }
}

/** At rest the true owners of three tables or more hold each acknowledged value: old readers find it. */
function ownersHold(world: ChordWorld): Invariant {
  return {
    name: 'owners-hold-acknowledged-keys',
    atRest: () => {
      const [any] = world.storing
      if (any === undefined) return undefined
      const byId = new Map(world.storing.map((member) => [member.machine.id, member.machine]))
      for (const [key, { acknowledged, possible }] of world.expected) {
        if (acknowledged === undefined) continue
        const held = slotsOf(utf8Encode(key)).filter((slot) => {
          const owner = any.machine.storingNodes.ownerOf(slot.position)
          const value = byId.get(owner?.id ?? '')?.slots.get(slot)?.value
          return value !== undefined && possible.has(String(decodeValue(value)))
        })
        if (held.length < majority)
          return { detail: `"${key}" is at ${held.length} of its 5 owners`, node: any.node }
      }
      return undefined
    },
  }
}
