export { P2pError, isP2pError } from './protocol/errors.ts'
export type { P2pErrorCode } from './protocol/errors.ts'
export type { Machine, Now, RandomBytes } from './protocol/machine.ts'
