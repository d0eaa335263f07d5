/**
 * `npm run bench -- [suite …] [--json] [--write FILE] [--case TEXT …] [--subject NAME …]`: measures our
 * code beside others' in the same run. With --json, stdout has one line per figure; otherwise a table with
 * ratios. --write puts the tables into a Markdown document (document.ts). Progress goes to stderr. Of the mesh suite, --case takes only cases whose name has the text, and
 * --subject only those subjects: for a profile, or when a machine has little time.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { aboutThisRun, updateDocument } from './document.ts'
import type { Figure } from './figure.ts'
import { suites } from './suites.ts'
import { formatTable } from './table.ts'

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    write: { type: 'string' },
    case: { type: 'string', multiple: true, default: [] },
    subject: { type: 'string', multiple: true, default: [] },
  },
  allowPositionals: true,
})

const selection = {
  wantsCase: (name: string): boolean =>
    values.case.length === 0 || values.case.some((text) => name.includes(text)),
  wantsSubject: (name: string): boolean =>
    values.subject.length === 0 || values.subject.includes(name),
}
const note = (text: string): void => {
  process.stderr.write(`[bench] ${text}\n`)
}

const names = positionals.length > 0 ? positionals : [...suites.keys()]
const figures: Figure[] = []
for (const name of names) {
  const load = suites.get(name)
  if (load === undefined) {
    note(`unknown suite "${name}"; known: ${[...suites.keys()].join(', ')}`)
    process.exitCode = 2
    continue
  }
  const suite = await load()
  await suite.run(
    (figure) => {
      figures.push(figure)
      if (values.json) process.stdout.write(`${JSON.stringify(figure)}\n`)
    },
    note,
    selection,
  )
}
if (values.write !== undefined) {
  const about = aboutThisRun(new Date().toISOString().slice(0, 10))
  writeFileSync(values.write, updateDocument(documentAt(values.write), figures, about))
  note(`wrote ${values.write}`)
}
if (!values.json) process.stdout.write(`${formatTable(figures)}\n`)

/** Empty when there is none yet. */
function documentAt(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
