/**
 * Collects rows. A check is a function that resolves with a detail or rejects; either way there is
 * a row, and the next check runs.
 */
import type { Row } from './report.ts'

export type Side = Pick<Row, 'network' | 'a' | 'b' | 'dialler'>

export class Checks {
  readonly rows: Row[] = []
  readonly #onRow: (row: Row) => void
  readonly #knownFailure: (row: Row) => string | undefined

  constructor(onRow: (row: Row) => void, knownFailure: (row: Row) => string | undefined) {
    this.#onRow = onRow
    this.#knownFailure = knownFailure
  }

  /** Runs one check; resolves with whether it held. */
  async check(side: Side, feature: string, run: () => Promise<string>): Promise<boolean> {
    let row: Row
    try {
      row = { ...side, feature, ok: true, detail: await run() }
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      const failed = { ...side, feature, ok: false, detail }
      const known = this.#knownFailure(failed)
      row = known === undefined ? failed : { ...failed, known }
    }
    this.#add(row)
    return row.ok
  }

  skip(side: Side, feature: string, detail: string): void {
    this.#add({ ...side, feature, ok: false, detail, skipped: true })
  }

  #add(row: Row): void {
    this.rows.push(row)
    this.#onRow(row)
  }
}

/** Throws when something that must hold does not: the message becomes the detail of the row. */
export function expectThat(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}
