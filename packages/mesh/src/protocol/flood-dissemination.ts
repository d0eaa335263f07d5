/**
 * The plain relay of protocol 0.7, without its faults: each first copy goes to every neighbour except
 * the originator and the one it came from, in one form for all.
 *
 * Used when extensions are switched off, and as what the tree is measured against.
 * Source: spec/mesh.md, 4.1 and 4.2.
 */
import type { Now, Peer } from '@p2p/base'
import { idText, type WireMessage } from '@p2p/serializer'
import type { Copy, Dissemination } from './dissemination.ts'

export class FloodDissemination implements Dissemination {
  readonly #neighbours = new Map<string, Peer>()
  #copies = 0

  addNeighbour(peer: Peer): readonly Copy[] {
    this.#neighbours.set(peer.id, peer)
    return []
  }

  noteFeatures(): readonly Copy[] {
    return []
  }

  removeNeighbour(peer: Peer): readonly Copy[] {
    this.#neighbours.delete(peer.id)
    return []
  }

  spread(
    message: WireMessage,
    from: Peer | undefined,
    _now: Now,
    heldBy: Iterable<string> = [],
  ): readonly Copy[] {
    const originator = idText(message.sender)
    const holders = new Set(heldBy)
    const copies: Copy[] = []
    for (const id of this.#neighbours.keys()) {
      if (id === from?.id || id === originator || holders.has(id)) continue
      copies.push({ peer: id, message, priority: from === undefined ? 'own' : 'relay' })
    }
    this.#copies += copies.length
    return copies
  }

  noteDuplicate(): readonly Copy[] {
    return []
  }

  handleControl(): readonly Copy[] {
    return []
  }

  handleDeadline(): readonly Copy[] {
    return []
  }

  nextDeadline(): number {
    return Infinity
  }

  counters(): Readonly<Record<string, number>> {
    return { copiesSent: this.#copies }
  }
}
