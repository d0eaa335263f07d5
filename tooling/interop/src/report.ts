/** Rows of the matrix, and how they are counted and shown. */

export interface Row {
  readonly network: string
  /** Programs on both sides; `dialler` is the side that opened the link. */
  readonly a: string
  readonly b: string
  readonly dialler: 'a' | 'b'
  readonly feature: string
  readonly ok: boolean
  readonly detail: string
  /** Set when a failure between two foreign programs is theirs and known; it does not fail the run. */
  readonly known?: string
  /** Set when the row could not be tried here; it is counted apart. */
  readonly skipped?: boolean
}

export interface Summary {
  readonly ok: boolean
  readonly passed: number
  readonly failed: number
  readonly known: number
  readonly skipped: number
  readonly seconds: number
}

export function summarize(rows: readonly Row[], seconds: number): Summary {
  const skipped = rows.filter((row) => row.skipped).length
  const passed = rows.filter((row) => row.ok).length
  const known = rows.filter((row) => !row.ok && row.known !== undefined).length
  const failed = rows.length - passed - known - skipped
  return { ok: failed === 0 && passed > 0, passed, failed, known, skipped, seconds }
}

/** One line for one row. */
export function formatRow(row: Row): string {
  const verdict = row.skipped ? 'skip' : row.ok ? 'ok' : row.known === undefined ? 'FAIL' : 'known'
  const dialled = row.dialler === 'a' ? `${row.a} → ${row.b}` : `${row.a} ← ${row.b}`
  const reason = row.known === undefined || row.ok ? row.detail : row.known
  const columns = [
    verdict.padEnd(6),
    row.network.padEnd(6),
    dialled.padEnd(16),
    row.feature.padEnd(56),
  ]
  return `${columns.join('')}${reason.split('\n', 1)[0]?.slice(0, 160) ?? ''}`
}
