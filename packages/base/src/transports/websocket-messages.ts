/**
 * How long WebSocket messages may be. They mean nothing by themselves (spec/wire.md 10), so what is too
 * long for one message goes out as several.
 */

const mebibyte = 1_048_576

/** The longest that is taken: RFC 6455 makes a receiver close the link over a longer one (code 1009). */
export const maxMessageBytes: number = 17 * mebibyte
/** The longest that is sent. */
const maxSentMessageBytes = 16 * mebibyte

/** The bytes as messages, in order; views, not copies. */
export function bytesToMessages(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length <= maxSentMessageBytes) return [bytes]
  const messages: Uint8Array[] = []
  for (let offset = 0; offset < bytes.length; offset += maxSentMessageBytes) {
    messages.push(bytes.subarray(offset, offset + maxSentMessageBytes))
  }
  return messages
}
