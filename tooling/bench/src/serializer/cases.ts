/** What is serialized: one message per case, as a node would send it. */
export interface WireFields {
  readonly type: number
  readonly sender: string
  readonly time: number
  readonly payload: readonly unknown[]
}

export interface Case {
  readonly name: string
  readonly fields: WireFields
}

const sender = '33f1ryCmw6MKTmTMQ1StfvqCtiYpCSwzfKbLdnWMwR1L4RiBY2hoo6m7rRXE93ucPr'

const message = (data: unknown): WireFields => ({
  type: 0,
  sender,
  time: 1_500_000_000,
  payload: [0, data],
})

const bytes = (name: string, count: number): Case => ({
  name,
  fields: message(crypto.getRandomValues(new Uint8Array(count))),
})

/** Twenty fields of the kinds that applications send. */
function mapOf20(): Record<string, unknown> {
  const map: Record<string, unknown> = {}
  for (let i = 0; i < 5; i++) {
    map[`name${i}`] = `visitor number ${i}`
    map[`count${i}`] = 1000 * i
    map[`share${i}`] = i + 0.5
    map[`active${i}`] = i % 2 === 0
  }
  return map
}

/** Byte strings of four sizes, and a map of twenty fields. */
export const cases: readonly Case[] = [
  bytes('16B', 16),
  bytes('256B', 256),
  bytes('4KiB', 4096),
  bytes('64KiB', 65_536),
  { name: 'map20', fields: message(mapOf20()) },
]
