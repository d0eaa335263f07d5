/** A signal of the caller ends a wait in one way, whatever its reason is: P2P_CANCELLED, with that as cause. */
import { P2pError } from './protocol/errors.ts'

/** What a call rejects with whose signal was aborted. */
export function cancelled(signal: AbortSignal | undefined): P2pError {
  return new P2pError('P2P_CANCELLED', 'the signal of this call was aborted', {
    cause: signal?.reason,
  })
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled(signal)
}
