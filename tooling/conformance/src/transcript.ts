/** A live capture, frame by frame: what went over each connection between recorded programs. */
import * as z from 'zod'
import type { FixtureFile } from './fixture-file.ts'
import { recordedBytes } from './recorded-bytes.ts'
import type { RecordedBytes } from './recorded-bytes.ts'

/** A frame that went over a connection, whole. */
export interface FrameEntry {
  readonly kind: 'frame'
  /** Milliseconds from an arbitrary start. */
  readonly ms: number
  readonly from: string
  readonly to: string
  readonly conn: string
  readonly hex: RecordedBytes
  readonly decoded: unknown
}

/** A connection was opened, closed or refused; `from` did it. */
export interface EventEntry {
  readonly kind: 'event'
  readonly ms: number
  readonly from: string
  readonly to: string
  readonly conn: string
  readonly event: string
}

/** What the script did to the programs. */
export interface MarkEntry {
  readonly kind: 'mark'
  readonly ms: number
  readonly mark: string
}

export type TranscriptEntry = FrameEntry | EventEntry | MarkEntry

export interface Transcript {
  readonly nodes: Readonly<Record<string, unknown>>
  readonly entries: readonly TranscriptEntry[]
}

const link = { ms: z.number(), from: z.string(), to: z.string(), conn: z.string() }

const entry: z.ZodType<TranscriptEntry> = z.union([
  z
    .object({ ...link, hex: recordedBytes, decoded: z.unknown() })
    .transform((fields) => ({ ...fields, kind: 'frame' as const })),
  // A frame too long to be recorded stands under another name, as its digest.
  z
    .object({ ...link, frame: recordedBytes, decoded: z.unknown() })
    .transform(({ frame, ...fields }) => ({ ...fields, hex: frame, kind: 'frame' as const })),
  z
    .object({ ...link, event: z.string() })
    .transform((fields) => ({ ...fields, kind: 'event' as const })),
  z
    .object({ ms: z.number(), mark: z.string() })
    .transform((fields) => ({ ...fields, kind: 'mark' as const })),
])

const transcript = z.object({
  nodes: z.record(z.string(), z.unknown()),
  entries: z.array(entry),
})

/** The capture in a file; undefined when its shape is not that of a transcript. */
export function readTranscript(file: FixtureFile): Transcript | undefined {
  return transcript.safeParse(file.document).data
}
