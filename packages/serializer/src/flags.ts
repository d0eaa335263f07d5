/**
 * The numbers of protocol 0.7: main flags, sub-flags and compression methods.
 *
 * Source: spec/wire.md §3; py2p 0.7.870 flags.py and js2p 0.7.870 base.js agree on all of them.
 * 0x00…0x2f belong to the protocol, other values are free for applications.
 */

/** Main flags (first element of a message) and sub-flags (fourth element, first of the payload). */
export const flags = {
  /** Main flag: relayed to everybody. Sub-flag: user data. */
  broadcast: 0x00,
  /** Main flag: talk about the link itself. */
  renegotiate: 0x01,
  /** Sub-flag of renegotiate: a new list of compression methods. */
  compression: 0x01,
  /** Main flag: for the neighbour only. Sub-flag: user data. */
  whisper: 0x02,
  /** Reserved, used by nobody. */
  ping: 0x03,
  /** Reserved, used by nobody. */
  pong: 0x04,
  /** Five packets: handshake. Two packets: chord meta. */
  handshake: 0x05,
  notify: 0x06,
  peers: 0x07,
  request: 0x08,
  resend: 0x09,
  response: 0x0a,
  store: 0x0b,
  retrieve: 0x0c,
  retrieved: 0x0d,
  forward: 0x0e,
  newPaths: 0x0f,
  revokePaths: 0x10,
  delta: 0x11,
} as const

/** The numbers of the compression methods, as they stand in handshakes. */
export const compressionMethods = {
  bz2: 0x10,
  gzip: 0x11,
  /** The xz container format. */
  lzma: 0x12,
  zlib: 0x13,
  /** The raw block format without framing. */
  snappy: 0x20,
} as const
