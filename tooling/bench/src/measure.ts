/**
 * Speed of small synchronous operations, side by side.
 *
 * All subjects of one measurement take turns in short rounds, so that whatever else the machine does
 * hits each of them alike. Of each the fastest round counts: noise only ever adds time. Rounds shorter
 * than a time slice of the operating system have a chance to run undisturbed on a busy machine, and
 * rounds go on until none of the subjects has become faster for a while: where the compiler's thread has
 * to wait for a processor, code is slow for seconds before it is fast.
 */
export interface Subject {
  readonly name: string
  /** Does the work once. Returns something that depends on the work, so that it is not optimised away. */
  readonly run: () => unknown
}

export interface MeasureOptions {
  /** Ends when so many rounds in a row have brought nothing. */
  readonly quietRounds: number
  /** Ends after so many rounds in any case. */
  readonly maxRounds: number
  readonly roundMs: number
}

/** A round has brought something when it is faster than the fastest by more than this share. */
const noticeable = 0.01

/** The value that `run` returned last; kept so that the work is needed. */
let sink: unknown

/** Operations per second of each subject, by name. */
export function measure(
  subjects: readonly Subject[],
  { quietRounds, maxRounds, roundMs }: MeasureOptions,
): ReadonlyMap<string, number> {
  const best = new Map<string, number>()
  const batches = new Map(subjects.map((subject) => [subject, warmUp(subject, roundMs)]))
  let lastProgress = 0
  for (let round = 0; round < maxRounds && round - lastProgress < quietRounds; round++) {
    for (const [subject, batch] of batches) {
      const ms = Math.max(runRound(subject, batch), 0.001)
      const perSecond = (batch * 1000) / ms
      const before = best.get(subject.name) ?? 0
      if (perSecond > before * (1 + noticeable)) lastProgress = round
      if (perSecond > before) best.set(subject.name, perSecond)
      // Faster than at first: the batch no longer fills its round.
      if (ms < roundMs / 2) batches.set(subject, Math.ceil((batch * roundMs) / ms))
    }
  }
  return best
}

/** Lets the compiler begin; returns how many operations fill one round. */
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
