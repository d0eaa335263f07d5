/** Why a command was not carried out, as it stands in the answer. */
import { isP2pError } from '@p2p/base'

export class LineError extends Error {
  override readonly name = 'LineError'
  readonly code: `P2P_${string}`

  constructor(code: `P2P_${string}`, message: string) {
    super(message)
    this.code = code
  }
}

/** `{ code, error }` for anything that was thrown. */
export function describeFailure(error: unknown): { readonly code: string; readonly error: string } {
  if (error instanceof LineError || isP2pError(error))
    return { code: error.code, error: error.message }
  if (error instanceof TypeError || error instanceof RangeError)
    return { code: 'P2P_INVALID_ARGUMENT', error: error.message }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return { code: error.code, error: error.message }
  return { code: 'P2P_INTERNAL', error: error instanceof Error ? error.message : String(error) }
}
