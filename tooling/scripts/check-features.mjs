// docs/features.md lists every feature that the documents of the originals name. Each number from 1 to the last
// one of its section has to be there once; a row that says "done" names tests that exist, by file and by name;
// a row that says otherwise gives a reason; and the sums at the top are those of the table.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const document = 'docs/features.md'
/** Features of each section, counted in the documents of the originals. */
const sections = [20, 7, 18, 17, 27, 18, 23, 3, 7, 6, 2, 28]
const states = ['done', 'otherwise', 'not done']
const shortestReason = 10

/** Rows of the table: { id, what, state, shown }. */
function rowsOf(markdown) {
  const pattern = /^\| (\d+\.\d+) +\| (.*?) +\| (.*?) +\| (.*?) +\|$/gm
  return [...markdown.matchAll(pattern)].map(([, id, what, state, shown]) => ({
    id,
    what,
    state,
    shown,
  }))
}

/** What is wrong with the references of a row that says "done". */
function referenceProblems({ id, shown }, read) {
  const references = [...shown.matchAll(/\[[^\]]+\]\(([^)]+)\)(?:: ([^;]+))?/g)]
  if (references.length === 0) return [`${id}: done, and no test shows it`]
  return references.flatMap(([, target, name]) => {
    const path = join(dirname(document), target)
    const text = read(path)
    if (text === undefined) return [`${id}: nothing at ${target}`]
    if (name === undefined) return path.includes('/fixtures/') ? [] : [`${id}: no test is named`]
    return text.includes(name.trim()) ? [] : [`${id}: ${path} has no test "${name.trim()}"`]
  })
}

function problemsOf(markdown, read) {
  const rows = rowsOf(markdown)
  const wanted = sections.flatMap((count, index) =>
    Array.from({ length: count }, (_, number) => `${index + 1}.${number + 1}`),
  )
  const ids = rows.map(({ id }) => id)
  const sums = states.map((state) => `${rows.filter((row) => row.state === state).length} ${state}`)
  return [
    ...wanted
      .filter((id) => ids.filter((one) => one === id).length !== 1)
      .map((id) => `${id}: not there exactly once`),
    ...ids.filter((id) => !wanted.includes(id)).map((id) => `${id}: no such feature`),
    ...rows.flatMap((row) => {
      if (row.state === 'done') return referenceProblems(row, read)
      if (!states.includes(row.state)) return [`${row.id}: unknown state "${row.state}"`]
      return row.shown.length < shortestReason ? [`${row.id}: no reason`] : []
    }),
    ...(markdown.includes(`${sums.join(', ')}.`) ? [] : [`the sums are ${sums.join(', ')}`]),
  ]
}

const read = (path) => {
  const full = join(root, path)
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined
}
const markdown = read(document) ?? ''
const problems = problemsOf(markdown, read)
// The check has to notice a row that is gone and a test that is gone.
if (problemsOf(markdown.replace(/^\| 5\.3 .*\n/m, ''), read).length <= problems.length) {
  problems.push('the check overlooks a missing row')
}
if (problemsOf(markdown, () => '').length <= problems.length) {
  problems.push('the check overlooks a missing test')
}
for (const problem of problems) process.stdout.write(`${document}: ${problem}\n`)
const count = rowsOf(markdown).length
process.stdout.write(
  problems.length === 0
    ? `features: ${count} rows, each done by a test that is there or with a reason\n`
    : `features: ${problems.length} problems\n`,
)
process.exitCode = problems.length === 0 ? 0 : 1
