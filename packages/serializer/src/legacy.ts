export { legacyFlags } from './legacy/flags.ts'
export { decodeLegacyFrame, encodeLegacyFrame } from './legacy/message.ts'
export type { LegacyFields, LegacyMessage, LegacyVersion } from './legacy/message.ts'
export { joinInTurn, joinWithTable, splitInTurn, splitWithTable } from './legacy/packets.ts'
