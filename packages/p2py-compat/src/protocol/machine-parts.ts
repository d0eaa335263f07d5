/** What the parts of the machine have in common: each is given those that were made before it. */
import type { Deadlines, RandomBytes } from '@p2p/base'
import type { Gossip } from './gossip.ts'
import type { P2pyLimits } from './limits.ts'
import type { Links } from './links.ts'
import type { Membership } from './membership.ts'
import type { NodeAddress } from './node-address.ts'
import type { Outbox } from './outbox.ts'
import type { Reach } from './reach.ts'

export interface SharedParts {
  readonly limits: P2pyLimits
  readonly outbox: Outbox
  readonly deadlines: Deadlines
  readonly members: Membership
  /** Our own, as told to every peer. */
  readonly address: NodeAddress
  readonly randomBytes: RandomBytes
}

export interface LinkedParts extends SharedParts {
  readonly links: Links
}

export interface ReachingParts extends LinkedParts {
  readonly reach: Reach
}

export interface GossipingParts extends ReachingParts {
  readonly gossip: Gossip
}
