/**
 * The limits of a node. Everything that can grow because of a peer has a maximum here, with its
 * reason; each is an option (`limits: { maxFrameBytes: … }`) and, where it can be reached, a counter
 * in `report()`. Sizes are bytes, times milliseconds.
 */
import { checkNames } from './known-names.ts'

export interface NodeLimits {
  /** One frame, length header not counted. 16 MiB: the originals send a few MiB at most before they break. Above: the link is closed. */
  readonly maxFrameBytes: number
  /** One frame after inflating. Above: the link is closed. */
  readonly maxInflatedBytes: number
  /** Inflated by deflated. Deflate cannot do better than about 1,032, so more is an attack. */
  readonly maxInflationRatio: number
  /** Half-received bytes of all links together; the link that would go above is closed. */
  readonly maxReceivingBytes: number
  /** Nesting of msgpack values, at most 512; the deepest recursion a hostile frame can cause. */
  readonly maxDepth: number
  /** From an open link to an accepted handshake. Old peers send theirs within milliseconds and never give up themselves. */
  readonly handshakeTimeoutMs: number
  /** From a dial to an open link, unless `connect` says otherwise. */
  readonly dialTimeoutMs: number
  /** A frame may take this long whatever its pace … */
  readonly frameGraceMs: number
  /** … and must keep this pace afterwards: whoever is slower is holding memory, not sending. */
  readonly minFrameBytesPerSecond: number
  /** Links whose handshake has not come. Above: the new one is closed. */
  readonly maxPendingLinks: number
  /** The same, from one remote host. */
  readonly maxPendingLinksPerHost: number
  /** Incoming links per second and remote host, after a burst of the same number. Loopback is free: many nodes share it. */
  readonly maxAcceptsPerSecondPerHost: number
  /** Peers in all; an incoming link above it is closed. The mesh keeps far fewer by itself. */
  readonly maxPeers: number
  /** Bytes waiting for one link. Above: announcements go first, then relayed payload. */
  readonly maxQueuedBytes: number
  /** Bytes waiting for one link that is moving, when they are our own messages, which are never dropped: a burst of the application. Above: the link is cut. */
  readonly maxOwnQueuedBytes: number
  /** A link with a full queue of our own messages is cut when nothing moved for this long. */
  readonly fullQueueGraceMs: number
  /** A link on which nothing moved for this long while bytes wait is cut. The operating system takes bytes for some seconds before they wait: 30 s in all. */
  readonly stalledLinkTimeoutMs: number
  /** Silence after which one of our own peers is asked for a sign of life … */
  readonly heartbeatIntervalMs: number
  /** … and for how long we wait for it. A dead peer is noticed within the sum of the two. */
  readonly heartbeatTimeoutMs: number
  /** What one link may make us answer before its hello: this many bytes per byte received … */
  readonly maxReplyFactor: number
  /** … plus this many per minute. */
  readonly replyAllowanceBytesPerMinute: number
  /** The largest last message that an old peer's "send it again" is honoured for, once per message. */
  readonly maxResendBytes: number
  /** Addresses kept in the store for the next start. Above: the longest unreached is forgotten. */
  readonly maxKnownAddresses: number
}

const mebibyte = 1_048_576
/** Deeper the decoder does not go. */
const largestMaxDepth = 512

export const defaultLimits: NodeLimits = {
  maxFrameBytes: 16 * mebibyte,
  maxInflatedBytes: 32 * mebibyte,
  maxInflationRatio: 1_100,
  maxReceivingBytes: 128 * mebibyte,
  maxDepth: 64,
  handshakeTimeoutMs: 10_000,
  dialTimeoutMs: 10_000,
  frameGraceMs: 10_000,
  minFrameBytesPerSecond: 1_024,
  maxPendingLinks: 64,
  maxPendingLinksPerHost: 8,
  maxAcceptsPerSecondPerHost: 5,
  maxPeers: 300,
  maxQueuedBytes: 4 * mebibyte,
  maxOwnQueuedBytes: 64 * mebibyte,
  fullQueueGraceMs: 2_000,
  stalledLinkTimeoutMs: 15_000,
  heartbeatIntervalMs: 10_000,
  heartbeatTimeoutMs: 5_000,
  maxReplyFactor: 10,
  replyAllowanceBytesPerMinute: 65_536,
  maxResendBytes: 65_536,
  maxKnownAddresses: 1_024,
}

/**
 * The defaults with the given ones put over them.
 *
 * @throws TypeError for a name that is no limit, RangeError for a value that is not above zero.
 */
export function resolveLimits(options: Partial<NodeLimits> = {}): NodeLimits {
  const limits = limitsOver(defaultLimits, options)
  if (limits.maxDepth > largestMaxDepth) {
    throw new RangeError(`limit maxDepth must be at most ${largestMaxDepth}`)
  }
  return limits
}

/**
 * `resolveLimits` for limits of any kind.
 *
 * @param mayBeZero the one limit that may be zero, which switches something off
 */
export function limitsOver<Limits extends object>(
  defaults: Limits,
  given: Partial<Limits>,
  mayBeZero?: keyof Limits,
): Limits {
  checkNames(given, Object.keys(defaults), 'limit')
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (typeof value === 'number' && (value > 0 || (value === 0 && name === mayBeZero))) continue
    throw new RangeError(`limit ${name} must be a number above 0, got ${String(value)}`)
  }
  return { ...defaults, ...given }
}
