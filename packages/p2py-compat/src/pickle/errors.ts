// The ways a pickle is refused. Each code is explained in the README of this package.
import { P2pError } from '@p2p/base'

/** What went wrong, at which byte of the pickle. Texts of the peer are never quoted. */
export type PickleErrorCode =
  | 'P2P_PICKLE_TRUNCATED'
  | 'P2P_PICKLE_TRAILING'
  | 'P2P_PICKLE_PROTOCOL'
  | 'P2P_PICKLE_OPCODE'
  | 'P2P_PICKLE_GLOBAL'
  | 'P2P_PICKLE_STACK'
  | 'P2P_PICKLE_LITERAL'
  | 'P2P_PICKLE_KEY'
  | 'P2P_PICKLE_CYCLE'
  | 'P2P_PICKLE_LIMIT'

export function pickleError(
  code: PickleErrorCode,
  message: string,
  facts: Readonly<Record<string, string | number>> = {},
): P2pError {
  return new P2pError(code, message, { facts })
}
