/** A decoded or composed protocol message; `body` and `id` are what travels and what identifies it. */
export interface WireMessage {
  /** Main flag: 0 broadcast, 1 renegotiate, 2 whisper. */
  readonly type: number
  /** Node id of the originator, as it was on the wire: text or bytes. */
  readonly sender: string | Uint8Array
  /** Seconds since 1970-01-01 UTC. */
  readonly time: number
  /** Sub-flag first. Decoded on first use. */
  readonly payload: readonly unknown[]
  /** The msgpack array, and whatever stood behind it: the bytes that are hashed and relayed. */
  readonly body: Uint8Array
  /** SHA-256 of `body`, 32 bytes. */
  readonly id: Uint8Array
}
