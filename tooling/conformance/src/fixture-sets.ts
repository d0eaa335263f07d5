/** The sets the runner knows. The first that describes a file takes it. */
import type { FixtureSet } from './fixture-set.ts'
import { chord } from './sets/chord.ts'
import { chordSteps } from './sets/chord-steps.ts'
import { ids } from './sets/ids.ts'
import { legacyIds, legacyMalformed, legacyMessages, legacyParse } from './sets/legacy.ts'
import { legacyTranscripts } from './sets/legacy-transcripts.ts'
import { malformed } from './sets/malformed.ts'
import { messages } from './sets/messages.ts'
import { messagesDecode } from './sets/messages-decode.ts'
import { messagesJs2p, messagesJs2pFrames } from './sets/messages-js2p.ts'
import { negotiation } from './sets/negotiation.ts'
import { p2pyFrames } from './sets/p2py-frames.ts'
import { p2pyMalformed } from './sets/p2py-malformed.ts'
import { p2pyTranscripts } from './sets/p2py-transcripts.ts'
import { syncLease } from './sets/sync-lease.ts'
import { syncSteps } from './sets/sync-steps.ts'
import { transcripts } from './sets/transcripts.ts'

export const fixtureSets: readonly FixtureSet[] = [
  messages,
  messagesJs2p,
  messagesJs2pFrames,
  messagesDecode,
  ids,
  negotiation,
  malformed,
  legacyMessages,
  legacyParse,
  legacyMalformed,
  legacyIds,
  legacyTranscripts,
  transcripts,
  p2pyFrames,
  p2pyMalformed,
  p2pyTranscripts,
  syncLease,
  syncSteps,
  chord,
  chordSteps,
]
