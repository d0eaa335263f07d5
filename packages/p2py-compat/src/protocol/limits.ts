/**
 * Limits of a p2py node. Everything that can grow because of a peer has a maximum here; each is an
 * option (`limits: { maxLinks: 64 }`). Sizes are bytes, times milliseconds.
 */
import { defaultPickleLimits } from '../pickle/limits.ts'
import { defaultMaxFrameBytes } from './frame.ts'

export interface P2pyLimits {
  /** One frame. Above: the link is closed. */
  readonly maxFrameBytes: number
  /**
   * One frame to a Python node, which reads it with a single `recv`: 60 kB were seen to pass, 200 kB
   * not (and the node is deaf on that link afterwards). Above: sending fails, nothing is sent.
   */
  readonly maxFrameBytesToPython: number
  /** Values in one message, with shared ones counted each time. Above: the link is closed. */
  readonly maxValues: number
  /** Nesting of one message. Above: the link is closed. At most 256: deeper values cannot be passed on. */
  readonly maxDepth: number
  /** From an open link to the peer's info. Python nodes send theirs at once. */
  readonly infoTimeoutMs: number
  /** From a dial to an open link. By way of a rendezvous server it may take 20 seconds more. */
  readonly dialTimeoutMs: number
  /** A frame may take this long; afterwards it has to come at 1 KiB per second or faster. */
  readonly frameGraceMs: number
  /** Half-received frames of all links together. Above: the link whose frame has been under way for longest is closed. */
  readonly maxReceivingBytes: number
  /** Links in all. Above: an incoming link is closed. */
  readonly maxLinks: number
  /**
   * Links that have not sent their info. Above: the incoming one that has been silent for longest is closed; within
   * half a second, the newest.
   */
  readonly maxPendingLinks: number
  /** Silence after which a temporary link that we dialled is closed; p2py waits as long. */
  readonly temporaryLinkMs: number
  /** The same for a temporary link that we accepted: longer, so that the other side closes first. */
  readonly acceptedLinkMs: number
  /** Members of the network that are remembered. Above: announcements of new ones are dropped. */
  readonly maxMembers: number
  /** UUIDs of departed members that are kept for reuse. Above: the oldest is forgotten. */
  readonly maxFreeUuids: number
  /** Own requests waiting for an answer. Above: a request fails at once. */
  readonly maxRequests: number
  /** Requests of others that the application has not answered. Above: the oldest is forgotten. */
  readonly maxIncomingRequests: number
  /** Bytes of these requests. Above: the oldest are forgotten, but for the one that came last. */
  readonly maxIncomingRequestBytes: number
  /** Time-out of a request when its caller names none; p2py polls 50 times, every 200 ms. */
  readonly requestTimeoutMs: number
  /** One attempt of an address search; another neighbour is asked afterwards, up to three. */
  readonly searchTimeoutMs: number
  /** Address searches of others that are remembered, so that they do not run in circles. */
  readonly maxRememberedSearches: number
  /** Waiting for the answer to a join request. Joins are admitted one after the other, so a crowd takes a while. */
  readonly joinTimeoutMs: number
  /** Join requests of others that wait for their turn. Above: the newest is dropped. */
  readonly maxWaitingJoins: number
  /** Operations that wait for nodes to be reached, in all. Above: the newest fails. */
  readonly maxWaitingTasks: number
  /**
   * Dials per second for answers to addresses without a link, after a burst of ten times as many: for each neighbour
   * that asks, and for all others together. Above: the answer fails.
   */
  readonly maxPeerDialsPerSecond: number
  /** Membership announcements per second and link, after a burst of ten times as many. */
  readonly maxAnnouncementsPerSecond: number
  /** Pause before a newcomer is dialled: it has to have understood that it joined. */
  readonly newcomerDelayMs: number
  /** A lost neighbour is dialled again within this time, before it counts as gone. */
  readonly redialDelayMs: number
  /** How long a UUID stays unused when others say that its last owner left. Then he is looked for. */
  readonly uuidQuarantineMs: number
  /** Time between two looks for neighbours that are missing in the peer book. */
  readonly repairIntervalMs: number
}

export const defaultP2pyLimits: P2pyLimits = {
  maxFrameBytes: defaultMaxFrameBytes,
  maxFrameBytesToPython: 60_000,
  maxValues: defaultPickleLimits.maxValues,
  maxDepth: defaultPickleLimits.maxDepth,
  infoTimeoutMs: 10_000,
  dialTimeoutMs: 5_000,
  frameGraceMs: 10_000,
  maxReceivingBytes: 128 * 1024 * 1024,
  maxLinks: 512,
  maxPendingLinks: 64,
  temporaryLinkMs: 8_000,
  acceptedLinkMs: 30_000,
  maxMembers: 65_536,
  maxFreeUuids: 65_536,
  maxRequests: 1_024,
  maxIncomingRequests: 1_024,
  maxIncomingRequestBytes: 64 * 1024 * 1024,
  requestTimeoutMs: 10_000,
  searchTimeoutMs: 3_000,
  maxRememberedSearches: 4_096,
  joinTimeoutMs: 30_000,
  maxWaitingJoins: 256,
  maxWaitingTasks: 1_024,
  maxPeerDialsPerSecond: 10,
  maxAnnouncementsPerSecond: 200,
  newcomerDelayMs: 250,
  redialDelayMs: 1_000,
  uuidQuarantineMs: 10_000,
  repairIntervalMs: 15_000,
}

/** The defaults with the given ones put over them. Throws TypeError or RangeError for bad ones. */
export function resolveP2pyLimits(options: Partial<P2pyLimits> = {}): P2pyLimits {
  const limits = overDefaults(options, defaultP2pyLimits)
  const { maxDepth } = defaultPickleLimits
  if (limits.maxDepth > maxDepth) {
    throw new RangeError(`limit maxDepth must be at most ${maxDepth}, got ${limits.maxDepth}`)
  }
  return limits
}

/** The same for any set of limits. */
export function overDefaults<Limits extends object>(
  options: Partial<Limits>,
  defaults: Limits,
): Limits {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (!Object.hasOwn(defaults, name)) throw new TypeError(`unknown limit "${name}"`)
    if (typeof value !== 'number' || Number.isNaN(value) || value <= 0) {
      throw new RangeError(`limit ${name} must be a number above 0, got ${String(value)}`)
    }
  }
  return { ...defaults, ...options }
}
