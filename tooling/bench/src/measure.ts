/**
 * Speed of small synchronous operations, side by side.
 *
 * All subjects of one measurement take turns in short rounds, so that whatever else the machine does
 * hits each of them alike. Of each the fastest round counts: noise only ever adds time. Rounds shorter
 * than a time slice of the operating system have a chance to run undisturbed on a busy machine.
 */
export interface Subject {
  readonly name: string
  /** Does the work once. Returns something that depends on the work, so that it is not optimised away. */
  readonly run: () => unknown
}

export interface MeasureOptions {
  readonly rounds: number
  readonly roundMs: number
}

/** The value that `run` returned last; kept so that the work is needed. */
let sink: unknown

/** Operations per second of each subject, by name. */
export function measure(
  subjects: readonly Subject[],
  options: MeasureOptions,
): ReadonlyMap<string, number> {
  const best = new Map<string, number>()
  const batches = new Map(subjects.map((subject) => [subject, warmUp(subject, options.roundMs)]))
  for (let round = 0; round < options.rounds; round++) {
    for (const [subject, batch] of batches) {
      const perSecond = (batch * 1000) / Math.max(runRound(subject, batch), 0.001)
      best.set(subject.name, Math.max(best.get(subject.name) ?? 0, perSecond))
    }
  }
  return best
}

/** Lets the compiler settle; returns how many operations fill one round. */
function warmUp(subject: Subject, roundMs: number): number {
  for (let batch = 1; ; batch *= 2) {
    const ms = runRound(subject, batch)
    // A clock may be as coarse as a tenth of a millisecond: only a filled round tells the speed.
    if (ms >= roundMs / 2) return Math.max(1, Math.round((batch * roundMs) / ms))
  }
}

/** Milliseconds that the batch takes. */
function runRound({ run }: Subject, batch: number): number {
  const start = performance.now()
  for (let i = 0; i < batch; i++) sink = run()
  return performance.now() - start
}

/** For callers that want to be sure that the work was done. */
export function lastResult(): unknown {
  return sink
}
