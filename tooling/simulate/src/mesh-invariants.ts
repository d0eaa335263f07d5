/** What must hold in every simulated mesh; the numbers are those of research/reliability.md §7. */
import { defaultLimits } from '@p2p/base'
import type { HostedNode, Invariant } from '@p2p/base/sim'
import type { MeshWorld } from './mesh-world.ts'

/** Looking at every link after every turn would cost more than the turn. */
const turnsPerLook = 64

export function meshInvariants(world: MeshWorld): Invariant[] {
  const { ledger } = world
  return [
    ledger.atMostOnce,
    ledger.reachesAll,
    tablesWithinCaps(),
    peerTablesAgree(world),
    nobodyIsLonely(world),
    oldPeersCanRead(world),
  ]
}

/** I5: links and queues stay within their limits, faults or not. */
function tablesWithinCaps(): Invariant {
  const { maxPeers, maxPendingLinks, maxOwnQueuedBytes } = defaultLimits
  let turns = 0
  return {
    name: 'tables-within-caps',
    afterTurn: (node) => {
      turns += 1
      if (turns % turnsPerLook !== 0) return undefined
      // Links that are being closed count for a moment longer.
      if (node.links.size > maxPeers + 2 * maxPendingLinks) return `${node.links.size} links`
      for (const end of node.links.values()) {
        if (end.queuedBytes > maxOwnQueuedBytes) return `${end.queuedBytes} bytes queued`
      }
      return undefined
    },
  }
}

/** At rest each of our nodes is a peer of its peers. */
function peerTablesAgree(world: MeshWorld): Invariant {
  return {
    name: 'peer-tables-agree',
    atRest: () => {
      for (const node of world.ours) {
        const machine = world.machine(node)
        if (machine === undefined) continue
        for (const id of machine.peers.keys()) {
          const other = world.nodeById(id)
          const otherMachine = other === undefined ? undefined : world.machine(other)
          if (otherMachine === undefined || otherMachine.peers.has(machine.id)) continue
          return { detail: `${node.name} has ${other?.name ?? id}, but not the reverse`, node }
        }
      }
      return undefined
    },
  }
}

function nobodyIsLonely(world: MeshWorld): Invariant {
  return {
    name: 'everyone-has-peers',
    atRest: () => {
      const lonely = world.ours.find((node) => world.machine(node)?.peers.size === 0)
      return lonely && { detail: `${lonely.name} has no peer`, node: lonely }
    },
  }
}

/** I10: no old peer gets from one of our nodes what makes it drop the link. */
function oldPeersCanRead(world: MeshWorld): Invariant {
  const isOurFault = new Set(['unreadable', 'peers-list', 'renegotiate', 'wrong-network'])
  let reported = 0
  return {
    name: 'old-peers-can-read-us',
    afterTurn: (node: HostedNode) => {
      for (; reported < world.complaints.length; reported += 1) {
        const complaint = world.complaints[reported]
        if (complaint === undefined || !isOurFault.has(complaint.cause)) continue
        return `${complaint.against.name} made it drop the link: ${complaint.cause} (seen at ${node.name})`
      }
      return undefined
    },
  }
}
