export type { WireMessage } from './message.ts'
