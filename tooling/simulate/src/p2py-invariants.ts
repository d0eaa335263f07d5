/** What must hold in every simulated p2py network. */
import { defaultP2pyLimits } from '@p2p/p2py-compat'
import type { Invariant } from '@p2p/base/sim'
import type { Member, P2pyWorld } from './p2py-world.ts'

/** Looking at every link after every turn would cost more than the turn. */
const turnsPerLook = 64

export function p2pyInvariants(world: P2pyWorld): Invariant[] {
  const { ledger } = world
  return [
    ledger.exactlyOnce,
    ledger.arriveOrFail,
    tablesWithinCaps(),
    everybodyJoined(world),
    uuidsAreUnique(world),
    everybodyKnowsEverybody(world),
    peerBooksAreWhole(world),
  ]
}

function tablesWithinCaps(): Invariant {
  const { maxLinks, maxPendingLinks } = defaultP2pyLimits
  let turns = 0
  return {
    name: 'tables-within-caps',
    afterTurn: (node) => {
      turns += 1
      if (turns % turnsPerLook !== 0) return undefined
      return node.links.size > maxLinks + maxPendingLinks ? `${node.links.size} links` : undefined
    },
  }
}

function everybodyJoined(world: P2pyWorld): Invariant {
  return {
    name: 'joins-finish',
    atRest: () => {
      const outside = world.living.find(({ uuid }) => uuid === null)
      if (outside === undefined) return undefined
      const { node, joins } = outside
      return { detail: `${node.name} is in no network after ${joins} joins`, node }
    },
  }
}

function uuidsAreUnique(world: P2pyWorld): Invariant {
  return {
    name: 'uuids-are-unique',
    atRest: () => {
      const owners = new Map<number, Member>()
      for (const member of world.living) {
        const { uuid, node } = member
        if (uuid === null) continue
        const other = owners.get(uuid)
        if (other !== undefined)
          return { detail: `${other.node.name} and ${node.name} both have UUID ${uuid}`, node }
        owners.set(uuid, member)
      }
      return undefined
    },
  }
}

function everybodyKnowsEverybody(world: P2pyWorld): Invariant {
  return {
    name: 'everybody-knows-everybody',
    atRest: () => {
      const uuids = new Set(world.living.map(({ uuid }) => uuid))
      for (const { machine, node, uuid } of world.living) {
        const known = new Set<number | null>(machine.state.members).add(uuid)
        const missing = [...uuids].filter((other) => !known.has(other))
        const ghosts = [...known].filter((other) => !uuids.has(other))
        if (missing.length + ghosts.length === 0) continue
        const detail = `UUID ${uuid} misses ${missing.join()} and believes in ${ghosts.join()}`
        return { detail, node }
      }
      return undefined
    },
  }
}

/** Every power of two away, and the next ones below and above: what routing relies on. */
function peerBooksAreWhole(world: P2pyWorld): Invariant {
  return {
    name: 'peer-books-are-whole',
    atRest: () => {
      const sorted = world.living.map(({ uuid }) => uuid ?? -1).sort((one, two) => one - two)
      const present = new Set(sorted)
      for (const { machine, node, uuid } of world.living) {
        if (uuid === null) continue
        const place = sorted.indexOf(uuid)
        const wanted = [sorted[place - 1], sorted[place + 1]]
        for (let step = 1; step <= (sorted.at(-1) ?? 0); step *= 2)
          wanted.push(...[uuid - step, uuid + step].filter((other) => present.has(other)))
        const book = new Set(machine.state.peerBook.map((entry) => entry.uuid))
        const missing = wanted.filter((other) => other !== undefined && !book.has(other))
        if (missing.length > 0)
          return { detail: `UUID ${uuid} has no link to ${missing.join()}`, node }
      }
      return undefined
    },
  }
}
