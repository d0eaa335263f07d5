/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { suites } from './suites.ts'

export interface BenchOptions {
  /** Suites to run, in this order. */
  readonly names: readonly string[]
  readonly json: boolean
  /** The document that takes the tables. */
  readonly write: string | undefined
  /** Texts of which the name of a case must have one; empty: all cases. */
  readonly cases: readonly string[]
  /** Whose figures are taken; empty: everybody's. */
  readonly subjects: readonly string[]
}

const suiteNames = [...suites.keys()]

export const usage: string = `npm run bench -- [suite …] [options]

Suites: ${suiteNames.join(', ')}; all of them when none is named.

  --json            a line of JSON per figure on stdout, in place of the table
  --write FILE      put the tables into this Markdown document
  --case TEXT       mesh: only cases whose name has this text; may be repeated
  --subject NAME    mesh: only this subject; may be repeated
  --help            this text`

/** @throws TypeError for an option, RangeError for a suite that there is none of */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      write: { type: 'string' },
      case: { type: 'string', multiple: true, default: [] },
      subject: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  if (values.help) return 'help'
  const unknown = positionals.find((name) => !suites.has(name))
  if (unknown !== undefined)
    throw new RangeError(`unknown suite "${unknown}"; known: ${suiteNames.join(', ')}`)
  return {
    names: positionals.length > 0 ? positionals : suiteNames,
    json: values.json,
    write: values.write,
    cases: values.case,
    subjects: values.subject,
  }
}
