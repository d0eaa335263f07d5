/** What frames of protocol 0.7 say, in words: shared by `p2p decode`, the demo and its page. */
import { decodeFrame, flags, idText, toHex } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'

/** Sub-flags by number. Main flags share the numbers 0 to 2 with other sub-flags of the same use. */
const subFlagNames = new Map<unknown, string>(
  Object.entries(flags)
    .filter(([name]) => name !== 'renegotiate')
    .map(([name, number]) => [number, name]),
)
const mainFlagNames = new Map<number, string>([
  [flags.broadcast, 'broadcast'],
  [flags.renegotiate, 'renegotiate'],
  [flags.whisper, 'whisper'],
])

/** Name of a main flag; the number itself where it has none. */
export function mainFlagName(message: WireMessage): string | number {
  return mainFlagNames.get(message.type) ?? message.type
}

/** Name of the sub-flag; undefined where it has none. */
export function subFlagName(message: WireMessage): string | undefined {
  return subFlagNames.get(message.payload[0])
}

/** A few words for a list of messages, such as `broadcast` or `whisper · handshake`. */
export function messageLabel(message: WireMessage): string {
  const main = String(mainFlagName(message))
  const sub = subFlagName(message)
  if (sub === main || sub === undefined) return main === 'whisper' ? 'whisper · own' : main
  return `${main} · ${sub}`
}

/** Some bytes of a frame and what they are. */
export interface FramePart {
  readonly hex: string
  readonly meaning: string
}

const lengthBytes = 4
const checksumBytes = 32
const maxShownText = 300

/** The parts of a frame in the order of its bytes; one part that says so when it cannot be read. */
export function annotateFrame(frame: Uint8Array): readonly FramePart[] {
  let message: WireMessage
  try {
    message = decodeFrame(frame)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [{ hex: toHex(frame), meaning: `not readable: ${why}` }]
  }
  const block = frame.subarray(lengthBytes)
  const length: FramePart = {
    hex: toHex(frame.subarray(0, lengthBytes)),
    meaning: `length: ${block.length} bytes follow`,
  }
  const isPlain = toHex(block.subarray(0, checksumBytes)) === toHex(message.id)
  const first: readonly FramePart[] = isPlain
    ? [{ hex: toHex(message.id), meaning: 'SHA-256 of the body: the message id' }]
    : [
        { hex: toHex(block), meaning: 'checksum and body, compressed' },
        { hex: toHex(message.id), meaning: 'inside: SHA-256 of the body, the message id' },
      ]
  return [length, ...first, ...bodyParts(message)]
}

function bodyParts(message: WireMessage): readonly FramePart[] {
  const { body, tail } = message
  const array = body.subarray(0, body.length - tail.length)
  const sender = idText(message.sender) ?? '?'
  const meaning = [
    `msgpack array: ${String(mainFlagName(message))} by ${sender.slice(0, 12)}…`,
    `at ${new Date(message.time * 1_000).toISOString()}`,
    `sub-flag ${subFlagName(message) ?? show(message.payload[0] ?? null)}`,
    `packets ${message.payload.slice(1).map(show).join(', ') || 'none'}`,
  ].join('; ')
  const parts = [{ hex: toHex(array), meaning }]
  if (tail.length > 0)
    parts.push({ hex: toHex(tail), meaning: 'tail: extensions, which old nodes pass on unread' })
  return parts
}

/** A value as people write it, shortened. */
export function show(value: Value): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => plainOf(inner)) ?? 'undefined'
  return text.length > maxShownText ? `${text.slice(0, maxShownText)}…` : text
}

function plainOf(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return idText(value) ?? toHex(value)
  if (value instanceof Map) return [...value]
  return value
}
