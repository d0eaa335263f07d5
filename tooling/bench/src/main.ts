/**
 * `npm run bench`: measures our code beside others' in the same run; usage with `--help`. With --json, stdout
 * has one line per figure; otherwise a table with ratios. --write puts the tables into a Markdown document
 * (document.ts). Progress goes to stderr. --case and --subject are for a profile, or when a machine has little time.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { aboutThisRun, updateDocument } from './document.ts'
import type { Figure } from './figure.ts'
import { parseOptions, usage } from './options.ts'
import type { BenchOptions } from './options.ts'
import { suites } from './suites.ts'
import { formatTable } from './table.ts'

const note = (text: string): void => {
  process.stderr.write(`[bench] ${text}\n`)
}

async function measure({ names, json, write, cases, subjects }: BenchOptions): Promise<void> {
  const selection = {
    wantsCase: (name: string): boolean =>
      cases.length === 0 || cases.some((text) => name.includes(text)),
    wantsSubject: (name: string): boolean => subjects.length === 0 || subjects.includes(name),
  }
  const figures: Figure[] = []
  const take = (figure: Figure): void => {
    figures.push(figure)
    if (json) process.stdout.write(`${JSON.stringify(figure)}\n`)
  }
  for (const name of names) {
    const suite = await suites.get(name)?.()
    await suite?.run(take, note, selection)
  }
  if (write !== undefined) {
    const about = aboutThisRun(new Date().toISOString().slice(0, 10))
    writeFileSync(write, updateDocument(documentAt(write), figures, about))
    note(`wrote ${write}`)
  }
  if (!json) process.stdout.write(`${formatTable(figures)}\n`)
}

/** Empty when there is none yet. */
function documentAt(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Undefined when the command line was wrong, which is said. */
function readOptions(): BenchOptions | 'help' | undefined {
  try {
    return parseOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`)
    return undefined
  }
}

const options = readOptions()
if (options === undefined) process.exitCode = 2
else if (options === 'help') process.stdout.write(`${usage}\n`)
else await measure(options)
