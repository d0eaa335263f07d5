/** What the first three elements of a message have to be for us, and names of compression methods. */
import { compressionMethods } from '@p2p/serializer'

export interface MessageHeader {
  readonly type: number
  readonly sender: string | Uint8Array
  readonly time: number
}

/** True when type and time are integers and the sender is text or bytes. */
export function isMessageHeader(header: {
  readonly type: unknown
  readonly sender: unknown
  readonly time: unknown
}): header is MessageHeader {
  const { type, sender, time } = header
  return (
    Number.isSafeInteger(type) &&
    Number.isSafeInteger(time) &&
    (typeof sender === 'string' || sender instanceof Uint8Array)
  )
}

/** Number of a method by the name fixtures give it; undefined for a name that is none. */
export function methodNumber(name: string): number | undefined {
  return new Map<string, number>(Object.entries(compressionMethods)).get(name)
}
