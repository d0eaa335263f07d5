/** One measured number: a line of `npm run bench -- --json`. */
export interface Figure {
  readonly suite: string
  /** What was worked on, such as `256B`. */
  readonly case: string
  /** Whose code: `p2p` is ours, `limit` the physical or compositional limit, others by package name. */
  readonly subject: string
  readonly metric: string
  readonly value: number
  readonly unit: string
}

export type Report = (figure: Figure) => void

/** What of a suite is to be measured: everything, unless the command line says otherwise. */
export interface Selection {
  wantsCase(name: string): boolean
  wantsSubject(name: string): boolean
}

/** A family of benchmarks, chosen by name on the command line. */
export interface Suite {
  readonly name: string
  /** Measures everything and reports each figure when it is there. Notes are for people, on stderr. */
  run(report: Report, note: (text: string) => void, selection: Selection): Promise<void>
}
