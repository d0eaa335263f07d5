/**
 * What a set of fixtures is to the runner: a rule that recognises its files, and the checks made from
 * each. A set is one file in `sets/` and one line in `fixture-sets.ts`.
 *
 * A check passes when `run` returns; it fails when `run` throws (node:assert is the usual way). It may
 * also return a verdict: `skipped(reason)` for what is not built, or `differs(name)` when our behaviour
 * was checked and is deliberately not the references' one (`deliberate-differences.ts` says why).
 */
import * as z from 'zod'
import type { DifferenceName } from './deliberate-differences.ts'
import type { FixtureFile } from './fixture-file.ts'

export type Verdict =
  | { readonly status: 'skipped'; readonly reason: string }
  | { readonly status: 'differs'; readonly difference: DifferenceName }

export interface Check {
  /** The case's name, followed by ` / part` when one case makes several checks. */
  readonly name: string
  run(): Verdict | undefined | Promise<Verdict | undefined>
}

export interface FixtureSet {
  readonly name: string
  describes(file: FixtureFile): boolean
  checks(file: FixtureFile): Iterable<Check>
}

export function skipped(reason: string): Verdict {
  return { status: 'skipped', reason }
}

export function differs(difference: DifferenceName): Verdict {
  return { status: 'differs', difference }
}

const documentShape = z.object({ cases: z.array(z.unknown()) })
const named = z.object({ name: z.string() })

/**
 * Makes checks from the `cases` of a file. Each case is parsed alone, so one of a new shape is counted
 * as skipped and does not hide the others.
 */
export function* caseChecks<Case extends { readonly name: string }>(
  file: FixtureFile,
  shape: z.ZodType<Case>,
  checksOf: (fixture: Case) => Iterable<Check>,
): Iterable<Check> {
  const document = documentShape.safeParse(file.document)
  if (!document.success) {
    yield { name: file.path, run: () => skipped('the file has no list of cases') }
    return
  }
  for (const [index, entry] of document.data.cases.entries()) {
    const parsed = shape.safeParse(entry)
    if (parsed.success) {
      yield* checksOf(parsed.data)
      continue
    }
    const name = named.safeParse(entry).data?.name ?? `case ${index}`
    const where = parsed.error.issues[0]?.path.join('.') ?? ''
    yield { name, run: () => skipped(`a case of a shape this set does not know (${where})`) }
  }
}
