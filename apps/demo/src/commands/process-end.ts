/** The process ends by itself once nothing is open; this watches that it does. */
import { openResources } from '../node/handles.ts'

/** Time for the last lines to be written. */
const graceMs = 2_000

/**
 * Ends the process when it should have ended by itself and has not. The timer alone keeps nothing
 * alive; if it fires, something was left open, which is said and answered with status 70.
 */
export function ensureExit(): void {
  // A paused stdin that is a pipe still holds the process.
  process.stdin.destroy()
  setTimeout(() => {
    process.stderr.write(`p2p: still open after the end: ${openResources().join(', ')}\n`)
    process.exit(70)
  }, graceMs).unref()
}
