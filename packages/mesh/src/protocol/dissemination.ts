/**
 * The seam behind which a mesh decides who gets a copy of a broadcast. The mesh machine judges each
 * message once (seen-cache.ts) and tells the strategy about first copies, further copies and
 * neighbours; the strategy says what to send. Two exist: `FloodDissemination`, the plain relay of
 * protocol 0.7, and `TreeDissemination`, one copy per node between our own nodes.
 */
import type { Now, Peer, SendPriority } from '@p2p/base'
import type { WireMessage } from '@p2p/serializer'

/** A message for one neighbour. */
export interface Copy {
  readonly peer: string
  readonly message: WireMessage
  readonly priority: SendPriority
}

export interface Dissemination {
  addNeighbour(peer: Peer, now: Now): readonly Copy[]
  /** The neighbour told its features after it was added. */
  noteFeatures(peer: Peer, now: Now): readonly Copy[]
  removeNeighbour(peer: Peer, now: Now): readonly Copy[]
  /**
   * The first copy of a broadcast; `from` is undefined for one of our own. Neighbours in `heldBy` need
   * none.
   */
  spread(
    message: WireMessage,
    from: Peer | undefined,
    now: Now,
    heldBy?: Iterable<string>,
  ): readonly Copy[]
  /** A copy of a broadcast that was here before. */
  noteDuplicate(message: WireMessage, from: Peer, now: Now): readonly Copy[]
  /** A whisper with the strategy's own sub-flag. */
  handleControl(message: WireMessage, from: Peer, now: Now): readonly Copy[]
  /** What has become due. */
  handleDeadline(now: Now): readonly Copy[]
  nextDeadline(): number
  /** Counters for the report. */
  counters(): Readonly<Record<string, number>>
}
