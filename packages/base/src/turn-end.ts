/**
 * Runs something when the current turn of the event loop ends: after everything that came in together
 * has been handled, so that all that is to be sent in answer can leave in one write per link.
 */
type Schedule = (task: () => void) => void

const { setImmediate: schedule } = globalThis as { readonly setImmediate?: Schedule }

export function scheduleTurnEnd(task: () => void): void {
  // Browsers have no such phase; the end of the current task is the best there is.
  if (schedule === undefined) queueMicrotask(task)
  else schedule(task)
}
