/**
 * Live captures of p2py networks. Every frame is read as it was recorded, and written again to the same
 * bytes. Then one of our machines takes the place of each node in turn and is told everything that
 * node was told: it takes all of it, gets the UUID the node had, and gives the answers about
 * addresses that the node gave.
 */
import assert from 'node:assert/strict'
import { decodeFrame, decodePickle, encodeFrame, encodePickle } from '@p2p/p2py-compat'
import * as z from 'zod'
import type { Check, FixtureSet } from '../fixture-set.ts'
import { skipped } from '../fixture-set.ts'
import { pyTagged, pyValueOf, sharings } from '../p2py-values.ts'
import type { PyTagged } from '../p2py-values.ts'
import { replayNode } from '../p2py-replay.ts'
import { bytesFromHex, hexOf } from '../recorded-bytes.ts'

/** A capture of a p2py network, frame by frame. */
export interface P2pyTranscript {
  readonly nodes: Readonly<Record<string, { variant: string; address: [string, number] }>>
  readonly state_at_end: Readonly<Record<string, { uuid: number | null }>>
  readonly entries: readonly P2pyEntry[]
}

export interface P2pyEntry {
  readonly ms: number
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly conn?: string | undefined
  readonly event?: string | undefined
  readonly hex?: string | undefined
  readonly decoded?: PyTagged | undefined
}

const entry = z.looseObject({
  ms: z.number(),
  from: z.string().optional(),
  to: z.string().optional(),
  conn: z.string().optional(),
  event: z.string().optional(),
  hex: z.string().optional(),
  decoded: pyTagged.optional(),
})
const address = z.tuple([z.string(), z.number()])
const transcript: z.ZodType<P2pyTranscript> = z.object({
  nodes: z.record(z.string(), z.object({ variant: z.string(), address })),
  state_at_end: z.record(z.string(), z.looseObject({ uuid: z.number().nullable() })),
  entries: z.array(entry),
})

export const p2pyTranscripts: FixtureSet = {
  name: 'p2py/transcripts',
  describes: (file) => file.folder === 'p2py' && file.name.startsWith('transcript'),
  *checks(file) {
    const parsed = transcript.safeParse(file.document)
    if (!parsed.success) {
      yield {
        name: file.path,
        run: () => skipped('a transcript of a shape this set does not know'),
      }
      return
    }
    yield* frameChecks(parsed.data)
    for (const node of Object.keys(parsed.data.nodes)) {
      yield { name: `replay as ${node}`, run: () => replayNode(parsed.data, node) }
    }
  },
}

function* frameChecks({ entries }: P2pyTranscript): Iterable<Check> {
  for (const [index, { hex, decoded }] of entries.entries()) {
    if (hex === undefined || decoded === undefined) continue
    yield {
      name: `entry ${index} / read`,
      run: () => {
        const pickle = decodeFrame(bytesFromHex(hex))
        assert.deepEqual(decodePickle(pickle), pyValueOf(decoded))
        return undefined
      },
    }
    yield {
      name: `entry ${index} / written`,
      run: () => {
        const ours = sharings.map((sharing) => encodePickle(pyValueOf(decoded, sharing)))
        const isProtocol4 = decodeFrame(bytesFromHex(hex))[1] === 4
        if (isProtocol4)
          assert.ok(
            ours.some((pickle) => hexOf(encodeFrame(pickle)) === hex),
            'other bytes',
          )
        else for (const pickle of ours) assert.deepEqual(decodePickle(pickle), pyValueOf(decoded))
        return undefined
      },
    }
  }
}
