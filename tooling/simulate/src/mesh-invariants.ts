/** What must hold in every simulated mesh; the numbers are those of research/reliability.md §7. */
import { defaultLimits } from '@p2p/base'
import type { HostedNode, Invariant, LinkEnd } from '@p2p/base/sim'
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

/**
 * At rest two of our nodes agree about the link between them: each has the other in its table, under
 * its id and by that very link. It is the link that is followed, not the id: in the compatible mode
 * a hostile peer may call itself by the id of a node that is not connected. What old peers believe
 * is their own affair, because they keep links that they closed (spec/mesh.md, 3.4).
 */
function peerTablesAgree(world: MeshWorld): Invariant {
  return {
    name: 'peer-tables-agree',
    atRest: () => {
      for (const node of world.ours) {
        for (const [id, { link }] of world.machine(node)?.peers ?? []) {
          const end = node.links.get(link)
          if (end === undefined) return { detail: `${node.name} has ${id} without a link`, node }
          const detail = disagreement(world, end)
          if (detail !== undefined) return { detail, node }
        }
      }
      return undefined
    },
  }
}

function disagreement(world: MeshWorld, end: LinkEnd): string | undefined {
  const [node, other] = [end.owner, end.other.owner].map(({ index }) => world.sim.nodes[index])
  const machine = node && world.machine(node)
  const otherMachine = other && world.machine(other)
  if (machine === undefined || otherMachine === undefined) return undefined
  const both = `${node?.name} has ${other?.name}`
  if (machine.peers.get(otherMachine.id)?.link !== end.link) return `${both} under another id`
  const back = otherMachine.peers.get(machine.id)?.link
  if (back === undefined) return `${both}, but not the reverse`
  return back === end.other.link ? undefined : `${both} by another link than the reverse`
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
