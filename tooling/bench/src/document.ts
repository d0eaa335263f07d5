/**
 * The committed table: a Markdown document with a section per suite, each with the machine and the day it
 * was measured on. A run replaces the sections of its suites and leaves the others as they are.
 */
import { arch, cpus, platform } from 'node:os'
import type { Figure } from './figure.ts'

const preface = `# Figures

Written by \`npm run bench -- --write docs/figures.md\`, all figures of a section in one run, on one machine.
Behind each figure of another stands how much better ours is in that row: over 1.00× ours is ahead. \`limit\`
is what no library of this kind can beat: bare frames, a bare map, the fastest composition of parts.
`

/** The document with the sections of these figures in the place of older ones. */
export function updateDocument(before: string, figures: readonly Figure[], about: string): string {
  const sections = new Map(sectionsOf(before))
  const suites = new Set(figures.map(({ suite }) => suite))
  for (const suite of suites) {
    const own = figures.filter((figure) => figure.suite === suite)
    sections.set(suite, `${about}\n\n${formatMarkdown(tableOf(own))}`)
  }
  const ordered = [...sections].sort(([a], [b]) => (a < b ? -1 : 1))
  return [preface, ...ordered.map(([suite, text]) => `## ${suite}\n\n${text}\n`)].join('\n')
}

/** Where and when, for the reader of a figure. */
export function aboutThisRun(day: string): string {
  const [first] = cpus()
  const cores = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`
  return `Node ${process.versions.node}, ${platform()} ${arch()}, ${cores}, ${day}.`
}

function sectionsOf(document: string): readonly (readonly [string, string])[] {
  return document
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [name = '', ...lines] = section.split('\n')
      return [name.trim(), lines.join('\n').trim()] as const
    })
}

/** Rows of cells, the heading first: what was measured, then a column per subject, ours first. */
function tableOf(figures: readonly Figure[]): readonly (readonly string[])[] {
  const others = new Set(figures.map(({ subject }) => subject).filter((name) => name !== 'p2p'))
  const rows = new Map<string, Figure[]>()
  for (const figure of figures) {
    const name = `${figure.case}: ${figure.metric}, ${figure.unit}`
    rows.set(name, [...(rows.get(name) ?? []), figure])
  }
  const heading = ['', 'p2p', ...others]
  return [
    heading,
    ...[...rows].map(([name, row]) => {
      const mine = row.find(({ subject }) => subject === 'p2p')
      return [
        name,
        mine === undefined ? '–' : figureText(mine.value),
        ...Array.from(others, (subject) => {
          const other = row.find((figure) => figure.subject === subject)
          return other === undefined ? '–' : figureText(other.value) + advantage(mine, other)
        }),
      ]
    }),
  ]
}

/** How many times better ours is. More is better of what is counted per second, less of everything else. */
function advantage(mine: Figure | undefined, other: Figure): string {
  if (mine === undefined) return ''
  const ratio = other.unit.includes('/s') ? mine.value / other.value : other.value / mine.value
  return ` (${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)}×)`
}

function figureText(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: value < 1_000 ? 3 : 4 })
}

function formatMarkdown(rows: readonly (readonly string[])[]): string {
  const [heading = []] = rows
  const widths = heading.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  const [first = '', ...rest] = rows.map(line)
  return [first, rule, ...rest].join('\n')
}
