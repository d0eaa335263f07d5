/** What must hold in every simulated hash table network. */
import type { Invariant } from '@p2p/base/sim'
import { clockwiseDistance, majority, slotsOf } from '@p2p/chord'
import type { Position, StoringNode } from '@p2p/chord'
import { decodeValue, utf8Encode } from '@p2p/serializer'
import type { ChordWorld, Member } from './chord-world.ts'

/** Storing nodes up to which the ring is checked after every step that changes it … */
const checkedAtEachStep = 64
/** … and how often it is with more. */
const checkEveryMs = 5_000
/** What is out of order once stays so. Of many views so many are looked at, this often, one after the other. */
const checkViewsEveryMs = 10_000
const viewsAtOnce = 64

export function chordInvariants(world: ChordWorld): Invariant[] {
  return [viewsAreOrdered(world), oneOrderedRing(world), ringsAreWhole(world), ownersHold(world)]
}

/**
 * Each view is sorted and names nobody twice. Asked when a view has changed, because otherwise the answer
 * is the one before; of many nodes those first that changed longest ago.
 */
function viewsAreOrdered(world: ChordWorld): Invariant {
  let nextMs = -Infinity
  return {
    name: 'views-are-ordered',
    afterTurn: () => {
      const { nowMs } = world.sim
      if (world.changedViews.size === 0 || nowMs < nextMs) return undefined
      const isLarge = world.size > checkedAtEachStep
      if (isLarge) nextMs = nowMs + checkViewsEveryMs
      let left = isLarge ? viewsAtOnce : Infinity
      for (const node of world.changedViews) {
        world.changedViews.delete(node)
        const machine = world.memberOf(node)?.machine
        if (machine !== undefined && !isOrdered(machine)) return notSorted
        left -= 1
        if (left === 0) break
      }
      return undefined
    },
    atRest: () => {
      const node = world.living.find(({ machine }) => !isOrdered(machine))?.node
      return node && { detail: notSorted, node }
    },
  }
}

const notSorted = 'a view that is not sorted'

function isOrdered({ storingNodes }: Member['machine']): boolean {
  let before: Position | undefined
  for (const { position } of storingNodes.values()) {
    if (before !== undefined && before >= position) return false
    before = position
  }
  return true
}

/**
 * Zave's invariant on the living, in each part of the network that can talk: whoever follows the nearest
 * living node behind comes to one cycle, the same for all, which goes around once. A node that has
 * just joined may not be on the cycle yet, but it leads there. Asked whenever the ring or a view
 * has changed, because otherwise the answer is the one before; of many nodes every five simulated seconds.
 */
function oneOrderedRing(world: ChordWorld): Invariant {
  let nextMs = -Infinity
  return {
    name: 'one-ordered-ring',
    afterTurn: () => {
      const { nowMs } = world.sim
      if (!world.isRingChanged || nowMs < nextMs) return undefined
      world.isRingChanged = false
      const { storing } = world
      nextMs = storing.length > checkedAtEachStep ? nowMs + checkEveryMs : -Infinity
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
    behind.set(machine.id, nearestBehind(machine, byId))
  }
  const [first] = members
  if (first === undefined) return undefined
  const cycle = cycleFrom(first.machine.id, behind)
  /** Nodes from which the way leads to the cycle. */
  const leads = new Set(cycle)
  for (const { machine } of members) {
    let at = machine.id
    const passed: string[] = []
    for (let steps = 0; steps <= members.length && !leads.has(at); steps += 1) {
      passed.push(at)
      at = behind.get(at) ?? at
    }
    const isLed = leads.has(at)
    if (isLed) for (const id of passed) leads.add(id)
    if (!isLed) {
      const known = machine.storingNodes.size
      return `two rings among ${members.length} nodes that can talk, one of ${cycle.length}; ${machine.id.slice(0, 6)} knows ${known} and has ${machine.peers.size} links`
    }
  }
  return goesAroundOnce(cycle.flatMap((id) => byId.get(id) ?? []))
    ? undefined
    : 'a ring out of order'
}

/**
 * The nearest living node behind this one that it knows; itself when it knows none. One that has moved is as
 * little where it was as one that is dead, and whoever turns to it there is told.
 */
function nearestBehind(
  { storingNodes, id }: Member['machine'],
  living: ReadonlyMap<string, Member>,
): string {
  for (let count = 8; ; count *= 8) {
    const nodes = storingNodes.behind(id, count)
    const found = nodes.find(
      ({ id: other, position }) =>
        living.get(other)?.machine.storingNodes.get(other)?.position === position,
    )
    if (found !== undefined || nodes.length < count) return found?.id ?? id
  }
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
